"""The rows of tags, by the resource that they are on (`thinggroup/pumps`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, String, Table, bindparam, delete, insert, select

from hedgerow.store import Tx, metadata

tags = Table(
    "iot_tag",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("resource", String(320), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", String(256), nullable=False),
)
_ON: Final = (tags.c.account == bindparam("account_")) & (tags.c.resource == bindparam("resource_"))
_ALL = select(tags).where(_ON).order_by(tags.c.key)
_INSERT = insert(tags)
_DELETE = delete(tags).where(_ON)
_DELETE_ONE = _DELETE.where(tags.c.key == bindparam("key_"))


class TagStore:
    """Tags in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, resource: str) -> dict[str, str]:
        """Answer the tags by key, in order."""
        return {row.key: row.value for row in tx.all(_ALL, account_=account, resource_=resource)}

    def put(self, tx: Tx, account: str, resource: str, new: Mapping[str, str]) -> None:
        """Write these in place of all that are there."""
        self.forget(tx, account, resource)
        rows: list[dict[str, Any]] = [
            {"account": account, "resource": resource, "key": key, "value": value} for key, value in new.items()
        ]
        tx.run_many(_INSERT, rows)

    def take(self, tx: Tx, account: str, resource: str, keys: Sequence[str]) -> None:
        """Take off the tags with these keys; others are no matter."""
        for key in keys:
            tx.run(_DELETE_ONE, account_=account, resource_=resource, key_=key)

    def forget(self, tx: Tx, account: str, resource: str) -> None:
        """Take off all tags."""
        tx.run(_DELETE, account_=account, resource_=resource)
