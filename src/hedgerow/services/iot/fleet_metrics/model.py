"""A fleet metric: which figures over which things, and how often.

Spec: AWS IoT API reference, CreateFleetMetric; developer guide, "Fleet metrics".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hedgerow.services.iot.errors import InvalidRequest, VersionConflict
from hedgerow.services.iot.fleet_metrics.errors import AggregationRefused

NAMESPACE: Final = "IoTFleetMetrics"
DIMENSION: Final = "AggregationType"
STATISTICS: Final = ("count", "average", "sum", "minimum", "maximum", "sumOfSquares", "variance", "stdDeviation")
MINUTE_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetMetric:
    """One fleet metric. `period` is in seconds, `next_at` when it is measured again."""

    name: str
    query: str
    kind: str  # Statistics, Percentiles, Cardinality
    values: tuple[str, ...]
    field: str
    period: int
    index: str
    description: str | None = None
    unit: str | None = None
    version: int = 1
    created_at: float = 0.0
    changed_at: float = 0.0
    next_at: float = 0.0

    def expect(self, version: int | None) -> None:
        """Raise VersionConflict unless this is the version that the caller expects (None: any)."""
        if version is not None and version != self.version:
            raise VersionConflict(f"fleet metric {self.name}", expected=version, version=self.version)

    def same(self, other: "FleetMetric") -> bool:
        """Tell whether both ask for the same."""
        times: dict[str, Any] = {"version": 1, "created_at": 0.0, "changed_at": 0.0, "next_at": 0.0}
        return replace(self, **times) == replace(other, **times)

    def after(self, now: float) -> float:
        """Answer when it is due next: at full periods, so that a restart does not move it."""
        return (now // self.period + 1) * self.period

    def checked(self) -> "FleetMetric":
        """Answer it; raise when the period or the figures cannot be."""
        if self.period % MINUTE_S:
            raise InvalidRequest(f"period {self.period} is not a multiple of {MINUTE_S}")
        if self.kind == "Statistics":
            wrong = [value for value in self.values if value not in STATISTICS]
        elif self.kind == "Percentiles":
            wrong = [value for value in self.values if not _percent(value)]
        else:
            wrong = [value for value in self.values if value != "cardinality"]
        if wrong:
            raise AggregationRefused(f"aggregationType {self.kind} has no value {wrong[0]}")
        return self


def _percent(value: str) -> bool:
    return value.isdecimal() and int(value) <= 100


def percents(values: Sequence[str]) -> list[float]:
    """Answer the percents that were asked for; AWS's own choice for none."""
    return [float(value) for value in values] or [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0]
