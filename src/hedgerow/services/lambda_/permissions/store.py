"""The rows of permissions."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Integer, Row, String, Table, Text, bindparam, delete, func, insert, select

from hedgerow.services.lambda_.permissions.model import Statement
from hedgerow.store import Tx, metadata

permissions = Table(
    "lambda_permission",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("function", String(64), primary_key=True),
    Column("qualifier", String(128), primary_key=True),  # "" is the function itself
    Column("sid", String(100), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("body", Text, nullable=False),
)

_OF_FUNCTION: Final = (permissions.c.account == bindparam("account_")) & (
    permissions.c.function == bindparam("function_")
)
_OF_QUALIFIER: Final = _OF_FUNCTION & (permissions.c.qualifier == bindparam("qualifier_"))
_LIST = select(permissions.c.body).where(_OF_QUALIFIER).order_by(permissions.c.place)
_PLACE = select(func.coalesce(func.max(permissions.c.place), 0).label("place")).where(_OF_QUALIFIER)
_ADD = insert(permissions)
_DROP = delete(permissions).where(_OF_QUALIFIER, permissions.c.sid == bindparam("sid_"))
_DROP_QUALIFIER = delete(permissions).where(_OF_QUALIFIER)
_DROP_ALL = delete(permissions).where(_OF_FUNCTION)


class PermissionStore:
    """Permissions in the database. It holds nothing; one serves every transaction."""

    def list(self, tx: Tx, account: str, function: str, qualifier: str) -> Sequence[Statement]:
        """Answer the statements in the order in which they were added."""
        found = tx.all(_LIST, account_=account, function_=function, qualifier_=qualifier)
        return [_statement(row) for row in found]

    def add(self, tx: Tx, account: str, function: str, qualifier: str, statement: Statement) -> None:
        last = tx.one(_PLACE, account_=account, function_=function, qualifier_=qualifier)
        tx.run(
            _ADD,
            account=account,
            function=function,
            qualifier=qualifier,
            sid=statement.sid,
            place=(last.place if last is not None else 0) + 1,
            body=json.dumps({name: getattr(statement, name) for name in Statement.__slots__}),
        )

    def drop(self, tx: Tx, account: str, function: str, qualifier: str, sid: str) -> bool:
        return tx.run(_DROP, account_=account, function_=function, qualifier_=qualifier, sid_=sid) > 0

    def forget(self, tx: Tx, account: str, name: str, qualifier: str) -> None:
        """Delete the permissions on a deleted function ("") or qualifier."""
        if qualifier:
            tx.run(_DROP_QUALIFIER, account_=account, function_=name, qualifier_=qualifier)
        else:
            tx.run(_DROP_ALL, account_=account, function_=name)

    def in_the_way(self, tx: Tx, account: str, name: str, version: str) -> str | None:
        """Permissions keep nothing from being deleted."""
        return None


def _statement(row: Row[Any]) -> Statement:
    return Statement(**json.loads(row.body))
