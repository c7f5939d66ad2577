"""Rows of metrics, in a database file of their own (`telemetry`), so that their writes never wait for the API's."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from hedgerow.services.cloudwatch.metrics.model import KEPT, Series, Statistics
from hedgerow.store import Schema, Tx
from hedgerow.store.schema import naming

telemetry = MetaData(naming_convention=naming)
TELEMETRY: Final = Schema(name="telemetry", metadata=telemetry, versions=Path(__file__).parent / "versions")

metric_series = Table(
    "metric_series",
    telemetry,
    Column("account", String(12), primary_key=True),
    Column("series", String(32), primary_key=True),
    Column("namespace", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("dimensions", Text, nullable=False),
    Column("unit", String(32), nullable=False),
    Index("ix_metric_series_name", "account", "namespace", "name"),
)
metric_buckets = Table(
    "metric_bucket",
    telemetry,
    Column("account", String(12), primary_key=True),
    Column("series", String(32), primary_key=True),
    Column("length_s", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("samples", Float, nullable=False),
    Column("total", Float, nullable=False),
    Column("minimum", Float, nullable=False),
    Column("maximum", Float, nullable=False),
    Index("ix_metric_bucket_age", "account", "length_s", "start"),
)

_S, _B = metric_series.c, metric_buckets.c
_BUCKET = (
    _B.account == bindparam("account_"),
    _B.series == bindparam("series_"),
    _B.length_s == bindparam("length_"),
    _B.start == bindparam("start_"),
)
GET_SERIES = select(_S.series).where(_S.account == bindparam("account"), _S.series == bindparam("series"))
ADD_SERIES = insert(metric_series)
FIND_SERIES = select(metric_series).where(
    _S.account == bindparam("account"), _S.namespace == bindparam("namespace"), _S.name == bindparam("name")
)
LIST_SERIES = (
    select(metric_series)
    .where(_S.account == bindparam("account"), _S.series > bindparam("after"))
    .order_by(_S.series)
    .limit(bindparam("count"))
)
ADD_BUCKET = insert(metric_buckets)
GET_BUCKET = select(metric_buckets).where(*_BUCKET)
SET_BUCKET = (
    update(metric_buckets)
    .where(*_BUCKET)
    .values(
        samples=bindparam("samples"),
        total=bindparam("total"),
        minimum=bindparam("minimum"),
        maximum=bindparam("maximum"),
    )
)
GET_BUCKETS = (
    select(metric_buckets)
    .where(
        _B.account == bindparam("account"),
        _B.series == bindparam("series"),
        _B.length_s == bindparam("length_s"),
        _B.start >= bindparam("begin"),
        _B.start < bindparam("end"),
    )
    .order_by(_B.start)
)
ACCOUNTS = select(_S.account).distinct()
DELETE_OLD = delete(metric_buckets).where(
    _B.account == bindparam("account"), _B.length_s == bindparam("length_s"), _B.start < bindparam("before")
)


class MetricStore:
    """The rows of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def add(self, series: Series, at: float, statistics: Statistics) -> None:
        """Add values to the buckets of every length that `at` falls into."""
        key = series.key()
        if self._tx.one(GET_SERIES, account=self._account, series=key) is None:
            self._tx.run(
                ADD_SERIES,
                account=self._account,
                series=key,
                namespace=series.namespace,
                name=series.name,
                dimensions=json.dumps(series.dimensions),
                unit=series.unit,
            )
        for length in KEPT:
            self._add_to_bucket(key, length, int(at) - int(at) % length, statistics)

    def _add_to_bucket(self, series: str, length: int, start: int, statistics: Statistics) -> None:
        place = {"account_": self._account, "series_": series, "length_": length, "start_": start}
        row = self._tx.one(GET_BUCKET, **place)
        if row is None:
            self._tx.run(
                ADD_BUCKET,
                account=self._account,
                series=series,
                length_s=length,
                start=start,
                samples=statistics.samples,
                total=statistics.total,
                minimum=statistics.minimum,
                maximum=statistics.maximum,
            )
            return
        sum_ = _statistics(row) + statistics
        self._tx.run(
            SET_BUCKET,
            **place,
            samples=sum_.samples,
            total=sum_.total,
            minimum=sum_.minimum,
            maximum=sum_.maximum,
        )

    def matching(
        self, namespace: str, name: str, dimensions: tuple[tuple[str, str], ...], unit: str | None
    ) -> list[str]:
        """Answer the keys of the series with exactly these dimensions (and unit, when given)."""
        rows = self._tx.all(FIND_SERIES, account=self._account, namespace=namespace, name=name)
        wanted = json.dumps(dimensions)
        return [row.series for row in rows if row.dimensions == wanted and unit in (None, row.unit)]

    def buckets(self, keys: Iterable[str], length: int, begin: float, end: float) -> list[tuple[int, Statistics]]:
        """Answer the buckets of some series that start in [begin, end)."""
        return [
            (row.start, _statistics(row))
            for key in keys
            for row in self._tx.all(
                GET_BUCKETS, account=self._account, series=key, length_s=length, begin=int(begin), end=end
            )
        ]

    def series(self, *, after: str, count: int) -> Sequence[Row[Any]]:
        return self._tx.all(LIST_SERIES, account=self._account, after=after, count=count)

    def delete_old(self) -> None:
        """Delete the buckets that are past their time."""
        for length, kept in KEPT.items():
            self._tx.run(DELETE_OLD, account=self._account, length_s=length, before=int(self._tx.now) - kept)


def accounts(tx: Tx) -> list[str]:
    """Answer the accounts that have metrics."""
    return [row.account for row in tx.all(ACCOUNTS)]


def _statistics(row: Row[Any]) -> Statistics:
    return Statistics(row.samples, row.total, row.minimum, row.maximum)
