"""Counts attempts of devices to get in: for Prometheus since the start, and for each account as CloudWatch metrics."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from hedgerow.api.metrics import COUNTER, Family
from hedgerow.cloud.operations import iot_provisioning as rows
from hedgerow.cloud.rows import Tables
from hedgerow.services.cloudwatch.metrics import MetricFlows
from hedgerow.services.cloudwatch.metrics.model import Series
from hedgerow.services.iot.onboarding import OnboardingFollowUps, Outcome, Way

NAMESPACE: Final = "Hedgerow/Onboarding"
NAME: Final = "Attempts"


class OnboardingFigures:
    """The counters. `count` is called on the loop."""

    def __init__(self, *, flows: MetricFlows) -> None:
        self._flows = flows
        self._counted: Counter[tuple[str, str]] = Counter()

    async def count(self, account: str, way: str, outcome: str, number: int, at: float) -> None:
        dimensions = (("Outcome", outcome), ("Way", way))
        series = Series(namespace=NAMESPACE, name=NAME, dimensions=dimensions, unit="Count")
        await self._flows.put(account, series, number, at)
        self._counted[way, outcome] += number

    def families(self) -> Iterable[Family]:
        """Answer what was counted of every account, by way and outcome; what never happened is told as 0."""
        samples = [
            ({"way": way.value, "outcome": outcome.value}, self._counted[way.value, outcome.value])
            for way in Way
            for outcome in Outcome
        ]
        yield Family("hedgerow_onboarding_attempts_total", COUNTER, "Attempts of devices to get in", samples)


def build_onboarding_figures(*, tables: Tables, metrics: MetricFlows) -> OnboardingFigures:
    """Build it and enter its rows."""
    figures = OnboardingFigures(flows=metrics)
    tables.follow(rows.onboarding_follow_up_rows(onboarding=OnboardingFollowUps(figures=figures)))
    return figures
