"""What a metric is, how values are rolled up, and for how long each resolution is kept.

Values are kept as statistic sets in buckets of one second, one minute, five minutes and one hour, each for as long as
CloudWatch keeps it (Amazon CloudWatch user guide, metrics retention).
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hedgerow.services.cloudwatch.metrics.errors import InvalidParameterValue, StatisticRefused

DAY_S: Final = 86_400

#: bucket length in seconds → how long it is kept, in seconds
KEPT: Final = {1: 3 * 3600, 60: 15 * DAY_S, 300: 63 * DAY_S, 3600: 455 * DAY_S}

MAX_AGE_S: Final = 14 * DAY_S
MAX_FUTURE_S: Final = 2 * 3600
MAX_VALUE: Final = 2.0**360
SHORT_PERIODS: Final = frozenset({1, 5, 10, 20, 30})


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric with one unit."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]  # sorted by name
    unit: str

    def key(self) -> str:
        """Answer the key that its buckets are filed under."""
        text = json.dumps([self.namespace, self.name, self.dimensions, self.unit])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Statistics:
    """A statistic set."""

    samples: float
    total: float
    minimum: float
    maximum: float

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics(
            self.samples + other.samples,
            self.total + other.total,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )

    def value(self, statistic: str) -> float:
        """Answer one statistic by its CloudWatch name; raise StatisticRefused for those that are not kept."""
        match statistic:
            case "SampleCount":
                return self.samples
            case "Sum":
                return self.total
            case "Minimum":
                return self.minimum
            case "Maximum":
                return self.maximum
            case "Average":
                return self.total / self.samples
            case _:
                raise StatisticRefused(statistic)


def dimensions(given: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """Answer dimensions in their canonical order; raise InvalidParameterValue when a name comes twice."""
    pairs = sorted((dimension["Name"], dimension["Value"]) for dimension in given)
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidParameterValue("The parameter Dimensions names a dimension twice.")
    return tuple(pairs)


def of_values(values: Sequence[float], counts: Sequence[float] | None = None) -> Statistics:
    """Answer the statistic set of values, each counted so many times (default: once)."""
    weights = [1.0] * len(values) if counts is None else list(counts)
    if not values or len(weights) != len(values):
        raise InvalidParameterValue("The parameters Values and Counts must have the same length, at least 1.")
    for value in values:
        if not math.isfinite(value) or abs(value) > MAX_VALUE:
            raise InvalidParameterValue(f"The value {value} is not supported: values are finite and within ±2^360.")
    total = sum(value * weight for value, weight in zip(values, weights, strict=True))
    return Statistics(sum(weights), total, min(values), max(values))


def checked_time(at: float, *, now: float) -> float:
    """Answer the time of a value; raise InvalidParameterValue when it is too old or too far ahead."""
    if at < now - MAX_AGE_S:
        raise InvalidParameterValue("The parameter Timestamp must be within the past two weeks.")
    if at > now + MAX_FUTURE_S:
        raise InvalidParameterValue("The parameter Timestamp must be at most two hours in the future.")
    return at


def checked_period(period: int) -> int:
    """Answer the period; raise InvalidParameterValue when it is none that CloudWatch has."""
    if period in SHORT_PERIODS or (period > 0 and period % 60 == 0):
        return period
    raise InvalidParameterValue("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")


def bucket_for(period: int, start: float, *, now: float) -> int:
    """Answer the finest bucket length that divides the period and is still kept at the start of what is asked for."""
    lengths = [length for length in sorted(KEPT) if period % length == 0]
    for length in lengths:
        if start >= now - KEPT[length]:
            return length
    return lengths[-1]


def rolled_up(buckets: Iterable[tuple[int, Statistics]], period: int) -> dict[int, Statistics]:
    """Join buckets (start, statistics) into periods, keyed by their start."""
    joined: dict[int, Statistics] = {}
    for start, statistics in buckets:
        begin = start - start % period
        joined[begin] = joined[begin] + statistics if begin in joined else statistics
    return joined
