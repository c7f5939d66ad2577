"""Joins fleet metrics to the indexes that they measure and to the telemetry that keeps them."""

from collections.abc import Sequence

from hedgerow.services.cloudwatch.metrics import MetricFlows
from hedgerow.services.cloudwatch.metrics.model import Series
from hedgerow.services.iot.fleet_index import Aggregations, FleetIndexStore
from hedgerow.services.iot.fleet_index.aggregating import checked
from hedgerow.services.iot.fleet_index.asking import index_ready, tree
from hedgerow.services.iot.fleet_metrics.model import DIMENSION, NAMESPACE, FleetMetric, percents
from hedgerow.store import Tx


class FleetMeasures:
    """Measures what a fleet metric asks for."""

    def __init__(self, *, store: FleetIndexStore) -> None:
        self._store = store
        self._aggregations = Aggregations(store=store)

    def check(self, tx: Tx, account: str, index: str, query: str, field: str) -> None:
        setup = index_ready(tx, self._store, account, index)
        tree(query, setup)
        checked(setup, field)

    def measure(self, tx: Tx, account: str, metric: FleetMetric) -> Sequence[tuple[str, float]]:
        setup = index_ready(tx, self._store, account, metric.index)
        query = tree(metric.query, setup)
        if metric.kind == "Cardinality":
            return [("cardinality", self._aggregations.cardinality(tx, account, setup, query, metric.field))]
        if metric.kind == "Percentiles":
            asked = percents(metric.values)
            found = self._aggregations.percentiles(tx, account, setup, query, metric.field, asked)
            return [(f"{percent:g}", value) for percent, value in found]
        statistics = self._aggregations.statistics(tx, account, setup, query, metric.field)
        wanted = metric.values or tuple(statistics)
        return [(name, statistics[name]) for name in wanted if name in statistics]


class FleetTelemetry:
    """Stores what was measured as CloudWatch metrics."""

    def __init__(self, *, flows: MetricFlows) -> None:
        self._flows = flows

    async def put_figure(self, account: str, name: str, figure: str, unit: str | None, value: float, at: float) -> None:
        series = Series(namespace=NAMESPACE, name=name, dimensions=((DIMENSION, figure),), unit=unit or "None")
        await self._flows.put(account, series, value, at)
