"""Fleet metrics: made, measured when they are due, once."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import delete, select

from hedgerow.base.errors import ServiceError
from hedgerow.cloud.indexing import build_fleet_metrics
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.services.cloudwatch.metrics import MetricFlows, MetricOperations
from hedgerow.services.iot.fleet_metrics import DUE, MEASURED
from hedgerow.store import FollowUp
from hedgerow.store.tx import follow_ups
from tests.support.indexing import IndexBench
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun

NEW: dict[str, Any] = {
    "metricName": "hot",
    "queryString": "attributes.level>1",
    "aggregationType": {"name": "Statistics", "values": ["count", "maximum"]},
    "period": 60,
    "aggregationField": "attributes.level",
}
CUSTOM = [{"name": "attributes.level", "type": "Number"}]


class MetricBench(IndexBench):
    """The index with fleet metrics, and what was stored of them."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[tuple[str, str, str, float, float]] = []
        run = MemoryRun(self.store)
        flows = MetricFlows(run=run, metrics=MetricOperations(pager=Pager(b"key")))

        async def put(account: str, series: Any, value: float, at: float) -> None:
            ((dimension, figure),) = series.dimensions
            assert (series.namespace, dimension) == ("IoTFleetMetrics", "AggregationType")
            self.stored.append((account, series.name, figure, value, at))

        flows.put = put  # type: ignore[method-assign]  # the telemetry database is not there
        build_fleet_metrics(tables=self.tables, run=run, pager=Pager(b"key"), stores=self.stores, metrics=flows)
        self.call(
            "UpdateIndexingConfiguration",
            thingIndexingConfiguration={"thingIndexingMode": "REGISTRY", "customFields": CUSTOM},
        )
        self.settle()
        for name, level in (("a", "1"), ("b", "2"), ("c", "5")):
            self.thing(name, attributePayload={"attributes": {"level": level}})
        self.settle()

    def due(self) -> list[FollowUp]:
        """Answer what is due, and leave it there."""
        chosen = select(follow_ups).where(
            follow_ups.c.kind.in_((DUE, MEASURED)), follow_ups.c.due_at <= self.store.clock.now()
        )
        with self.store.tx() as tx:
            return [
                FollowUp(
                    seq=row.seq,
                    account=row.account,
                    kind=row.kind,
                    key=row.key,
                    due_at=row.due_at,
                    body=json.loads(row.body),
                    attempts=row.attempts,
                )
                for row in tx.all(chosen.order_by(follow_ups.c.seq))
            ]

    def do(self, row: FollowUp) -> None:
        """Do one thing that is due, and forget it."""
        asyncio.run(self.tables.follow_ups[row.kind](row))  # type: ignore[call-arg,arg-type]  # a flow
        with self.store.tx() as tx:
            tx.run(delete(follow_ups).where(follow_ups.c.seq == row.seq))

    def pass_time(self, seconds: float) -> None:
        self.store.clock.advance(seconds)
        while rows := self.due():
            self.do(rows[0])


@pytest.fixture
def bench() -> MetricBench:
    return MetricBench()


def refused(bench: MetricBench, operation: str, caller: Caller = CALLER, **members: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        bench.call(operation, caller, **members)
    return caught.value


def figures(bench: MetricBench) -> list[tuple[str, str, float]]:
    return [(name, figure, value) for _, name, figure, value, _ in bench.stored]


def test_a_metric_is_measured_at_each_full_period(bench: MetricBench) -> None:
    made = bench.call("CreateFleetMetric", **NEW)
    bench.pass_time(60)
    bench.thing("d", attributePayload={"attributes": {"level": "9"}})
    bench.settle()
    bench.pass_time(60)

    assert made["metricArn"] == f"arn:aws:iot:{CALLER.region}:{CALLER.account}:fleetmetric/hot"
    assert figures(bench) == [
        ("hot", "count", 2.0),
        ("hot", "maximum", 5.0),
        ("hot", "count", 3.0),
        ("hot", "maximum", 9.0),
    ]
    assert {at % 60 for *_, at in bench.stored} == {0.0}


def test_a_measurement_that_is_repeated_after_a_crash_counts_once(bench: MetricBench) -> None:
    bench.call("CreateFleetMetric", **NEW)
    bench.store.clock.advance(60)
    (row,) = bench.due()
    asyncio.run(bench.tables.follow_ups[DUE](row))  # type: ignore[call-arg,arg-type]  # and the crash keeps the row

    bench.pass_time(0)

    assert figures(bench) == [("hot", "count", 2.0), ("hot", "maximum", 5.0)]
    bench.pass_time(60)
    assert len(figures(bench)) == 4


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("Statistics", [], 8),
        ("Percentiles", ["50", "100"], [("hot", "50", 3.5), ("hot", "100", 5.0)]),
        ("Cardinality", [], [("hot", "cardinality", 2.0)]),
    ],
)
def test_each_kind_gives_its_figures(bench: MetricBench, kind: str, values: list[str], expected: Any) -> None:
    bench.call("CreateFleetMetric", **{**NEW, "aggregationType": {"name": kind, "values": values}})
    bench.pass_time(60)

    assert (len(figures(bench)) if isinstance(expected, int) else figures(bench)) == expected


