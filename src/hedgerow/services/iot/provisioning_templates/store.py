"""The rows of provisioning templates and their versions; also what enrolment asks."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Integer, Row, String, Table, Text, bindparam, delete, func, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.provisioning_templates.model import FLEET, Hook, ProvisioningTemplate, TemplateVersion
from hedgerow.store import Tx, metadata

templates = Table(
    "iot_provisioning_template",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(36), primary_key=True),
    Column("description", Text),
    Column("enabled", Integer, nullable=False),
    Column("role_arn", String(2048), nullable=False),
    Column("hook_arn", String(2048)),
    Column("hook_version", String(32)),
    Column("default_version", Integer, nullable=False),
    Column("last_version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("type", String(20), nullable=False, server_default=FLEET),
)

versions = Table(
    "iot_provisioning_template_version",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("template", String(36), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_NUMBER: Final[Any] = bindparam("number_")

_GET = select(templates).where(templates.c.account == _ACCOUNT, templates.c.name == _NAME)
_INSERT = insert(templates)
_UPDATE = update_rows(templates).where(templates.c.account == _ACCOUNT, templates.c.name == _NAME)
_DELETE = delete(templates).where(templates.c.account == _ACCOUNT, templates.c.name == _NAME)
_COUNT = select(func.count()).where(templates.c.account == _ACCOUNT)
_LIST = (
    select(templates)
    .where(templates.c.account == _ACCOUNT, templates.c.name > bindparam("after"))
    .order_by(templates.c.name)
    .limit(bindparam("limit_"))
)
_VERSIONS = (
    select(versions)
    .where(versions.c.account == _ACCOUNT, versions.c.template == _NAME, versions.c.number > bindparam("after"))
    .order_by(versions.c.number)
    .limit(bindparam("limit_"))
)
_VERSION = select(versions).where(
    versions.c.account == _ACCOUNT, versions.c.template == _NAME, versions.c.number == _NUMBER
)
_INSERT_VERSION = insert(versions)
_DELETE_VERSION = delete(versions).where(
    versions.c.account == _ACCOUNT, versions.c.template == _NAME, versions.c.number == _NUMBER
)
_DELETE_VERSIONS = delete(versions).where(versions.c.account == _ACCOUNT, versions.c.template == _NAME)

ALL: Final = 1_000_000  # as a page size: no paging wanted


class TemplateStore:
    """Provisioning templates in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, name: str) -> ProvisioningTemplate | None:
        """Answer the template (names are case-sensitive), or None."""
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _template(row)

    def count(self, tx: Tx, account: str) -> int:
        row = tx.one(_COUNT, account_=account)
        return 0 if row is None else int(row[0])

    def add(self, tx: Tx, account: str, template: ProvisioningTemplate, body: str) -> None:
        """Write a new template with its first version."""
        tx.run(
            _INSERT,
            account=account,
            name=template.name,
            type=template.type,
            created_at=template.created_at,
            **_columns(template),
        )
        self.add_version(tx, account, template.name, template.last_version, body)

    def put(self, tx: Tx, account: str, template: ProvisioningTemplate) -> None:
        tx.run(_UPDATE, account_=account, name_=template.name, **_columns(template))

    def remove(self, tx: Tx, account: str, name: str) -> None:
        """Delete a template with all its versions."""
        tx.run(_DELETE_VERSIONS, account_=account, name_=name)
        tx.run(_DELETE, account_=account, name_=name)

    def list(self, tx: Tx, account: str, *, after: str = "", limit: int = ALL) -> Sequence[ProvisioningTemplate]:
        return [_template(row) for row in tx.all(_LIST, account_=account, after=after, limit_=limit)]

    def version(self, tx: Tx, account: str, name: str, number: int) -> TemplateVersion | None:
        """Answer one version, or None."""
        row = tx.one(_VERSION, account_=account, name_=name, number_=number)
        return None if row is None else _version(row)

    def versions(
        self, tx: Tx, account: str, name: str, *, after: int = 0, limit: int = ALL
    ) -> Sequence[TemplateVersion]:
        rows = tx.all(_VERSIONS, account_=account, name_=name, after=after, limit_=limit)
        return [_version(row) for row in rows]

    def add_version(self, tx: Tx, account: str, name: str, number: int, body: str) -> None:
        tx.run(_INSERT_VERSION, account=account, template=name, number=number, body=body, created_at=tx.now)

    def remove_version(self, tx: Tx, account: str, name: str, number: int) -> None:
        tx.run(_DELETE_VERSION, account_=account, name_=name, number_=number)


def _columns(template: ProvisioningTemplate) -> dict[str, Any]:
    return {
        "description": template.description,
        "enabled": int(template.enabled),
        "role_arn": template.role_arn,
        "hook_arn": template.hook.function_arn if template.hook else None,
        "hook_version": template.hook.payload_version if template.hook else None,
        "default_version": template.default_version,
        "last_version": template.last_version,
        "updated_at": template.updated_at,
    }


def _template(row: Row[Any]) -> ProvisioningTemplate:
    hook = Hook(function_arn=row.hook_arn, payload_version=row.hook_version) if row.hook_arn else None
    return ProvisioningTemplate(
        name=row.name,
        description=row.description,
        enabled=bool(row.enabled),
        role_arn=row.role_arn,
        hook=hook,
        default_version=row.default_version,
        last_version=row.last_version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        type=row.type,
    )


def _version(row: Row[Any]) -> TemplateVersion:
    return TemplateVersion(template=row.template, number=row.number, body=row.body, created_at=row.created_at)
