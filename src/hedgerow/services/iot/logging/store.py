"""The rows of logging options and of levels for targets."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Column, Integer, Row, String, Table, Text, bindparam, delete, func, insert, or_, select
from sqlalchemy import update as update_rows

from hedgerow.core.iotlog import Level, LogRules, TargetType
from hedgerow.services.iot.logging.model import EventConfiguration, LoggingOptions, Target
from hedgerow.store import Tx, metadata

options = Table(
    "iot_logging_options",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("role", Text),
    Column("default_level", String(8), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("events", Text, nullable=False),
)
levels = Table(
    "iot_logging_level",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("target_type", String(16), primary_key=True),
    Column("target_name", String(512), primary_key=True),
    Column("level", String(8), nullable=False),
)
_GET: Final = select(options).where(options.c.account == bindparam("account_"))
_INSERT: Final = insert(options)
_UPDATE: Final = update_rows(options).where(options.c.account == bindparam("account_"))
_ACCOUNTS: Final = select(options.c.account)
_TARGETS: Final = select(levels).where(levels.c.account == bindparam("account_"))
_COUNT: Final = select(func.count()).where(levels.c.account == bindparam("account_"))
_KEY: Final = (
    (levels.c.account == bindparam("account_"))
    & (levels.c.target_type == bindparam("type_"))
    & (levels.c.target_name == bindparam("name_"))
)
_INSERT_LEVEL: Final = insert(levels)
_UPDATE_LEVEL: Final = update_rows(levels).where(_KEY)
_DELETE_LEVEL: Final = delete(levels).where(_KEY)
_LIST: Final = (
    select(levels)
    .where(
        levels.c.account == bindparam("account_"),
        or_(
            levels.c.target_type > bindparam("kind"),
            (levels.c.target_type == bindparam("kind")) & (levels.c.target_name > bindparam("after")),
        ),
    )
    .order_by(levels.c.target_type, levels.c.target_name)
    .limit(bindparam("limit_"))
)
_LIST_TYPE: Final = (
    select(levels)
    .where(
        levels.c.account == bindparam("account_"),
        levels.c.target_type == bindparam("kind"),
        levels.c.target_name > bindparam("after"),
    )
    .order_by(levels.c.target_name)
    .limit(bindparam("limit_"))
)


class LoggingStore:
    """Logging options in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str) -> LoggingOptions | None:
        row = tx.one(_GET, account_=account)
        return None if row is None else _options(row)

    def put(self, tx: Tx, account: str, changed: LoggingOptions) -> None:
        columns = _columns(changed)
        if not tx.run(_UPDATE, account_=account, **columns):
            tx.run(_INSERT, account=account, **columns)

    def accounts(self, tx: Tx) -> Sequence[str]:
        """Answer who has options."""
        return [row.account for row in tx.all(_ACCOUNTS)]

    def rules(self, tx: Tx, account: str) -> LogRules | None:
        """Answer what is to be written for the account, None when it has no options."""
        found = self.get(tx, account)
        return None if found is None else found.rules(self.targets(tx, account))

    def targets(self, tx: Tx, account: str) -> Mapping[Target, Level]:
        """Answer every level that is set for a target."""
        return dict(map(_level, tx.all(_TARGETS, account_=account)))

    def count(self, tx: Tx, account: str) -> int:
        row = tx.one(_COUNT, account_=account)
        return 0 if row is None else int(row[0])

    def put_level(self, tx: Tx, account: str, target: Target, level: Level) -> None:
        kind, name = target[0].value, target[1]
        if not tx.run(_UPDATE_LEVEL, account_=account, type_=kind, name_=name, level=level.name):
            tx.run(_INSERT_LEVEL, account=account, target_type=kind, target_name=name, level=level.name)

    def remove_level(self, tx: Tx, account: str, target: Target) -> None:
        tx.run(_DELETE_LEVEL, account_=account, type_=target[0].value, name_=target[1])

    def list(
        self, tx: Tx, account: str, *, kind: TargetType | None, after: tuple[str, str], limit: int
    ) -> Sequence[tuple[Target, Level]]:
        """Answer levels by type and name, those after `after`; of one type, or of all."""
        if kind is None:
            rows = tx.all(_LIST, account_=account, kind=after[0], after=after[1], limit_=limit)
        else:
            rows = tx.all(_LIST_TYPE, account_=account, kind=kind.value, after=after[1], limit_=limit)
        return [_level(row) for row in rows]


def _level(row: Row[Any]) -> tuple[Target, Level]:
    return (TargetType(row.target_type), row.target_name), Level[row.level]


def _columns(found: LoggingOptions) -> dict[str, Any]:
    events = [[one.event, None if one.level is None else one.level.name, one.destination] for one in found.events]
    return {
        "version": found.version,
        "role": found.role,
        "default_level": found.default.name,
        "disabled": found.disabled,
        "events": json.dumps(events),
    }


def _options(row: Row[Any]) -> LoggingOptions:
    return LoggingOptions(
        version=row.version,
        role=row.role,
        default=Level[row.default_level],
        disabled=row.disabled,
        events=tuple(
            EventConfiguration(event, None if level is None else Level[level], destination)
            for event, level, destination in json.loads(row.events)
        ),
    )
