"""The rows of aliases: at most one for each account, and each in the whole cloud once."""

from typing import Any, Final

from sqlalchemy import Column, Index, String, Table, bindparam, delete, insert, select

from hedgerow.store import Tx, metadata

aliases = Table(
    "iam_account_alias",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("alias", String(63), nullable=False),
)
# Without the account: an alias stands for one account of the whole cloud.
Index("uq_iam_account_alias", aliases.c.alias, unique=True)

_ACCOUNT: Final[Any] = bindparam("account_")
_OWN = select(aliases.c.alias).where(aliases.c.account == _ACCOUNT)
_OWNER = select(aliases.c.account).where(aliases.c.alias == bindparam("alias_"))
_INSERT = insert(aliases)
_DELETE = delete(aliases).where(aliases.c.account == _ACCOUNT)


class AliasStore:
    """The alias of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self) -> str | None:
        """Answer the account's alias, or None."""
        row = self._tx.one(_OWN, account_=self._account)
        return None if row is None else str(row[0])

    def is_taken(self, alias: str) -> bool:
        """Tell whether an account of the cloud has the alias."""
        return self._tx.one(_OWNER, alias_=alias) is not None

    def put(self, alias: str) -> None:
        """Give the account this alias and no other."""
        self.forget()
        self._tx.run(_INSERT, account=self._account, alias=alias)

    def forget(self) -> None:
        self._tx.run(_DELETE, account_=self._account)
