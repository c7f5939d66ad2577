"""The rows of sessions; also the only place where sessions are made, and what authentication asks."""

import json
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from hedgerow.base.ids import Ids
from hedgerow.services.sts.sessions.model import (
    ISSUED,
    KEPT_S,
    TEMPORARY,
    TOKEN_LENGTH,
    Bounds,
    Mandate,
    Session,
    SessionKind,
)
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
    Column("owner_id", String(32)),
    Column("bounds", Text),
    Column("transitive", Text),
    Column("restricted", Boolean),
)
# Without the account: a signature names its key only, and the key says whose it is.
Index("uq_sts_session_id", sessions.c.id, unique=True)

_FIND = select(sessions).where(sessions.c.id == bindparam("id_"))
_INSERT = insert(sessions)
_DELETE = delete(sessions).where(sessions.c.account == bindparam("account_"), sessions.c.id == bindparam("id_"))
_OF_USER: Final = (sessions.c.account == bindparam("account_")) & (sessions.c.name == bindparam("name_"))
_RENAMES = (
    update(sessions)
    .where(_OF_USER, sessions.c.kind == SessionKind.USER.value)
    .values(name=bindparam("new_name"), principal=bindparam("new_principal")),
    update(sessions).where(_OF_USER, sessions.c.kind == SessionKind.FEDERATED.value).values(name=bindparam("new_name")),
)


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

    def create(self, tx: Tx, account: str, mandate: Mandate, duration_s: float) -> Session:
        """Make a session and write down that it ends. Whether it may be had was decided before."""
        session = Session(
            account=account,
            access_key_id=TEMPORARY + self._ids.upper(16),
            mandate=mandate,
            expires_at=tx.now + duration_s,
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
            variables=json.dumps({ISSUED: _moment(tx.now), **session.variables}),
            sealed=self._vault.seal(secrets, context=_context(session.access_key_id)),
            expires_at=session.expires_at,
            owner_id=mandate.owner_id,
            bounds=None if mandate.bounds is None else json.dumps([mandate.bounds.documents, mandate.bounds.arns]),
            transitive=json.dumps(mandate.transitive) if mandate.transitive else None,
            restricted=mandate.restricted,
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
            mandate=_mandate(row),
            expires_at=row.expires_at,
            secret=secret,
            token=token,
        )


class UserSessions:
    """What users do to sessions."""

    def rename_user(self, tx: Tx, account: str, name: str, *, new: str, arn: str) -> None:
        """The user is called otherwise from now on: their own sessions, and those they answer for, stay."""
        own, federated = _RENAMES
        tx.run(own, account_=account, name_=name, new_name=new, new_principal=arn)
        tx.run(federated, account_=account, name_=name, new_name=new)


def forget(tx: Tx, account: str, access_key_id: str) -> None:
    """Delete a session; nothing happens when it is gone."""
    tx.run(_DELETE, account_=account, id_=access_key_id)


def _moment(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _context(access_key_id: str) -> str:
    return f"sts session {access_key_id}"


def _mandate(row: Row[Any]) -> Mandate:
    return Mandate(
        kind=SessionKind(row.kind),
        principal=row.principal,
        name=row.name,
        identity=row.identity,
        variables=json.loads(row.variables),
        owner_id=row.owner_id,
        bounds=None if row.bounds is None else _bounds(json.loads(row.bounds)),
        transitive=tuple(json.loads(row.transitive or "[]")),
        restricted=bool(row.restricted),
    )


def _bounds(parts: list[list[str]]) -> Bounds:
    documents, arns = parts
    return Bounds(documents=tuple(documents), arns=tuple(arns))
