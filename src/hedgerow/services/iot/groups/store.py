"""The rows of thing groups and memberships; also what other subjects may ask about groups.

The tree does not change its shape, so every group has one row per group above it and one for itself (`line`): "all
below" and "all above" are one join. Each change of membership writes a follow-up `thing-group-membership` (key: the
thing; body: thing, group, joined), for deployments and continuous jobs.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from sqlalchemy import Column, Float, Index, Integer, Row, String, Table, Text, bindparam, delete, func, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.groups.model import Status, ThingGroup
from hedgerow.store import Tx, metadata

FOLLOW_UP: Final = "thing-group-membership"
Told = Callable[[Tx, str, str], None]  # account and name

groups = Table(
    "iot_thing_group",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("parent", String(128), nullable=False),  # "" for a root
    Column("line", Text, nullable=False),
    Column("description", Text),
    Column("attributes", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("query", Text),  # of a dynamic group
    Column("status", String(16)),
)
Index("ix_iot_thing_group_parent", groups.c.account, groups.c.parent, groups.c.name)
Index("ix_iot_thing_group_status", groups.c.account, groups.c.status)

lines = Table(
    "iot_thing_group_line",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("above", String(128), primary_key=True),
    Column("below", String(128), primary_key=True),
)
Index("ix_iot_thing_group_line_below", lines.c.account, lines.c.below, lines.c.above)

members = Table(
    "iot_thing_group_member",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("group_name", String(128), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("root", String(128), nullable=False),
    Column("joined_at", Float, nullable=False),
)
Index("ix_iot_thing_group_member_thing", members.c.account, members.c.thing, members.c.group_name)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_THING: Final[Any] = bindparam("thing_")
_AFTER: Final[Any] = bindparam("after")
_LIMIT: Final[Any] = bindparam("limit_")
_PREFIX: Final[Any] = bindparam("prefix")
_PARENT: Final[Any] = bindparam("parent_")

_GET = select(groups).where(groups.c.account == _ACCOUNT, groups.c.name == _NAME)
_BY_ID = select(groups.c.name).where(groups.c.account == _ACCOUNT, groups.c.id == bindparam("id_"))
_INSERT = insert(groups)
_INSERT_LINE = insert(lines)
_UPDATE = update_rows(groups).where(groups.c.account == _ACCOUNT, groups.c.name == _NAME)
_DELETE = delete(groups).where(groups.c.account == _ACCOUNT, groups.c.name == _NAME)
_DELETE_LINES = delete(lines).where(lines.c.account == _ACCOUNT, lines.c.below == _NAME)
_DYNAMIC = (
    select(groups)
    .where(groups.c.account == _ACCOUNT, groups.c.status.in_([status.value for status in Status]))
    .order_by(groups.c.created_at, groups.c.name)
)
_CHILDREN = select(func.count()).where(groups.c.account == _ACCOUNT, groups.c.parent == _NAME)
_LIST = (
    select(groups)
    .where(
        groups.c.account == _ACCOUNT,
        groups.c.name > _AFTER,
        func.substr(groups.c.name, 1, bindparam("length")) == _PREFIX,
    )
    .order_by(groups.c.name)
    .limit(_LIMIT)
)
_LIST_CHILDREN = _LIST.where(groups.c.parent == _PARENT)
_LIST_BELOW = _LIST.where(
    groups.c.name != _PARENT,
    select(lines.c.below)
    .where(lines.c.account == groups.c.account, lines.c.below == groups.c.name, lines.c.above == _PARENT)
    .exists(),
)

_INSERT_MEMBER = insert(members)
_IS_MEMBER = select(members.c.thing).where(
    members.c.account == _ACCOUNT, members.c.group_name == _NAME, members.c.thing == _THING
)
_DELETE_MEMBER = delete(members).where(
    members.c.account == _ACCOUNT, members.c.group_name == _NAME, members.c.thing == _THING
)
_DELETE_MEMBERS = delete(members).where(members.c.account == _ACCOUNT, members.c.group_name == _NAME)
_MEMBERSHIPS = (
    select(members.c.group_name, members.c.root)
    .where(members.c.account == _ACCOUNT, members.c.thing == _THING, members.c.group_name > _AFTER)
    .order_by(members.c.group_name)
    .limit(_LIMIT)
)
_MEMBERSHIPS_OF_SOME = (
    select(members.c.thing, members.c.group_name)
    .where(members.c.account == _ACCOUNT, members.c.thing.in_(bindparam("things", expanding=True)))
    .order_by(members.c.group_name)
)
_MEMBERS = (
    select(members.c.thing)
    .where(members.c.account == _ACCOUNT, members.c.group_name == _NAME, members.c.thing > _AFTER)
    .order_by(members.c.thing)
    .limit(_LIMIT)
)
_JOINED = (members.c.account == lines.c.account) & (members.c.group_name == lines.c.below)
_MEMBERS_BELOW = (
    select(members.c.thing)
    .join(lines, _JOINED)
    .where(lines.c.account == _ACCOUNT, lines.c.above == _NAME, members.c.thing > _AFTER)
    .distinct()
    .order_by(members.c.thing)
    .limit(_LIMIT)
)
_LINES_OF_THING = (
    select(lines.c.above)
    .join(members, _JOINED)
    .where(members.c.account == _ACCOUNT, members.c.thing == _THING)
    .distinct()
    .order_by(lines.c.above)
)
_LINE = select(lines.c.above).where(lines.c.account == _ACCOUNT, lines.c.below == _NAME).order_by(lines.c.above)

ALL: Final = 1_000_000  # as a page size: no paging wanted


class Watcher(Protocol):
    """Who is told of changes, with what was and what is."""

    def wants_groups(self, account: str) -> bool:
        """Tell whether `group_changed` is to be called."""
        ...

    def group_changed(
        self, tx: Tx, account: str, before: ThingGroup | None, after: ThingGroup | None, line: Sequence[ThingGroup]
    ) -> None:
        """A group was made (nothing before), changed or deleted (nothing after); `line` are those above it."""
        ...

    def wants_members(self, account: str) -> bool:
        """Tell whether `members_moved` is to be called."""
        ...

    def members_moved(self, tx: Tx, account: str, group: ThingGroup, things: Sequence[str], *, joined: bool) -> None:
        """Things have joined the group, or left it."""
        ...


class GroupStore:
    """Thing groups in the database. It holds nothing; one serves every transaction.

    `changed` is told, in the same transaction, of every group that is made, changed or deleted; `moved` of every thing
    that joins or leaves one; the watcher of both, where it wants to.
    """

    def __init__(
        self, *, changed: Told | None = None, moved: Told | None = None, watcher: Watcher | None = None
    ) -> None:
        self._changed = changed
        self._moved = moved
        self._watcher = watcher

    @contextmanager
    def _telling(self, tx: Tx, account: str, name: str) -> Iterator[None]:
        """Tell of the group after the block; the watcher, where it wants to know, how it stood before and after."""
        watcher = self._watcher
        if watcher is None or not watcher.wants_groups(account):
            yield
        else:
            before = self.get(tx, account, name)
            yield
            after = self.get(tx, account, name)
            group = after or before
            line = [self.get(tx, account, above) for above in (group.line if group is not None else ())]
            watcher.group_changed(tx, account, before, after, [above for above in line if above is not None])
        if self._changed is not None:
            self._changed(tx, account, name)

    def get(self, tx: Tx, account: str, name: str) -> ThingGroup | None:
        """Answer the thing group, or None."""
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _group(row)

    def id_of(self, tx: Tx, account: str, name: str) -> str | None:
        """Answer the id of the group of this name, or None."""
        group = self.get(tx, account, name)
        return None if group is None else group.id

    def name_of(self, tx: Tx, account: str, group_id: str) -> str | None:
        """Answer the name of the group with this id, or None."""
        row = tx.one(_BY_ID, account_=account, id_=group_id)
        return None if row is None else str(row.name)

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing group of that name."""
        return tx.one(_GET, account_=account, name_=name) is not None

    def add(self, tx: Tx, account: str, group: ThingGroup) -> None:
        with self._telling(tx, account, group.name):
            tx.run(
                _INSERT,
                account=account,
                name=group.name,
                id=group.id,
                parent=group.parent or "",
                line=json.dumps(group.line),
                created_at=group.created_at,
                **_columns(group),
            )
            tx.run_many(
                _INSERT_LINE,
                [{"account": account, "above": above, "below": group.name} for above in (*group.line, group.name)],
            )

    def put(self, tx: Tx, account: str, group: ThingGroup) -> None:
        with self._telling(tx, account, group.name):
            tx.run(_UPDATE, account_=account, name_=group.name, **_columns(group))

    def remove(self, tx: Tx, account: str, name: str) -> None:
        """Delete a group without children; its members leave it."""
        with self._telling(tx, account, name):
            self._move(tx, account, name, self.things_in(tx, account, name), joined=False)
            tx.run(_DELETE_MEMBERS, account_=account, name_=name)
            tx.run(_DELETE_LINES, account_=account, name_=name)
            tx.run(_DELETE, account_=account, name_=name)

    def dynamic(self, tx: Tx, account: str) -> Sequence[ThingGroup]:
        """Answer the dynamic groups, the oldest first."""
        return [_group(row) for row in tx.all(_DYNAMIC, account_=account)]

    def is_dynamic(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a dynamic group of that name."""
        group = self.get(tx, account, name)
        return group is not None and group.dynamic

    def children(self, tx: Tx, account: str, name: str) -> int:
        """Answer how many groups stand directly below."""
        row = tx.one(_CHILDREN, account_=account, name_=name)
        return 0 if row is None else int(row[0])

    def list(
        self,
        tx: Tx,
        account: str,
        *,
        after: str = "",
        limit: int = ALL,
        prefix: str = "",
        parent: str | None = None,
        recursive: bool = True,
    ) -> Sequence[ThingGroup]:
        """Answer groups by name: all, or those below `parent`; without `recursive` one level only."""
        statement: Any = _LIST
        values: dict[str, Any] = {"prefix": prefix, "length": len(prefix), "after": after, "limit_": limit}
        if parent is not None or not recursive:
            statement = _LIST_BELOW if recursive else _LIST_CHILDREN
            values["parent_"] = parent or ""
        return [_group(row) for row in tx.all(statement, account_=account, **values)]

    def join(self, tx: Tx, account: str, group: ThingGroup, thing: str) -> None:
        """Make the thing a member; it must not be one."""
        tx.run(_INSERT_MEMBER, account=account, group_name=group.name, thing=thing, root=group.root, joined_at=tx.now)
        self._move(tx, account, group.name, (thing,), joined=True)

    def leave(self, tx: Tx, account: str, group: str, thing: str) -> bool:
        """Take the thing out of the group; tell whether it was in it."""
        if not tx.run(_DELETE_MEMBER, account_=account, name_=group, thing_=thing):
            return False
        self._move(tx, account, group, (thing,), joined=False)
        return True

    def leave_all(self, tx: Tx, account: str, thing: str) -> None:
        """Take the thing out of every group that it is in; nothing when it is in none."""
        for group, _ in self.memberships(tx, account, thing):
            self.leave(tx, account, group, thing)

    def is_member(self, tx: Tx, account: str, group: str, thing: str) -> bool:
        """Tell whether the thing is directly in the group."""
        return tx.one(_IS_MEMBER, account_=account, name_=group, thing_=thing) is not None

    def memberships(
        self, tx: Tx, account: str, thing: str, *, after: str = "", limit: int = ALL
    ) -> Sequence[tuple[str, str]]:
        """Answer (group, root of its tree) of each group that the thing is directly in, by name."""
        rows = tx.all(_MEMBERSHIPS, account_=account, thing_=thing, after=after, limit_=limit)
        return [(row.group_name, row.root) for row in rows]

    def groups_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is directly in, by name."""
        return [group for group, _ in self.memberships(tx, account, thing)]

    def groups_of_some(self, tx: Tx, account: str, things: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Answer the groups that each of the things is directly in, by name; at most 500 things."""
        found: dict[str, list[str]] = {}
        for row in tx.all(_MEMBERSHIPS_OF_SOME, account_=account, things=list(things)) if things else ():
            found.setdefault(row.thing, []).append(row.group_name)
        return found

    def lines_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is in and all groups above them, by name."""
        return [row.above for row in tx.all(_LINES_OF_THING, account_=account, thing_=thing)]

    def line_of(self, tx: Tx, account: str, group: str) -> Sequence[str]:
        """Answer the group and all groups above it, by name; nothing when there is no such group."""
        return [row.above for row in tx.all(_LINE, account_=account, name_=group)]

    def things_in(
        self, tx: Tx, account: str, group: str, *, recursive: bool = False, after: str = "", limit: int = ALL
    ) -> Sequence[str]:
        """Answer the things in the group by name, `recursive` also those in groups below it."""
        statement = _MEMBERS_BELOW if recursive else _MEMBERS
        return [row.thing for row in tx.all(statement, account_=account, name_=group, after=after, limit_=limit)]

    def _move(self, tx: Tx, account: str, group: str, things: Sequence[str], *, joined: bool) -> None:
        rows = [(thing, {"thing": thing, "group": group, "joined": joined}) for thing in things]
        tx.follow_up_many(FOLLOW_UP, account=account, rows=rows)
        if self._moved is not None:
            for thing in things:
                self._moved(tx, account, thing)
        if self._watcher is not None and things and self._watcher.wants_members(account):
            there = self.get(tx, account, group)
            if there is not None:
                self._watcher.members_moved(tx, account, there, things, joined=joined)


def _columns(group: ThingGroup) -> Mapping[str, Any]:
    return {
        "description": group.description,
        "attributes": json.dumps(dict(group.attributes)),
        "version": group.version,
        "query": group.query,
        "status": None if group.status is None else group.status.value,
    }


def _group(row: Row[Any]) -> ThingGroup:
    return ThingGroup(
        name=row.name,
        id=row.id,
        line=tuple(json.loads(row.line)),
        description=row.description,
        attributes=json.loads(row.attributes),
        version=row.version,
        created_at=row.created_at,
        query=row.query,
        status=None if row.status is None else Status(row.status),
    )
