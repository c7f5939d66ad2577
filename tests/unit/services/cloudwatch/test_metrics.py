from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from hedgerow.base.errors import NotImplementedYet, ServiceError
from hedgerow.core.paging import Pager
from hedgerow.services.cloudwatch.metrics import MetricOperations, telemetry
from hedgerow.services.cloudwatch.metrics.model import KEPT, bucket_for, of_values, rolled_up
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

NOW = 1_800_000_000.0
Put = Callable[..., None]


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    store.engine.dispose()
    store.engine = create_engine("sqlite://", poolclass=StaticPool)
    telemetry.create_all(store.engine)
    yield store
    store.engine.dispose()


@pytest.fixture
def metrics() -> MetricOperations:
    return MetricOperations(pager=Pager(b"key"))


@pytest.fixture
def put(store: MemoryStore, metrics: MetricOperations) -> Put:
    def put(value: float, at: float = NOW, *, name: str = "temperature", caller: Any = CALLER) -> None:
        datum = {"MetricName": name, "Value": value, "Timestamp": at, "Unit": "None"}
        store.run(metrics.put_metric_data, {"Namespace": "Radio", "MetricData": [datum]}, caller)

    return put


def ask(
    store: MemoryStore,
    metrics: MetricOperations,
    statistic: str,
    *,
    period: int = 60,
    start: float = NOW - 600,
    **more: Any,
) -> list[float]:
    stat = {"Metric": {"Namespace": "Radio", "MetricName": "temperature"}, "Period": period, "Stat": statistic}
    request = {
        "MetricDataQueries": [{"Id": "m", "MetricStat": stat}],
        "StartTime": start,
        "EndTime": NOW + 600,
        "ScanBy": "TimestampAscending",
        **more,
    }
    (result,) = store.run(metrics.get_metric_data, request).response["MetricDataResults"]
    values: list[float] = result["Values"]
    return values


@pytest.mark.parametrize(
    ("statistic", "value"),
    [("Average", 20.0), ("Sum", 60.0), ("Minimum", 10.0), ("Maximum", 30.0), ("SampleCount", 3.0)],
)
@pytest.mark.spec("JB-94")
def test_values_of_one_period_are_joined(
    store: MemoryStore, metrics: MetricOperations, put: Put, statistic: str, value: float
) -> None:
    for index, each in enumerate((10.0, 20.0, 30.0)):
        put(each, NOW + index)

    assert ask(store, metrics, statistic) == [value]


def test_each_second_is_kept_by_itself(store: MemoryStore, metrics: MetricOperations, put: Put) -> None:
    put(1.0, NOW)
    put(2.0, NOW + 1)

    assert ask(store, metrics, "Average", period=1) == [1.0, 2.0]


@pytest.mark.spec("JB-94")
def test_after_three_hours_the_minute_remains(store: MemoryStore, metrics: MetricOperations, put: Put) -> None:
    put(4.0, NOW)
    store.clock.advance(4 * 3600)

    with store.tx() as tx:
        metrics.delete_old(tx)

    assert ask(store, metrics, "Average", period=1) == []
    assert ask(store, metrics, "Average", period=60) == [4.0]


@pytest.mark.spec("AL-08")
def test_two_accounts_do_not_meet(store: MemoryStore, metrics: MetricOperations, put: Put) -> None:
    put(1.0)
    put(99.0, caller=OTHER_ACCOUNT)

    assert ask(store, metrics, "Maximum") == [1.0]


def test_metrics_are_listed_once_each(store: MemoryStore, metrics: MetricOperations, put: Put) -> None:
    put(1.0)
    put(2.0)
    put(1.0, name="signal")

    answer = store.run(metrics.list_metrics, {"Namespace": "Radio"}).response

    assert sorted(metric["MetricName"] for metric in answer["Metrics"]) == ["signal", "temperature"]


@pytest.mark.spec("JB-94")
def test_statistics_answer_the_same_numbers(store: MemoryStore, metrics: MetricOperations, put: Put) -> None:
    put(3.0)
    put(5.0)
    request = {
        "Namespace": "Radio",
        "MetricName": "temperature",
        "StartTime": NOW - 60,
        "EndTime": NOW + 60,
        "Period": 60,
        "Statistics": ["Average", "Maximum"],
    }

    (point,) = store.run(metrics.get_metric_statistics, request).response["Datapoints"]

    assert (point["Average"], point["Maximum"]) == (4.0, 5.0)


def test_statistics_of_a_metric_without_data_are_none(store: MemoryStore, metrics: MetricOperations) -> None:
    moments = {"StartTime": NOW - 60, "EndTime": NOW + 60}
    request = {"Namespace": "Radio", "MetricName": "none", **moments, "Period": 60, "Statistics": ["Sum"]}

    assert store.run(metrics.get_metric_statistics, request).response["Datapoints"] == []


def test_a_percentile_is_refused_by_name(store: MemoryStore, metrics: MetricOperations, put: Put) -> None:
    put(1.0)

    with pytest.raises(NotImplementedYet, match="p99"):
        ask(store, metrics, "p99")


def test_metric_math_is_refused_by_name(store: MemoryStore, metrics: MetricOperations) -> None:
    request = {"MetricDataQueries": [{"Id": "e", "Expression": "m*2"}], "StartTime": NOW - 1, "EndTime": NOW}

    with pytest.raises(NotImplementedYet, match="metric math"):
        store.run(metrics.get_metric_data, request)


@pytest.mark.parametrize("at", [NOW - 15 * 86_400, NOW + 3 * 3600])
def test_a_time_too_far_away_is_refused(put: Put, at: float) -> None:
    with pytest.raises(ServiceError, match="Timestamp"):
        put(1.0, at)


def test_old_data_is_read_from_the_resolution_that_is_still_kept() -> None:
    assert bucket_for(60, NOW - 60, now=NOW) == 1
    assert bucket_for(300, NOW - 20 * 86_400, now=NOW) == 300


@given(st.lists(st.tuples(st.integers(0, 100_000), st.floats(-1e6, 1e6)), min_size=1), st.sampled_from([60, 300, 3600]))
def test_rolling_up_in_steps_equals_rolling_up_at_once(points: list[tuple[int, float]], period: int) -> None:
    fine = [(at, of_values([value])) for at, value in points]
    stepped = rolled_up(rolled_up(fine, 60).items(), period)
    direct = rolled_up(fine, period)

    assert stepped.keys() == direct.keys()
    for start, statistics in direct.items():
        assert stepped[start].samples == statistics.samples
        assert stepped[start].total == pytest.approx(statistics.total, abs=1e-3)
        assert (stepped[start].minimum, stepped[start].maximum) == (statistics.minimum, statistics.maximum)


def test_every_resolution_divides_the_next() -> None:
    lengths = sorted(KEPT)

    assert all(longer % shorter == 0 for shorter, longer in pairwise(lengths))
