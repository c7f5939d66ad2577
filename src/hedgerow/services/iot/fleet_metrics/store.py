"""The rows of fleet metrics."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Integer, Row, String, Table, Text, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.fleet_metrics.model import FleetMetric
from hedgerow.store import Tx, metadata

metrics = Table(
    "iot_fleet_metric",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("query", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("figures", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("period", Integer, nullable=False),
    Column("index_name", String(32), nullable=False),
    Column("description", Text),
    Column("unit", String(32)),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("next_at", Float, nullable=False),
)
_KEY: Final = (metrics.c.account == bindparam("account_")) & (metrics.c.name == bindparam("name_"))
_GET = select(metrics).where(_KEY)
_INSERT = insert(metrics)
_UPDATE = update_rows(metrics).where(_KEY)
_DELETE = delete(metrics).where(_KEY)
_LIST = (
    select(metrics)
    .where(metrics.c.account == bindparam("account_"), metrics.c.name > bindparam("after"))
    .order_by(metrics.c.name)
    .limit(bindparam("limit_"))
)


class FleetMetricStore:
    """Fleet metrics in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, name: str) -> FleetMetric | None:
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _metric(row)

    def add(self, tx: Tx, account: str, metric: FleetMetric) -> None:
        tx.run(_INSERT, account=account, name=metric.name, **_columns(metric))

    def put(self, tx: Tx, account: str, metric: FleetMetric) -> None:
        tx.run(_UPDATE, account_=account, name_=metric.name, **_columns(metric))

    def remove(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DELETE, account_=account, name_=name)

    def list(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[FleetMetric]:
        """Answer metrics by name, those after `after`."""
        return [_metric(row) for row in tx.all(_LIST, account_=account, after=after, limit_=limit)]


def _columns(metric: FleetMetric) -> dict[str, Any]:
    return {
        "query": metric.query,
        "kind": metric.kind,
        "figures": json.dumps(metric.values),
        "field": metric.field,
        "period": metric.period,
        "index_name": metric.index,
        "description": metric.description,
        "unit": metric.unit,
        "version": metric.version,
        "created_at": metric.created_at,
        "changed_at": metric.changed_at,
        "next_at": metric.next_at,
    }


def _metric(row: Row[Any]) -> FleetMetric:
    return FleetMetric(
        name=row.name,
        query=row.query,
        kind=row.kind,
        values=tuple(json.loads(row.figures)),
        field=row.field,
        period=row.period,
        index=row.index_name,
        description=row.description,
        unit=row.unit,
        version=row.version,
        created_at=row.created_at,
        changed_at=row.changed_at,
        next_at=row.next_at,
    )
