"""The rows of inline policies and attachments; also what others may ask about them."""

from typing import Any, Final, Protocol

from sqlalchemy import Column, Index, String, Table, Text, bindparam, delete, func, insert, select

from hedgerow.services.iam.entities import Kind
from hedgerow.store import Tx, metadata

inline_policies = Table(
    "iam_inline_policy",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("entity", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("document", Text, nullable=False),
)
attachments = Table(
    "iam_attachment",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("entity", String(64), primary_key=True),
    Column("policy", String(2048), primary_key=True),
)
Index("ix_iam_attachment_policy", attachments.c.account, attachments.c.policy)

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
_COUNTS = (
    select(attachments.c.policy, func.count().label("entities"))
    .where(attachments.c.account == _ACCOUNT)
    .group_by(attachments.c.policy)
)
_COUNT = select(func.count()).where(attachments.c.account == _ACCOUNT, attachments.c.policy == _NAME)


class EntityPolicyStore:
    """What one role or user holds."""

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


class AttachmentReader:
    """What other subjects ask about attachments and inline policies."""

    def count(self, tx: Tx, account: str, arn: str) -> int:
        """Answer how many roles and users of the account have the managed policy."""
        row = tx.one(_COUNT, account_=account, name_=arn)
        return 0 if row is None else int(row[0])

    def counts(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer the same for all policies that somebody has, by ARN."""
        return {row.policy: row.entities for row in tx.all(_COUNTS, account_=account)}

    def has_attached(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether the role or user has a managed policy."""
        return bool(EntityPolicyStore(tx, account, kind, name).attached())

    def has_inline(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether the role or user has an inline policy."""
        return bool(EntityPolicyStore(tx, account, kind, name).inline())


class Documents(Protocol):
    """Reads managed policies."""

    def default_document(self, tx: Tx, account: str, arn: str) -> str | None:
        """Answer the text of the default version, None when there is no such policy."""
        ...


class EntityPolicyReader:
    """Answers all policies that a role or user has, for authorisation."""

    def __init__(self, *, managed: Documents) -> None:
        self._managed = managed

    def documents(self, tx: Tx, account: str, kind: Kind, name: str) -> list[tuple[str, str]]:
        """Answer (name or ARN, document) of every inline and managed policy."""
        store = EntityPolicyStore(tx, account, kind, name)
        found = list(store.inline().items())
        for arn in store.attached():
            document = self._managed.default_document(tx, account, arn)
            if document is not None:
                found.append((arn, document))
        return found
