"""The rows of users; also what other subjects may ask about them."""

import json
from typing import Any, Final

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.services.iam.users.model import User
from hedgerow.store import Tx, metadata

users = Table(
    "iam_user",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("path", String(512), nullable=False),
    Column("id", String(32), nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_OWN = (users.c.account == _ACCOUNT) & (users.c.name == bindparam("name_"))

_GET = select(users).where(_OWN)
_LIST = select(users).where(users.c.account == _ACCOUNT).order_by(users.c.name)
_INSERT = insert(users)
_RENAME = update(users).where(_OWN).values(name=bindparam("new_name"), path=bindparam("new_path"))
_TAG = update(users).where(_OWN).values(tags=bindparam("tags_"))
_DELETE = delete(users).where(_OWN)


class UserStore:
    """The users of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self, name: str) -> User | None:
        row = self._tx.one(_GET, account_=self._account, name_=name)
        return None if row is None else _user(row)

    def all(self) -> list[User]:
        return [_user(row) for row in self._tx.all(_LIST, account_=self._account)]

    def add(self, user: User) -> None:
        self._tx.run(
            _INSERT,
            account=user.account,
            name=user.name,
            path=user.path,
            id=user.id,
            tags=json.dumps(user.tags),
            created_at=user.created_at,
        )

    def rename(self, name: str, new: User) -> None:
        """Give the user another name and path."""
        self._tx.run(_RENAME, account_=self._account, name_=name, new_name=new.name, new_path=new.path)

    def tag(self, name: str, tags: dict[str, str]) -> None:
        """Give the user these tags and no others."""
        self._tx.run(_TAG, account_=self._account, name_=name, tags_=json.dumps(tags))

    def delete(self, name: str) -> None:
        self._tx.run(_DELETE, account_=self._account, name_=name)


class UserReader:
    """What other subjects ask about users."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Answer whether the account has a user of that name."""
        return UserStore(tx, account).get(name) is not None

    def arn_of(self, tx: Tx, account: str, name: str) -> str | None:
        """Answer the user's ARN, or None."""
        user = self.find(tx, account, name)
        return None if user is None else user.arn

    def all(self, tx: Tx, account: str) -> list[User]:
        """Answer all users, sorted by name."""
        return UserStore(tx, account).all()

    def find(self, tx: Tx, account: str, name: str) -> User | None:
        """Answer the user, or None."""
        return UserStore(tx, account).get(name)


def _user(row: Row[Any]) -> User:
    return User(
        account=row.account,
        name=row.name,
        path=row.path,
        id=row.id,
        tags=json.loads(row.tags),
        created_at=row.created_at,
    )
