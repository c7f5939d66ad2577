"""The rows of accounts; also what others may ask about them."""

from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Row, String, Table, bindparam, func, insert, select

from hedgerow.services.hedgerow.accounts.model import Account
from hedgerow.store import Tx, metadata

accounts = Table(
    "hedgerow_account",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("first", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
)

_ID: Final[Any] = bindparam("id_")
_GET = select(accounts).where(accounts.c.id == _ID)
_FIRST = select(accounts).where(accounts.c.first.is_(True))
_COUNT = select(func.count()).select_from(accounts)
_LIST = select(accounts).where(accounts.c.id > bindparam("after")).order_by(accounts.c.id).limit(bindparam("limit_"))
_INSERT = insert(accounts)


class AccountStore:
    """The accounts of the cloud."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    def get(self, account: str) -> Account | None:
        row = self._tx.one(_GET, id_=account)
        return None if row is None else _account(row)

    def first(self) -> Account | None:
        row = self._tx.one(_FIRST)
        return None if row is None else _account(row)

    def count(self) -> int:
        row = self._tx.one(_COUNT)
        return 0 if row is None else int(row[0])

    def list(self, after: str, limit: int) -> list[Account]:
        return [_account(row) for row in self._tx.all(_LIST, after=after, limit_=limit)]

    def add(self, account: Account) -> None:
        self._tx.run(_INSERT, id=account.id, first=account.first, created_at=account.created_at)


class AccountReader:
    """What other subjects ask about accounts."""

    def exists(self, tx: Tx, account: str) -> bool:
        """Answer whether the cloud has this account."""
        return AccountStore(tx).get(account) is not None


def _account(row: Row[Any]) -> Account:
    return Account(id=row.id, first=bool(row.first), created_at=row.created_at)
