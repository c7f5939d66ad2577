"""GetStatistics, GetCardinality, GetPercentiles, GetBucketsAggregation: exact, over what a query finds.

A field is aggregated when AWS manages it or it was declared in customFields. Values of another type are left out.
Spec: AWS IoT API reference, Statistics (population variance), percentiles by linear interpolation.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

from hedgerow.core.caller import Caller
from hedgerow.core.fleetquery import Node
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.fleet_index.asking import ready, tree
from hedgerow.services.iot.fleet_index.errors import AggregationRefused
from hedgerow.services.iot.fleet_index.model import REGISTRY_VERSION, Setup, path_of
from hedgerow.services.iot.fleet_index.store import FleetIndexStore
from hedgerow.store import Answer, Tx

PERCENTS: Final = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
MOST_PERCENTS: Final = 100
BUCKETS: Final = 10


class Aggregations:
    """Figures over the documents that a query finds. It holds no state; fleet metrics ask it too."""

    def __init__(self, *, store: FleetIndexStore) -> None:
        self._store = store

    def statistics(self, tx: Tx, account: str, setup: Setup, query: Node, field: str) -> dict[str, float]:
        """Answer the members of AWS's Statistics: of a field of texts the count alone."""
        if checked(setup, field) != "Number":
            return {"count": self._store.counts(tx, account, setup.index, query, path_of(field), limit=1)[0]}
        values = self._numbers(tx, account, setup, query, field)
        if not values:
            return {"count": 0}
        total = math.fsum(values)
        squares = math.fsum(value * value for value in values)
        mean = total / len(values)
        variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
        return {
            "count": len(values),
            "average": mean,
            "sum": total,
            "minimum": min(values),
            "maximum": max(values),
            "sumOfSquares": squares,
            "variance": variance,
            "stdDeviation": math.sqrt(variance),
        }

    def cardinality(self, tx: Tx, account: str, setup: Setup, query: Node, field: str) -> int:
        """Answer how many different values there are."""
        checked(setup, field)
        return self._store.counts(tx, account, setup.index, query, path_of(field), limit=1)[1]

    def percentiles(
        self, tx: Tx, account: str, setup: Setup, query: Node, field: str, percents: Sequence[float]
    ) -> list[tuple[float, float]]:
        """Answer (percent, value) for each percent; nothing when there are no values."""
        if checked(setup, field) != "Number":
            raise AggregationRefused(f"Percentiles need a field of type Number, and {field} is not.")
        values = sorted(self._numbers(tx, account, setup, query, field))
        return [(percent, _percentile(values, percent)) for percent in percents] if values else []

    def buckets(
        self, tx: Tx, account: str, setup: Setup, query: Node, field: str, most: int
    ) -> tuple[int, Sequence[tuple[str, int]]]:
        """Answer how many values there are, and the most frequent ones with their counts."""
        checked(setup, field)
        total, _, found = self._store.counts(tx, account, setup.index, query, path_of(field), limit=most)
        return total, found

    def _numbers(self, tx: Tx, account: str, setup: Setup, query: Node, field: str) -> list[float]:
        rows = self._store.values(tx, account, setup.index, query, path_of(field))
        return [row.number for row in rows if row.number is not None]


class AggregationOperations:
    """The operations that answer figures."""

    def __init__(self, *, store: FleetIndexStore, aggregations: Aggregations) -> None:
        self._store = store
        self._aggregations = aggregations

    def get_statistics(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        setup, query, field = self._asked(tx, request, caller)
        return Answer({"statistics": self._aggregations.statistics(tx, caller.account, setup, query, field)})

    def get_cardinality(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        setup, query, field = self._asked(tx, request, caller)
        return Answer({"cardinality": self._aggregations.cardinality(tx, caller.account, setup, query, field)})

    def get_percentiles(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        setup, query, field = self._asked(tx, request, caller)
        percents = request.take_all("percents") or PERCENTS
        if len(percents) > MOST_PERCENTS:
            raise InvalidRequest(f"percents has {len(percents)} values; {MOST_PERCENTS} are allowed")
        found = self._aggregations.percentiles(tx, caller.account, setup, query, field, percents)
        return Answer({"percentiles": [{"percent": percent, "value": value} for percent, value in found]})

    def get_buckets_aggregation(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        setup, query, field = self._asked(tx, request, caller)
        terms = request["bucketsAggregationType"].get("termsAggregation")
        if terms is None:
            raise InvalidRequest("bucketsAggregationType must have a termsAggregation")
        most = terms.get("maxBuckets") or BUCKETS
        total, found = self._aggregations.buckets(tx, caller.account, setup, query, field, most)
        buckets: list[Any] = [{"keyValue": value, "count": count} for value, count in found]
        return Answer({"totalCount": total, "buckets": buckets})

    def _asked(self, tx: Tx, request: Request, caller: Caller) -> tuple[Setup, Node, str]:
        setup = ready(tx, self._store, request, caller)
        return setup, tree(request["queryString"], setup), request.get("aggregationField") or REGISTRY_VERSION


def checked(setup: Setup, field: str) -> str:
    """Answer the field's type; raise AggregationRefused for one that is neither managed nor declared."""
    kind = setup.type_of(field)
    if kind is None:
        raise AggregationRefused(
            f"{field} is not a field of {setup.index} that can be aggregated: declare it in customFields"
            " with UpdateIndexingConfiguration."
        )
    return kind


def _percentile(values: Sequence[float], percent: float) -> float:
    place = (len(values) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)
