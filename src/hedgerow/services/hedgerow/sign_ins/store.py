"""The rows of sign-ins."""

from typing import Any, Final

from sqlalchemy import Column, Float, Index, Row, String, Table, bindparam, delete, insert, select

from hedgerow.services.hedgerow.sign_ins.model import SignIn
from hedgerow.store import Tx, metadata

EXPIRED: Final = "hedgerow.sign-in-expired"

sign_ins = Table(
    "hedgerow_sign_in",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("principal", String(2048), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("access_key_id", String(32), nullable=False),
    Column("expires_at", Float, nullable=False),
)
# Without the account: the bearer has nothing but the token.
Index("uq_hedgerow_sign_in_digest", sign_ins.c.digest, unique=True)

_FIND = select(sign_ins).where(sign_ins.c.digest == bindparam("digest_"))
_INSERT = insert(sign_ins)
_DELETE = delete(sign_ins).where(sign_ins.c.account == bindparam("account_"), sign_ins.c.digest == bindparam("digest_"))


class SignInStore:
    """Sign-ins that were not used yet."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def add(self, sign_in: SignIn) -> None:
        self._tx.run(
            _INSERT,
            account=sign_in.account,
            digest=sign_in.digest,
            principal=sign_in.principal,
            kind=sign_in.kind,
            access_key_id=sign_in.access_key_id,
            expires_at=sign_in.expires_at,
        )
        self._tx.follow_up(EXPIRED, account=sign_in.account, key=sign_in.digest, body={}, due_at=sign_in.expires_at)

    def take(self, digest: str) -> SignIn | None:
        """Answer the sign-in and delete it, so that it is used once; None when there is none."""
        row = self._tx.one(_FIND, digest_=digest)
        if row is None or not self.delete(row.account, digest):
            return None
        self._tx.cancel_follow_ups(EXPIRED, account=row.account, key=digest)
        return _sign_in(row)

    def delete(self, account: str, digest: str) -> bool:
        return self._tx.run(_DELETE, account_=account, digest_=digest) > 0


def _sign_in(row: Row[Any]) -> SignIn:
    return SignIn(
        account=row.account,
        digest=row.digest,
        principal=row.principal,
        kind=row.kind,
        access_key_id=row.access_key_id,
        expires_at=row.expires_at,
    )
