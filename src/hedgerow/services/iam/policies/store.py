"""The rows of managed policies and versions; also what others may ask about them."""

import json
from typing import Any, Final

from sqlalchemy import Column, Float, Integer, Row, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.core.arn import parse
from hedgerow.services.iam.policies.managed import MANAGED
from hedgerow.services.iam.policies.model import Policy, Version
from hedgerow.store import Tx, metadata

policies = Table(
    "iam_policy",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("path", String(512), nullable=False),
    Column("id", String(32), nullable=False),
    Column("description", Text),
    Column("tags", Text, nullable=False),
    Column("default_version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
versions = Table(
    "iam_policy_version",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_NUMBER: Final[Any] = bindparam("number_")
_OWN = (policies.c.account == _ACCOUNT) & (policies.c.name == _NAME)
_VERSIONS = (versions.c.account == _ACCOUNT) & (versions.c.name == _NAME)

_GET = select(policies).where(_OWN)
_LIST = select(policies).where(policies.c.account == _ACCOUNT).order_by(policies.c.name)
_INSERT = insert(policies)
_SET = (
    update(policies)
    .where(_OWN)
    .values(default_version=bindparam("default_"), last_version=bindparam("last_"), updated_at=bindparam("now_"))
)
_TAG = update(policies).where(_OWN).values(tags=bindparam("tags_"))
_DELETE = delete(policies).where(_OWN)
_GET_VERSION = select(versions).where(_VERSIONS, versions.c.number == _NUMBER)
_LIST_VERSIONS = select(versions).where(_VERSIONS).order_by(versions.c.number.desc())
_INSERT_VERSION = insert(versions)
_DELETE_VERSION = delete(versions).where(_VERSIONS, versions.c.number == _NUMBER)
_DELETE_VERSIONS = delete(versions).where(_VERSIONS)


class PolicyStore:
    """The managed policies that one account sees: its own, and AWS's."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self, arn: str) -> Policy | None:
        if arn in MANAGED:
            return MANAGED[arn][0]
        parsed = parse(arn)
        if parsed is None or parsed.account != self._account:
            return None
        policy = self.named(parsed.resource.rpartition("/")[2])
        return policy if policy is not None and policy.arn == arn else None

    def named(self, name: str) -> Policy | None:
        row = self._tx.one(_GET, account_=self._account, name_=name)
        return None if row is None else _policy(row)

    def own(self) -> list[Policy]:
        return [_policy(row) for row in self._tx.all(_LIST, account_=self._account)]

    def add(self, policy: Policy, document: str) -> None:
        self._tx.run(
            _INSERT,
            account=policy.account,
            name=policy.name,
            path=policy.path,
            id=policy.id,
            description=policy.description,
            tags=json.dumps(policy.tags),
            default_version=1,
            last_version=1,
            created_at=policy.created_at,
            updated_at=policy.updated_at,
        )
        self._add_version(policy.name, 1, document)

    def tag(self, name: str, tags: dict[str, str]) -> None:
        """Give the policy these tags and no others."""
        self._tx.run(_TAG, account_=self._account, name_=name, tags_=json.dumps(tags))

    def delete(self, name: str) -> None:
        self._tx.run(_DELETE_VERSIONS, account_=self._account, name_=name)
        self._tx.run(_DELETE, account_=self._account, name_=name)

    def add_version(self, policy: Policy, document: str, *, default: bool) -> Version:
        row = self._tx.one(_GET, account_=self._account, name_=policy.name)
        number = int(row.last_version) + 1 if row is not None else 1
        self._set(policy.name, number if default else policy.default_version, number)
        return self._add_version(policy.name, number, document)

    def set_default(self, policy: Policy, number: int) -> None:
        row = self._tx.one(_GET, account_=self._account, name_=policy.name)
        self._set(policy.name, number, int(row.last_version) if row is not None else number)

    def _set(self, name: str, default: int, last: int) -> None:
        self._tx.run(_SET, account_=self._account, name_=name, default_=default, last_=last, now_=self._tx.now)

    def _add_version(self, name: str, number: int, document: str) -> Version:
        version = Version(number=number, document=document, created_at=self._tx.now)
        self._tx.run(
            _INSERT_VERSION,
            account=self._account,
            name=name,
            number=number,
            document=document,
            created_at=version.created_at,
        )
        return version

    def version(self, policy: Policy, number: int) -> Version | None:
        if policy.arn in MANAGED:
            return MANAGED[policy.arn][1] if number == 1 else None
        row = self._tx.one(_GET_VERSION, account_=self._account, name_=policy.name, number_=number)
        return None if row is None else _version(row)

    def versions(self, policy: Policy) -> list[Version]:
        """Answer the versions, newest first."""
        if policy.arn in MANAGED:
            return [MANAGED[policy.arn][1]]
        return [_version(row) for row in self._tx.all(_LIST_VERSIONS, account_=self._account, name_=policy.name)]

    def delete_version(self, policy: Policy, number: int) -> None:
        self._tx.run(_DELETE_VERSION, account_=self._account, name_=policy.name, number_=number)


class ManagedPolicyReader:
    """What other subjects ask about managed policies."""

    def exists(self, tx: Tx, account: str, arn: str) -> bool:
        """Answer whether the account sees a managed policy with this ARN."""
        return PolicyStore(tx, account).get(arn) is not None

    def own(self, tx: Tx, account: str) -> list[Policy]:
        """Answer the policies that the account made, sorted by name."""
        return PolicyStore(tx, account).own()

    def get(self, tx: Tx, account: str, arn: str) -> Policy | None:
        """Answer the policy with this ARN, AWS's too, or None."""
        return PolicyStore(tx, account).get(arn)

    def versions(self, tx: Tx, account: str, arn: str) -> list[Version]:
        """Answer the versions of a policy, newest first."""
        store = PolicyStore(tx, account)
        policy = store.get(arn)
        return [] if policy is None else store.versions(policy)

    def default_document(self, tx: Tx, account: str, arn: str) -> str | None:
        """Answer the text of the default version, None when there is no such policy."""
        store = PolicyStore(tx, account)
        policy = store.get(arn)
        version = None if policy is None else store.version(policy, policy.default_version)
        return None if version is None else version.document


def _policy(row: Row[Any]) -> Policy:
    return Policy(
        account=row.account,
        name=row.name,
        path=row.path,
        id=row.id,
        description=row.description,
        tags=json.loads(row.tags),
        default_version=row.default_version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _version(row: Row[Any]) -> Version:
    return Version(number=row.number, document=row.document, created_at=row.created_at)
