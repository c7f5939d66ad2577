"""The rows of IoT policies, their versions and where they are attached; also what others ask about rights.

A target is a certificate id, or `thinggroup/<name>`.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.policies.model import IotPolicy, PolicyVersion
from hedgerow.services.iot.principals import GROUP
from hedgerow.store import Tx, metadata

policies = Table(
    "iot_policy",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("default_version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False),
    Column("generation", String(36), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
Index("ix_iot_policy_created_at", policies.c.account, policies.c.created_at, policies.c.name)

versions = Table(
    "iot_policy_version",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("policy", String(128), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("document", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

attachments = Table(
    "iot_policy_attachment",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("target", String(256), primary_key=True),
    Column("policy", String(128), primary_key=True),
)
Index("ix_iot_policy_attachment_policy", attachments.c.account, attachments.c.policy, attachments.c.target)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_NUMBER: Final[Any] = bindparam("number_")
_TARGET: Final[Any] = bindparam("target_")
_TARGETS: Final[Any] = bindparam("targets", expanding=True)
_AT: Final[Any] = bindparam("at")
_AFTER: Final[Any] = bindparam("after")
_LIMIT: Final[Any] = bindparam("limit_")

_GET = select(policies).where(policies.c.account == _ACCOUNT, policies.c.name == _NAME)
_INSERT = insert(policies)
_UPDATE = update_rows(policies).where(policies.c.account == _ACCOUNT, policies.c.name == _NAME)
_DELETE = delete(policies).where(policies.c.account == _ACCOUNT, policies.c.name == _NAME)
_LIST = select(policies).where(policies.c.account == _ACCOUNT).limit(_LIMIT)
_NEWEST = _LIST.order_by(policies.c.created_at.desc(), policies.c.name.desc())
_NEWEST_AFTER = _NEWEST.where(
    or_(policies.c.created_at < _AT, and_(policies.c.created_at == _AT, policies.c.name < _AFTER))
)
_OLDEST = _LIST.order_by(policies.c.created_at, policies.c.name)
_OLDEST_AFTER = _OLDEST.where(
    or_(policies.c.created_at > _AT, and_(policies.c.created_at == _AT, policies.c.name > _AFTER))
)

_VERSIONS = (
    select(versions)
    .where(versions.c.account == _ACCOUNT, versions.c.policy == _NAME)
    .order_by(versions.c.number.desc())
)
_VERSION = _VERSIONS.where(versions.c.number == _NUMBER)
_INSERT_VERSION = insert(versions)
_DELETE_VERSION = delete(versions).where(
    versions.c.account == _ACCOUNT, versions.c.policy == _NAME, versions.c.number == _NUMBER
)
_DELETE_VERSIONS = delete(versions).where(versions.c.account == _ACCOUNT, versions.c.policy == _NAME)

_INSERT_ATTACHMENT = insert(attachments)
_ATTACHMENT = select(attachments).where(
    attachments.c.account == _ACCOUNT, attachments.c.target == _TARGET, attachments.c.policy == _NAME
)
_DELETE_ATTACHMENT = delete(attachments).where(
    attachments.c.account == _ACCOUNT, attachments.c.target == _TARGET, attachments.c.policy == _NAME
)
_DETACH_ALL = delete(attachments).where(attachments.c.account == _ACCOUNT, attachments.c.target == _TARGET)
_ATTACHED = (
    select(attachments.c.policy)
    .where(attachments.c.account == _ACCOUNT, attachments.c.target.in_(_TARGETS), attachments.c.policy > _AFTER)
    .distinct()
    .order_by(attachments.c.policy)
    .limit(_LIMIT)
)
_TARGETS_OF = (
    select(attachments.c.target)
    .where(attachments.c.account == _ACCOUNT, attachments.c.policy == _NAME, attachments.c.target > _AFTER)
    .order_by(attachments.c.target)
    .limit(_LIMIT)
)
_DOCUMENTS = (
    select(policies.c.name, versions.c.document)
    .join(versions, and_(versions.c.account == policies.c.account, versions.c.policy == policies.c.name))
    .where(
        versions.c.number == policies.c.default_version,
        policies.c.account == _ACCOUNT,
        select(attachments.c.policy)
        .where(
            attachments.c.account == policies.c.account,
            attachments.c.policy == policies.c.name,
            attachments.c.target.in_(_TARGETS),
        )
        .exists(),
    )
    .order_by(policies.c.name)
)
_PROVISIONING = (
    select(attachments.c.target)
    .join(policies, and_(policies.c.account == attachments.c.account, policies.c.name == attachments.c.policy))
    .join(
        versions,
        and_(
            versions.c.account == policies.c.account,
            versions.c.policy == policies.c.name,
            versions.c.number == policies.c.default_version,
        ),
    )
    .where(
        attachments.c.account == _ACCOUNT,
        attachments.c.target > _AFTER,
        attachments.c.target.not_like(GROUP + "%"),
        or_(versions.c.document.like("%$aws/certificates/create%"), versions.c.document.like("%$aws/provisioning-%")),
    )
    .distinct()
    .order_by(attachments.c.target)
    .limit(_LIMIT)
)

ALL: Final = 1_000_000  # as a page size: no paging wanted


class PolicyStore:
    """IoT policies in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, name: str) -> IotPolicy | None:
        """Answer the policy, or None."""
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _policy(row)

    def add(self, tx: Tx, account: str, policy: IotPolicy, document: str) -> None:
        """Write a new policy with its first version."""
        tx.run(_INSERT, account=account, name=policy.name, created_at=policy.created_at, **_columns(policy))
        self.add_version(tx, account, policy.name, policy.last_version, document)

    def put(self, tx: Tx, account: str, policy: IotPolicy) -> None:
        tx.run(_UPDATE, account_=account, name_=policy.name, **_columns(policy))

    def remove(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DELETE_VERSIONS, account_=account, name_=name)
        tx.run(_DELETE, account_=account, name_=name)

    def list(
        self, tx: Tx, account: str, *, after: tuple[Any, ...] = (), limit: int = ALL, ascending: bool = False
    ) -> Sequence[IotPolicy]:
        """Answer policies, newest first unless `ascending`, those after (created_at, name); () is the beginning."""
        values: dict[str, Any] = {"account_": account, "limit_": limit}
        statement: Any = _OLDEST if ascending else _NEWEST
        if after:
            statement = _OLDEST_AFTER if ascending else _NEWEST_AFTER
            values |= {"at": after[0], "after": after[1]}
        return [_policy(row) for row in tx.all(statement, **values)]

    def version(self, tx: Tx, account: str, name: str, number: int) -> PolicyVersion | None:
        """Answer one version, or None."""
        row = tx.one(_VERSION, account_=account, name_=name, number_=number)
        return None if row is None else _version(row)

    def versions(self, tx: Tx, account: str, name: str) -> Sequence[PolicyVersion]:
        """Answer the policy's versions, newest first."""
        return [_version(row) for row in tx.all(_VERSIONS, account_=account, name_=name)]

    def add_version(self, tx: Tx, account: str, name: str, number: int, document: str) -> None:
        tx.run(_INSERT_VERSION, account=account, policy=name, number=number, document=document, created_at=tx.now)

    def remove_version(self, tx: Tx, account: str, name: str, number: int) -> None:
        tx.run(_DELETE_VERSION, account_=account, name_=name, number_=number)

    def attach(self, tx: Tx, account: str, target: str, name: str) -> bool:
        """Attach the policy; tell whether it was not attached before."""
        if tx.one(_ATTACHMENT, account_=account, target_=target, name_=name) is not None:
            return False
        tx.run(_INSERT_ATTACHMENT, account=account, target=target, policy=name)
        return True

    def detach(self, tx: Tx, account: str, target: str, name: str) -> bool:
        """Detach the policy; tell whether it was attached."""
        return tx.run(_DELETE_ATTACHMENT, account_=account, target_=target, name_=name) > 0

    def detach_all(self, tx: Tx, account: str, target: str) -> None:
        """Take every policy off the target."""
        tx.run(_DETACH_ALL, account_=account, target_=target)

    def attached_to(
        self, tx: Tx, account: str, target: str, *others: str, after: str = "", limit: int = ALL
    ) -> Sequence[str]:
        """Answer the names of the policies on the target (and the other targets), in order."""
        rows = tx.all(_ATTACHED, account_=account, targets=[target, *others], after=after, limit_=limit)
        return [row.policy for row in rows]

    def targets_of(self, tx: Tx, account: str, name: str, *, after: str = "", limit: int = ALL) -> Sequence[str]:
        """Answer what the policy is attached to, in order."""
        return [row.target for row in tx.all(_TARGETS_OF, account_=account, name_=name, after=after, limit_=limit)]

    def provisioning_targets(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[str]:
        """Answer certificate ids, in order, with policies that speak of the provisioning topics, those after one."""
        return [row.target for row in tx.all(_PROVISIONING, account_=account, after=after, limit_=limit)]

    def documents_on(self, tx: Tx, account: str, targets: Iterable[str]) -> Sequence[tuple[str, str]]:
        """Answer (name, default document) of every policy on any of the targets, each once, by name.

        Thousands of connections share few documents: interned, each is there once.
        """
        return [
            (sys.intern(row.name), sys.intern(row.document))
            for row in tx.all(_DOCUMENTS, account_=account, targets=list(targets))
        ]


class Attached(Protocol):
    """One attachment between a thing and a principal."""

    @property
    def thing(self) -> str:
        """The thing's name."""
        ...


class Things(Protocol):
    """What rights need of things."""

    def things_of(self, tx: Tx, account: str, principal: str) -> Sequence[Attached]:
        """Answer the things that the certificate is attached to."""
        ...


class Groups(Protocol):
    """What rights need of thing groups."""

    def lines_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is in and all groups above them."""
        ...


class EffectivePolicies:
    """Reads what a certificate may do: its own policies, and those of the groups of its things up to their roots."""

    def __init__(self, *, policies: PolicyStore, things: Things, groups: Groups) -> None:
        self._policies = policies
        self._things = things
        self._groups = groups

    def of(
        self, tx: Tx, account: str, certificate_id: str | None, things: Iterable[str] | None = None
    ) -> Sequence[tuple[str, str]]:
        """Answer (policy name, document), each policy once, by name.

        `things` names the things that count, for a connection the one that it speaks for; None takes all things that
        the certificate is attached to. Without a certificate only groups count.
        """
        if things is None:
            links = self._things.things_of(tx, account, certificate_id) if certificate_id else ()
            things = [link.thing for link in links]
        targets = {GROUP + group for thing in things for group in self._groups.lines_of(tx, account, thing)}
        if certificate_id:
            targets.add(certificate_id)
        return self._policies.documents_on(tx, account, sorted(targets))

    def documents(
        self, tx: Tx, account: str, certificate_id: str, things: Iterable[str] | None = None
    ) -> tuple[str, ...]:
        """Answer the documents alone (see `of`)."""
        return tuple(document for _, document in self.of(tx, account, certificate_id, things))


def _columns(policy: IotPolicy) -> dict[str, Any]:
    return {
        "default_version": policy.default_version,
        "last_version": policy.last_version,
        "generation": policy.generation,
        "updated_at": policy.updated_at,
    }


def _policy(row: Row[Any]) -> IotPolicy:
    return IotPolicy(
        name=row.name,
        default_version=row.default_version,
        last_version=row.last_version,
        generation=row.generation,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _version(row: Row[Any]) -> PolicyVersion:
    return PolicyVersion(policy=row.policy, number=row.number, document=row.document, created_at=row.created_at)
