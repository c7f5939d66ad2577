"""The rows of role aliases; also what the credential provider asks."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.role_aliases.model import RoleAlias
from hedgerow.store import Tx, metadata

role_aliases = Table(
    "iot_role_alias",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("role_arn", String(2048), nullable=False),
    Column("duration_s", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
Index("ix_iot_role_alias_created_at", role_aliases.c.account, role_aliases.c.created_at, role_aliases.c.name)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_AT: Final[Any] = bindparam("at")
_AFTER: Final[Any] = bindparam("after")

_GET = select(role_aliases).where(role_aliases.c.account == _ACCOUNT, role_aliases.c.name == _NAME)
_INSERT = insert(role_aliases)
_UPDATE = update_rows(role_aliases).where(role_aliases.c.account == _ACCOUNT, role_aliases.c.name == _NAME)
_DELETE = delete(role_aliases).where(role_aliases.c.account == _ACCOUNT, role_aliases.c.name == _NAME)
_COUNT = select(func.count()).where(role_aliases.c.account == _ACCOUNT)
_LIST = select(role_aliases).where(role_aliases.c.account == _ACCOUNT).limit(bindparam("limit_"))
_NEWEST = _LIST.order_by(role_aliases.c.created_at.desc(), role_aliases.c.name.desc())
_NEWEST_AFTER = _NEWEST.where(
    or_(role_aliases.c.created_at < _AT, and_(role_aliases.c.created_at == _AT, role_aliases.c.name < _AFTER))
)
_OLDEST = _LIST.order_by(role_aliases.c.created_at, role_aliases.c.name)
_OLDEST_AFTER = _OLDEST.where(
    or_(role_aliases.c.created_at > _AT, and_(role_aliases.c.created_at == _AT, role_aliases.c.name > _AFTER))
)


class RoleAliasStore:
    """Role aliases in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, name: str) -> RoleAlias | None:
        """Answer the role alias (names are case-sensitive), or None."""
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _alias(row)

    def count(self, tx: Tx, account: str) -> int:
        row = tx.one(_COUNT, account_=account)
        return 0 if row is None else int(row[0])

    def add(self, tx: Tx, account: str, alias: RoleAlias) -> None:
        tx.run(_INSERT, account=account, name=alias.name, created_at=alias.created_at, **_columns(alias))

    def put(self, tx: Tx, account: str, alias: RoleAlias) -> None:
        tx.run(_UPDATE, account_=account, name_=alias.name, **_columns(alias))

    def remove(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DELETE, account_=account, name_=name)

    def list(self, tx: Tx, account: str, *, after: tuple[Any, ...], limit: int, ascending: bool) -> Sequence[RoleAlias]:
        """Answer aliases, newest first unless `ascending`, those after (created_at, name); () is the beginning."""
        values: dict[str, Any] = {"account_": account, "limit_": limit}
        statement: Any = _OLDEST if ascending else _NEWEST
        if after:
            statement = _OLDEST_AFTER if ascending else _NEWEST_AFTER
            values |= {"at": after[0], "after": after[1]}
        return [_alias(row) for row in tx.all(statement, **values)]


def _columns(alias: RoleAlias) -> dict[str, Any]:
    return {"role_arn": alias.role_arn, "duration_s": alias.duration_s, "updated_at": alias.updated_at}


def _alias(row: Row[Any]) -> RoleAlias:
    return RoleAlias(
        name=row.name,
        role_arn=row.role_arn,
        duration_s=row.duration_s,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