def test_what_cannot_be_measured_is_left_out_that_time(bench: MetricBench) -> None:
    bench.call("CreateFleetMetric", **NEW)
    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
    bench.settle()
    bench.pass_time(60)
    without = list(bench.stored)
    bench.call(
        "UpdateIndexingConfiguration",
        thingIndexingConfiguration={"thingIndexingMode": "REGISTRY", "customFields": CUSTOM},
    )
    bench.settle()
    bench.pass_time(60)

    assert without == []
    assert figures(bench) == [("hot", "count", 2.0), ("hot", "maximum", 5.0)]


def test_a_metric_is_described_changed_listed_and_deleted(bench: MetricBench) -> None:
    bench.call("CreateFleetMetric", **NEW, description="how hot", unit="Count")
    bench.call("CreateFleetMetric", **{**NEW, "metricName": "more"})

    bench.call("UpdateFleetMetric", metricName="hot", indexName="AWS_Things", period=120, expectedVersion=1)
    shown = bench.call("DescribeFleetMetric", metricName="hot")
    stale = refused(bench, "UpdateFleetMetric", metricName="hot", indexName="AWS_Things", expectedVersion=1)
    bench.call("DeleteFleetMetric", metricName="hot", expectedVersion=2)
    bench.call("DeleteFleetMetric", metricName="hot")

    assert (shown["period"], shown["version"], shown["description"], shown["unit"]) == (120, 2, "how hot", "Count")
    assert shown["aggregationType"] == NEW["aggregationType"]
    assert stale.code == "VersionConflictException"
    assert [one["metricName"] for one in bench.call("ListFleetMetrics")["fleetMetrics"]] == ["more"]
    bench.pass_time(600)
    assert {name for name, _, _ in figures(bench)} == {"more"}


def test_the_same_again_is_the_same_metric(bench: MetricBench) -> None:
    first = bench.call("CreateFleetMetric", **NEW)

    assert bench.call("CreateFleetMetric", **NEW) == first
    assert refused(bench, "CreateFleetMetric", **{**NEW, "period": 120}).code == "ResourceAlreadyExistsException"
    assert bench.call("DescribeFleetMetric", metricName="hot")["version"] == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"period": 90}, "InvalidRequestException"),
        ({"queryString": "("}, "InvalidQueryException"),
        ({"queryVersion": "x"}, "InvalidRequestException"),
        ({"indexName": "x"}, "ResourceNotFoundException"),
        ({"indexName": "AWS_ThingGroups"}, "IndexNotReadyException"),
        ({"aggregationField": "attributes.other"}, "InvalidAggregationException"),
        ({"aggregationType": {"name": "Statistics", "values": ["median"]}}, "InvalidAggregationException"),
        ({"aggregationType": {"name": "Percentiles", "values": ["101"]}}, "InvalidAggregationException"),
    ],
)
def test_a_metric_that_cannot_be_is_refused(bench: MetricBench, changed: dict[str, Any], code: str) -> None:
    assert refused(bench, "CreateFleetMetric", **{**NEW, **changed}).code == code
    assert bench.call("ListFleetMetrics")["fleetMetrics"] == []


def test_two_accounts_do_not_meet(bench: MetricBench) -> None:
    bench.call("CreateFleetMetric", **NEW)

    assert refused(bench, "DescribeFleetMetric", OTHER_ACCOUNT, metricName="hot").code == "ResourceNotFoundException"
    assert bench.call("ListFleetMetrics", OTHER_ACCOUNT)["fleetMetrics"] == []
