"""The rows of inline policies, attachments and boundaries; also what others may ask about them."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Column, Index, String, Table, Text, bindparam, delete, func, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.entity_policies.errors import NotAttachable
from hedgerow.store import Tx, metadata

inline_policies = Table(
    "iam_inline_policy",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("entity", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("document", Text, nullable=False),
)
attachments = Table(
    "iam_attachment",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("entity", String(128), primary_key=True),
    Column("policy", String(2048), primary_key=True),
)
Index("ix_iam_attachment_policy", attachments.c.account, attachments.c.policy)
boundaries = Table(
    "iam_boundary",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("entity", String(128), primary_key=True),
    Column("policy", String(2048), nullable=False),
)
Index("ix_iam_boundary_policy", boundaries.c.account, boundaries.c.policy)

_ACCOUNT: Final[Any] = bindparam("account_")
_KIND: Final[Any] = bindparam("kind_")
_ENTITY: Final[Any] = bindparam("entity_")
_NAME: Final[Any] = bindparam("name_")
_OF_INLINE = (
    (inline_policies.c.account == _ACCOUNT) & (inline_policies.c.kind == _KIND) & (inline_policies.c.entity == _ENTITY)
)
_OF_ATTACHED = (attachments.c.account == _ACCOUNT) & (attachments.c.kind == _KIND) & (attachments.c.entity == _ENTITY)

_INLINE = select(inline_policies.c.name, inline_policies.c.document).where(_OF_INLINE).order_by(inline_policies.c.name)
_INSERT_INLINE = insert(inline_policies)
_DELETE_INLINE = delete(inline_policies).where(_OF_INLINE, inline_policies.c.name == _NAME)
_ATTACHED = select(attachments.c.policy).where(_OF_ATTACHED).order_by(attachments.c.policy)
_INSERT_ATTACHED = insert(attachments)
_DELETE_ATTACHED = delete(attachments).where(_OF_ATTACHED, attachments.c.policy == _NAME)
_OF_BOUNDARY = (boundaries.c.account == _ACCOUNT) & (boundaries.c.kind == _KIND) & (boundaries.c.entity == _ENTITY)
_BOUNDARY = select(boundaries.c.policy).where(_OF_BOUNDARY)
_INSERT_BOUNDARY = insert(boundaries)
_DELETE_BOUNDARY = delete(boundaries).where(_OF_BOUNDARY)
_BOUNDED = (
    select(boundaries.c.policy, func.count().label("entities"))
    .where(boundaries.c.account == _ACCOUNT)
    .group_by(boundaries.c.policy)
)
_RENAMES = tuple(
    update_rows(table)
    .where(table.c.account == _ACCOUNT, table.c.kind == _KIND, table.c.entity == _ENTITY)
    .values(entity=bindparam("new_name"))
    for table in (inline_policies, attachments, boundaries)
)
_COUNTS = (
    select(attachments.c.policy, func.count().label("entities"))
    .where(attachments.c.account == _ACCOUNT)
    .group_by(attachments.c.policy)
)
_COUNT = select(func.count()).where(attachments.c.account == _ACCOUNT, attachments.c.policy == _NAME)
_HOLDERS = tuple(
    select(table.c.kind, table.c.entity).where(table.c.account == _ACCOUNT, table.c.policy == _NAME)
    for table in (attachments, boundaries)
)


class EntityPolicyStore:
    """What one role, user or group holds."""

    def __init__(self, tx: Tx, account: str, kind: Kind, entity: str) -> None:
        self._tx = tx
        self._key = {"account_": account, "kind_": kind.value, "entity_": entity}
        self._columns = {"account": account, "kind": kind.value, "entity": entity}

    def inline(self) -> dict[str, str]:
        """Answer the inline documents by name."""
        return {row.name: row.document for row in self._tx.all(_INLINE, **self._key)}

    def put_inline(self, name: str, document: str) -> None:
        self.delete_inline(name)
        self._tx.run(_INSERT_INLINE, **self._columns, name=name, document=document)

    def delete_inline(self, name: str) -> bool:
        return self._tx.run(_DELETE_INLINE, **self._key, name_=name) > 0

    def attached(self) -> list[str]:
        """Answer the ARNs of the managed policies."""
        return [row.policy for row in self._tx.all(_ATTACHED, **self._key)]

    def attach(self, arn: str) -> None:
        self._tx.run(_INSERT_ATTACHED, **self._columns, policy=arn)

    def detach(self, arn: str) -> bool:
        return self._tx.run(_DELETE_ATTACHED, **self._key, name_=arn) > 0

    def rename(self, new: str) -> None:
        """The role, user or group is called otherwise from now on."""
        for statement in _RENAMES:
            self._tx.run(statement, **self._key, new_name=new)


class BoundaryStore:
    """The permissions boundaries of roles and users. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, kind: Kind, name: str) -> str | None:
        """Answer the ARN of the managed policy that bounds it, or None."""
        row = tx.one(_BOUNDARY, account_=account, kind_=kind.value, entity_=name)
        return None if row is None else str(row[0])

    def put(self, tx: Tx, account: str, kind: Kind, name: str, arn: str) -> None:
        """Bound it by this policy alone."""
        self.forget(tx, account, kind, name)
        tx.run(_INSERT_BOUNDARY, account=account, kind=kind.value, entity=name, policy=arn)

    def forget(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Let it be bounded no longer; tell whether it was."""
        return tx.run(_DELETE_BOUNDARY, account_=account, kind_=kind.value, entity_=name) > 0

    def uses(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer how many roles and users each policy bounds, by ARN."""
        return {row.policy: row.entities for row in tx.all(_BOUNDED, account_=account)}


class Existing(Protocol):
    """Knows which managed policies there are."""

    def exists(self, tx: Tx, account: str, arn: str) -> bool:
        """Answer whether the account sees a managed policy with this ARN."""
        ...


class AttachmentReader:
    """What other subjects ask about attachments, inline policies and boundaries, and leave to this one."""

    def __init__(self, *, managed: Existing) -> None:
        self._managed = managed
        self._boundaries = BoundaryStore()

    def count(self, tx: Tx, account: str, arn: str) -> int:
        """Answer how many roles and users of the account have the managed policy."""
        row = tx.one(_COUNT, account_=account, name_=arn)
        return 0 if row is None else int(row[0])

    def counts(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer the same for all policies that somebody has, by ARN."""
        return {row.policy: row.entities for row in tx.all(_COUNTS, account_=account)}

    def bounds(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer how many roles and users of the account each managed policy bounds, by ARN."""
        return self._boundaries.uses(tx, account)

    def boundary(self, tx: Tx, account: str, kind: Kind, name: str) -> str | None:
        """Answer the ARN of the managed policy that bounds the role or user, or None."""
        return self._boundaries.get(tx, account, kind, name)

    def bind(self, tx: Tx, account: str, kind: Kind, name: str, arn: str | None) -> None:
        """Bound the role or user, or (None) let it be bounded no longer; raises NotAttachable."""
        if arn is None:
            self._boundaries.forget(tx, account, kind, name)
        elif self._managed.exists(tx, account, arn):
            self._boundaries.put(tx, account, kind, name, arn)
        else:
            raise NotAttachable(arn)

    def rename(self, tx: Tx, account: str, kind: Kind, name: str, new: str) -> None:
        """The role, user or group is called otherwise from now on; its policies stay."""
        EntityPolicyStore(tx, account, kind, name).rename(new)

    def has_attached(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether the role or user has a managed policy."""
        return bool(EntityPolicyStore(tx, account, kind, name).attached())

    def has_inline(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether the role or user has an inline policy."""
        return bool(EntityPolicyStore(tx, account, kind, name).inline())


class Holders:
    """Finds who has a managed policy, and what somebody holds. It holds nothing itself."""

    def of_policy(self, tx: Tx, account: str, arn: str, *, bounding: bool) -> list[tuple[Kind, str]]:
        """Answer (kind, name) of those whom the policy is attached to, or (bounding) whom it bounds."""
        statement = _HOLDERS[1 if bounding else 0]
        return [(Kind(row.kind), row.entity) for row in tx.all(statement, account_=account, name_=arn)]

    def inline(self, tx: Tx, account: str, kind: Kind, name: str) -> dict[str, str]:
        """Answer the inline documents of a role, user or group, by name."""
        return EntityPolicyStore(tx, account, kind, name).inline()

    def attached(self, tx: Tx, account: str, kind: Kind, name: str) -> list[str]:
        """Answer the ARNs of its managed policies."""
        return EntityPolicyStore(tx, account, kind, name).attached()


class Documents(Protocol):
    """Reads managed policies."""

    def default_document(self, tx: Tx, account: str, arn: str) -> str | None:
        """Answer the text of the default version, None when there is no such policy."""
        ...


class Memberships(Protocol):
    """Knows the groups of users."""

    def groups_of(self, tx: Tx, account: str, user: str) -> Sequence[str]:
        """Answer the names of the groups that the user is in."""
        ...


class EntityPolicyReader:
    """Answers all policies that a role or user has, for authorisation."""

    def __init__(self, *, managed: Documents, groups: Memberships) -> None:
        self._managed = managed
        self._groups = groups

    def documents(self, tx: Tx, account: str, kind: Kind, name: str) -> list[tuple[str, str]]:
        """Answer (name or ARN, document) of every inline and managed policy, those of a user's groups too."""
        found = self._own(tx, account, kind, name)
        if kind is Kind.USER:
            for group in self._groups.groups_of(tx, account, name):
                own = self._own(tx, account, Kind.GROUP, group)
                found += [(f"{policy} of group {group}", document) for policy, document in own]
        return found

    def boundary(self, tx: Tx, account: str, kind: Kind, name: str) -> list[tuple[str, str]] | None:
        """Answer (ARN, document) of what bounds it, None when nothing does. A policy that is gone allows nothing."""
        arn = BoundaryStore().get(tx, account, kind, name)
        if arn is None:
            return None
        document = self._managed.default_document(tx, account, arn)
        return [] if document is None else [(arn, document)]

    def _own(self, tx: Tx, account: str, kind: Kind, name: str) -> list[tuple[str, str]]:
        store = EntityPolicyStore(tx, account, kind, name)
        found = list(store.inline().items())
        for arn in store.attached():
            document = self._managed.default_document(tx, account, arn)
            if document is not None:
                found.append((arn, document))
        return found
