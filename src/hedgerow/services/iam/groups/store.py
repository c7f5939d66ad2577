"""The rows of groups and their members; also what other subjects may ask about them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Index, Row, String, Table, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iam.groups.model import Group
from hedgerow.store import Tx, metadata

groups = Table(
    "iam_group",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("path", String(512), nullable=False),
    Column("id", String(32), nullable=False),
    Column("created_at", Float, nullable=False),
)
members = Table(
    "iam_group_member",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("group_name", String(128), primary_key=True),
    Column("user_name", String(64), primary_key=True),
)
Index("ix_iam_group_member_user", members.c.account, members.c.user_name, members.c.group_name)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_USER: Final[Any] = bindparam("user_")
_OWN: Final = (groups.c.account == _ACCOUNT) & (groups.c.name == _NAME)
_GET = select(groups).where(_OWN)
_LIST = select(groups).where(groups.c.account == _ACCOUNT).order_by(groups.c.name)
_INSERT = insert(groups)
_DELETE = delete(groups).where(_OWN)
_CHANGE = update_rows(groups).where(_OWN).values(name=bindparam("new_name"), path=bindparam("new_path"))
_IN: Final = (members.c.account == _ACCOUNT) & (members.c.group_name == _NAME)
_MEMBERS = select(members.c.user_name).where(_IN).order_by(members.c.user_name)
_MOVE_GROUP = update_rows(members).where(_IN).values(group_name=bindparam("new_name"))
_OF_USER: Final = (members.c.account == _ACCOUNT) & (members.c.user_name == _USER)
_GROUPS_OF = select(members.c.group_name).where(_OF_USER).order_by(members.c.group_name)
_MOVE_USER = update_rows(members).where(_OF_USER).values(user_name=bindparam("new_name"))
_JOIN = insert(members)
_LEAVE = delete(members).where(_IN, members.c.user_name == _USER)


class GroupStore:
    """The groups of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self, name: str) -> Group | None:
        row = self._tx.one(_GET, account_=self._account, name_=name)
        return None if row is None else _group(row)

    def all(self) -> list[Group]:
        return [_group(row) for row in self._tx.all(_LIST, account_=self._account)]

    def add(self, group: Group) -> None:
        self._tx.run(
            _INSERT,
            account=group.account,
            name=group.name,
            path=group.path,
            id=group.id,
            created_at=group.created_at,
        )

    def change(self, name: str, new: Group) -> None:
        """Give the group another name and path; its members stay."""
        self._tx.run(_CHANGE, account_=self._account, name_=name, new_name=new.name, new_path=new.path)
        self._tx.run(_MOVE_GROUP, account_=self._account, name_=name, new_name=new.name)

    def delete(self, name: str) -> None:
        self._tx.run(_DELETE, account_=self._account, name_=name)

    def members(self, name: str) -> list[str]:
        """Answer the names of the users in the group."""
        return [row[0] for row in self._tx.all(_MEMBERS, account_=self._account, name_=name)]

    def join(self, name: str, user: str) -> None:
        self._tx.run(_JOIN, account=self._account, group_name=name, user_name=user)

    def leave(self, name: str, user: str) -> bool:
        """Take the user out; tell whether it was in."""
        return self._tx.run(_LEAVE, account_=self._account, name_=name, user_=user) > 0

    def groups_of(self, user: str) -> list[str]:
        """Answer the names of the user's groups."""
        return [row[0] for row in self._tx.all(_GROUPS_OF, account_=self._account, user_=user)]

    def rename_user(self, user: str, new: str) -> None:
        """The user is called otherwise from now on."""
        self._tx.run(_MOVE_USER, account_=self._account, user_=user, new_name=new)


class GroupReader:
    """What other subjects ask about groups."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Answer whether the account has a group of that name."""
        return GroupStore(tx, account).get(name) is not None

    def arn_of(self, tx: Tx, account: str, name: str) -> str | None:
        """Answer the group's ARN, or None."""
        group = GroupStore(tx, account).get(name)
        return None if group is None else group.arn

    def groups_of(self, tx: Tx, account: str, user: str) -> Sequence[str]:
        """Answer the names of the groups that the user is in."""
        return GroupStore(tx, account).groups_of(user)

    def find(self, tx: Tx, account: str, name: str) -> Group | None:
        """Answer the group, or None."""
        return GroupStore(tx, account).get(name)

    def all(self, tx: Tx, account: str) -> list[Group]:
        """Answer all groups, sorted by name."""
        return GroupStore(tx, account).all()

    def rename_user(self, tx: Tx, account: str, user: str, new: str) -> None:
        """The user is called otherwise from now on, and stays in its groups."""
        GroupStore(tx, account).rename_user(user, new)


def _group(row: Row[Any]) -> Group:
    return Group(account=row.account, name=row.name, path=row.path, id=row.id, created_at=row.created_at)
