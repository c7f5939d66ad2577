"""The rows of roles; also what other subjects may ask about them."""

import json
from typing import Any, Final

from sqlalchemy import Column, Float, Integer, Row, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.core.arn import parse
from hedgerow.services.iam.roles.model import Role
from hedgerow.store import Tx, metadata

roles = Table(
    "iam_role",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("path", String(512), nullable=False),
    Column("id", String(32), nullable=False),
    Column("trust", Text, nullable=False),
    Column("description", Text),
    Column("max_session_s", Integer, nullable=False),
    Column("tags", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("principal_ids", Text),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_OWN = (roles.c.account == _ACCOUNT) & (roles.c.name == bindparam("name_"))

_GET = select(roles).where(_OWN)
_LIST = select(roles).where(roles.c.account == _ACCOUNT).order_by(roles.c.name)
_INSERT = insert(roles)
_UPDATE = (
    update(roles)
    .where(_OWN)
    .values(
        trust=bindparam("trust_"),
        principal_ids=bindparam("principal_ids_"),
        description=bindparam("description_"),
        max_session_s=bindparam("max_session_s_"),
        tags=bindparam("tags_"),
    )
)
_TRUSTING = select(roles).where(roles.c.principal_ids.like(bindparam("like_")))  # of all accounts
_DELETE = delete(roles).where(_OWN)


class RoleStore:
    """The roles of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self, name: str) -> Role | None:
        row = self._tx.one(_GET, account_=self._account, name_=name)
        return None if row is None else _role(row)

    def all(self) -> list[Role]:
        return [_role(row) for row in self._tx.all(_LIST, account_=self._account)]

    def add(self, role: Role) -> None:
        self._tx.run(
            _INSERT,
            account=role.account,
            name=role.name,
            path=role.path,
            id=role.id,
            trust=role.trust,
            description=role.description,
            max_session_s=role.max_session_s,
            tags=json.dumps(role.tags),
            created_at=role.created_at,
            principal_ids=json.dumps(dict(role.principal_ids)),
        )

    def put(self, role: Role) -> None:
        self._tx.run(
            _UPDATE,
            account_=self._account,
            name_=role.name,
            trust_=role.trust,
            principal_ids_=json.dumps(dict(role.principal_ids)),
            description_=role.description,
            max_session_s_=role.max_session_s,
            tags_=json.dumps(role.tags),
        )

    def delete(self, name: str) -> None:
        self._tx.run(_DELETE, account_=self._account, name_=name)


class RoleReader:
    """What other subjects ask about roles."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Answer whether the account has a role of that name."""
        return RoleStore(tx, account).get(name) is not None

    def arn_of(self, tx: Tx, account: str, name: str) -> str | None:
        """Answer the role's ARN, or None."""
        role = self.find(tx, account, name)
        return None if role is None else role.arn

    def find(self, tx: Tx, account: str, name: str) -> Role | None:
        """Answer the role, or None."""
        return RoleStore(tx, account).get(name)

    def all(self, tx: Tx, account: str) -> list[Role]:
        """Answer all roles, sorted by name."""
        return RoleStore(tx, account).all()

    def rename_principal(self, tx: Tx, identifier: str, *, old: str, new: str) -> None:
        """Let the trust policies of all accounts that mean this principal call it by its new ARN."""
        for row in tx.all(_TRUSTING, like_=f'%"{identifier}"%'):
            role = _role(row)
            if role.principal_ids.get(old) == identifier:
                RoleStore(tx, role.account).put(role.trusting(old, new))

    def by_arn(self, tx: Tx, account: str, arn: str) -> Role | None:
        """Answer the account's role with this ARN, or None."""
        parsed = parse(arn)
        if parsed is None or parsed.service != "iam" or parsed.account != account:
            return None
        role = self.find(tx, account, parsed.resource.rpartition("/")[2])
        return role if role is not None and role.arn == arn else None


def _role(row: Row[Any]) -> Role:
    return Role(
        account=row.account,
        name=row.name,
        path=row.path,
        id=row.id,
        trust=row.trust,
        description=row.description,
        max_session_s=row.max_session_s,
        tags=json.loads(row.tags),
        created_at=row.created_at,
        principal_ids=json.loads(row.principal_ids or "{}"),
    )
