"""The rows of job templates."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, delete, insert, select

from hedgerow.core.arn import arn
from hedgerow.services.iot.jobs.scheduling import Window, read_windows, shown_windows
from hedgerow.services.iot.jobs.settings import Settings, read_settings, shown_settings
from hedgerow.store import Tx, metadata

templates = Table(
    "iot_job_template",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("document", Text, nullable=False),
    Column("body", Text, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_OF: Final = (templates.c.account == _ACCOUNT) & (templates.c.id == bindparam("id_"))
_GET = select(templates).where(_OF)
_INSERT = insert(templates)
_DELETE = delete(templates).where(_OF)
_LIST = (
    select(templates)
    .where(templates.c.account == _ACCOUNT, templates.c.id > bindparam("after"))
    .order_by(templates.c.id)
    .limit(bindparam("limit_"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What jobs may be made from."""

    id: str
    description: str
    document: str
    source: str | None = None  # where the document was read
    settings: Settings = field(default_factory=Settings)
    windows: tuple[Window, ...] = ()
    created_at: float = 0.0

    def arn(self, region: str, account: str) -> str:
        """Make the template's ARN."""
        return arn("iot", region, account, f"jobtemplate/{self.id}")


class TemplateStore:
    """Job templates in the database. They do not change."""

    def get(self, tx: Tx, account: str, template: str) -> Template | None:
        """Answer the template, or None."""
        row = tx.one(_GET, account_=account, id_=template)
        return None if row is None else _template(row)

    def add(self, tx: Tx, account: str, new: Template) -> None:
        body = {
            "description": new.description,
            "source": new.source,
            "settings": shown_settings(new.settings),
            "windows": shown_windows(new.windows),
        }
        tx.run(
            _INSERT,
            account=account,
            id=new.id,
            created_at=new.created_at,
            document=new.document,
            body=json.dumps(body),
        )

    def remove(self, tx: Tx, account: str, template: str) -> bool:
        """Delete the template; tell whether there was one."""
        return tx.run(_DELETE, account_=account, id_=template) > 0

    def list(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[Template]:
        """Answer templates by id, those after `after`."""
        return [_template(row) for row in tx.all(_LIST, account_=account, after=after, limit_=limit)]


def _template(row: Row[Any]) -> Template:
    body = json.loads(row.body)
    return Template(
        id=row.id,
        description=body["description"],
        document=row.document,
        source=body["source"],
        settings=read_settings(body["settings"]),
        windows=read_windows(body["windows"]),
        created_at=row.created_at,
    )
