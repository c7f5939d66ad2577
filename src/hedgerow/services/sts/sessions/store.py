"""The rows of sessions; also the only place where sessions are made, and what authentication asks."""

import json
from typing import Final, Protocol

from sqlalchemy import Column, Float, Index, LargeBinary, String, Table, Text, bindparam, delete, insert, select

from hedgerow.base.ids import Ids
from hedgerow.services.sts.sessions.model import KEPT_S, TOKEN_LENGTH, NewSession, Session, SessionKind
from hedgerow.store import Tx, metadata

EXPIRED: Final = "sts.session-expired"

sessions = Table(
    "sts_session",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("principal", String(2048), nullable=False),
    Column("name", String(64), nullable=False),
    Column("identity", String(256), nullable=False),
    Column("variables", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Float, nullable=False),
)
# Without the account: a signature names its key only, and the key says whose it is.
Index("uq_sts_session_id", sessions.c.id, unique=True)
Index("ix_sts_session_principal", sessions.c.account, sessions.c.principal)

_FIND = select(sessions).where(sessions.c.id == bindparam("id_"))
_LIVE = select(sessions.c.identity, sessions.c.variables, sessions.c.expires_at).where(
    sessions.c.account == bindparam("account_"),
    sessions.c.principal == bindparam("principal_"),
    sessions.c.expires_at > bindparam("now_"),
)
_INSERT = insert(sessions)
_DELETE = delete(sessions).where(sessions.c.account == bindparam("account_"), sessions.c.id == bindparam("id_"))


class Vault(Protocol):
    """Encrypts what must not stand in the database in the clear."""

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Encrypt; `context` must be given again to open it."""
        ...

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt what was sealed under the same context."""
        ...


class SessionMint:
    """Makes sessions."""

    def __init__(self, *, ids: Ids, vault: Vault) -> None:
        self._ids = ids
        self._vault = vault

    def create(self, tx: Tx, account: str, new: NewSession) -> Session:
        """Make a session and write down that it ends. Whether it may be had was decided before."""
        session = Session(
            account=account,
            access_key_id="ASIA" + self._ids.upper(16),
            kind=new.kind,
            principal=new.principal,
            name=new.name,
            identity=new.identity,
            variables=new.variables,
            expires_at=tx.now + new.duration_s,
            secret=self._ids.secret(40),
            token=self._ids.secret(TOKEN_LENGTH),
        )
        secrets = json.dumps([session.secret, session.token]).encode("ascii")
        tx.run(
            _INSERT,
            account=account,
            id=session.access_key_id,
            kind=session.kind.value,
            principal=session.principal,
            name=session.name,
            identity=session.identity,
            variables=json.dumps(dict(session.variables)),
            sealed=self._vault.seal(secrets, context=_context(session.access_key_id)),
            expires_at=session.expires_at,
        )
        tx.follow_up(EXPIRED, account=account, key=session.access_key_id, body={}, due_at=session.expires_at + KEPT_S)
        return session


class SessionReader:
    """What authentication asks about sessions."""

    def __init__(self, *, vault: Vault) -> None:
        self._vault = vault

    def find(self, tx: Tx, access_key_id: str) -> Session | None:
        """Answer a session of whatever account, also when it has just ended; None when there is none."""
        row = tx.one(_FIND, id_=access_key_id)
        if row is None:
            return None
        secret, token = json.loads(self._vault.open(row.sealed, context=_context(row.id)))
        return Session(
            account=row.account,
            access_key_id=row.id,
            kind=SessionKind(row.kind),
            principal=row.principal,
            name=row.name,
            identity=row.identity,
            variables=json.loads(row.variables),
            expires_at=row.expires_at,
            secret=secret,
            token=token,
        )

    def live(self, tx: Tx, account: str, principal: str, role_id: str) -> tuple[float, dict[str, str]] | None:
        """Answer when the last live session of a principal ends, and the variables that all of them have in common.

        For a connection of which only the principal is known. None when no session of this very role is live: those
        of a deleted role of the same name do not count.
        """
        found = tx.all(_LIVE, account_=account, principal_=principal, now_=tx.now)
        rows = [row for row in found if row.identity.partition(":")[0] == role_id]
        if not rows:
            return None
        common = set.intersection(*(set(json.loads(row.variables).items()) for row in rows))
        return max(row.expires_at for row in rows), dict(common)


def forget(tx: Tx, account: str, access_key_id: str) -> None:
    """Delete a session; nothing happens when it is gone."""
    tx.run(_DELETE, account_=account, id_=access_key_id)


def _context(access_key_id: str) -> str:
    return f"sts session {access_key_id}"
