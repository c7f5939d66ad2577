"""The rows of billing groups and of the things in them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Index, Integer, Row, String, Table, Text, bindparam, delete, func, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.billing_groups.model import BillingGroup
from hedgerow.store import Tx, metadata

groups = Table(
    "iot_billing_group",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("description", Text),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)
members = Table(
    "iot_billing_group_member",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("group_name", String(128), nullable=False),
)
Index("ix_iot_billing_group_member_group", members.c.account, members.c.group_name, members.c.thing)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_KEY: Final = (groups.c.account == _ACCOUNT) & (groups.c.name == _NAME)
_GET = select(groups).where(_KEY)
_INSERT = insert(groups)
_UPDATE = update_rows(groups).where(_KEY).values(description=bindparam("description_"), version=bindparam("version_"))
_DELETE = delete(groups).where(_KEY)
_LIST = (
    select(groups)
    .where(
        groups.c.account == _ACCOUNT,
        groups.c.name > bindparam("after"),
        func.substr(groups.c.name, 1, bindparam("length")) == bindparam("prefix"),
    )
    .order_by(groups.c.name)
    .limit(bindparam("limit_"))
)
_OF_THING: Final = (members.c.account == _ACCOUNT) & (members.c.thing == bindparam("thing_"))
_OF = select(members.c.group_name).where(_OF_THING)
_OF_SOME = select(members.c.thing, members.c.group_name).where(
    members.c.account == _ACCOUNT, members.c.thing.in_(bindparam("things", expanding=True))
)
_LEAVE = delete(members).where(_OF_THING)
_JOIN = insert(members)
_THINGS = (
    select(members.c.thing)
    .where(members.c.account == _ACCOUNT, members.c.group_name == _NAME, members.c.thing > bindparam("after"))
    .order_by(members.c.thing)
    .limit(bindparam("limit_"))
)


class BillingGroupStore:
    """Billing groups in the database. It holds nothing; one serves every transaction.

    `moved` is told, in the same transaction, of every thing that joins or leaves one.
    """

    def __init__(self, *, moved: Callable[[Tx, str, str], None] | None = None) -> None:
        self._moved = moved

    def get(self, tx: Tx, account: str, name: str) -> BillingGroup | None:
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _group(row)

    def add(self, tx: Tx, account: str, group: BillingGroup) -> None:
        tx.run(
            _INSERT,
            account=account,
            name=group.name,
            id=group.id,
            description=group.description,
            version=group.version,
            created_at=group.created_at,
        )

    def put(self, tx: Tx, account: str, group: BillingGroup) -> None:
        tx.run(_UPDATE, account_=account, name_=group.name, description_=group.description, version_=group.version)

    def remove(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DELETE, account_=account, name_=name)

    def list(self, tx: Tx, account: str, *, prefix: str, after: str, limit: int) -> Sequence[BillingGroup]:
        """Answer groups by name, those after `after`."""
        rows = tx.all(_LIST, account_=account, prefix=prefix, length=len(prefix), after=after, limit_=limit)
        return [_group(row) for row in rows]

    def of(self, tx: Tx, account: str, thing: str) -> str | None:
        """Answer the billing group that the thing is in."""
        row = tx.one(_OF, account_=account, thing_=thing)
        return None if row is None else str(row[0])

    def of_some(self, tx: Tx, account: str, things: Sequence[str]) -> Mapping[str, str]:
        """Answer the billing group of each of the things that is in one; at most 500 things."""
        rows = tx.all(_OF_SOME, account_=account, things=list(things)) if things else ()
        return {row.thing: row.group_name for row in rows}

    def join(self, tx: Tx, account: str, group: str, thing: str) -> None:
        """Put the thing into the group, out of another one."""
        tx.run(_LEAVE, account_=account, thing_=thing)
        tx.run(_JOIN, account=account, thing=thing, group_name=group)
        self._tell(tx, account, thing)

    def leave(self, tx: Tx, account: str, thing: str) -> None:
        """Take the thing out of its group; nothing when it is in none."""
        if tx.run(_LEAVE, account_=account, thing_=thing):
            self._tell(tx, account, thing)

    def things_in(self, tx: Tx, account: str, group: str, *, after: str = "", limit: int) -> Sequence[str]:
        """Answer the things in the group by name."""
        return [row.thing for row in tx.all(_THINGS, account_=account, name_=group, after=after, limit_=limit)]

    def _tell(self, tx: Tx, account: str, thing: str) -> None:
        if self._moved is not None:
            self._moved(tx, account, thing)


def _group(row: Row[Any]) -> BillingGroup:
    return BillingGroup(
        name=row.name, id=row.id, description=row.description, version=row.version, created_at=row.created_at
    )
