"""What happens to fleet metrics later: they are measured when they are due, and the figures are stored.

Measuring reads outside of the writer; one transaction then notes the figures and the next time, so that a crash repeats
neither. What cannot be measured (the index is being built, a field is no longer declared) is left out that time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from hedgerow.base.errors import ServiceError
from hedgerow.base.log import get_logger
from hedgerow.services.iot.fleet_metrics.model import FleetMetric
from hedgerow.services.iot.fleet_metrics.store import FleetMetricStore
from hedgerow.store import Answer, FollowUp, Run, Tx

log = get_logger("fleet-metrics")

DUE: Final = "fleet-metric"
MEASURED: Final = "fleet-metric-figures"


class Measures(Protocol):
    """The fleet's indexes."""

    def measure(self, tx: Tx, account: str, metric: FleetMetric) -> Sequence[tuple[str, float]]:
        """Answer (figure, value) of each that the metric asks for; raises a ServiceError when it cannot be told."""
        ...


class Telemetry(Protocol):
    """Where metrics are stored."""

    async def put_figure(self, account: str, name: str, figure: str, unit: str | None, value: float, at: float) -> None:
        """Store one value; durable when this returns."""
        ...


class FleetMetricFollowUps:
    """Handlers of the kinds `fleet-metric` and `fleet-metric-figures`."""

    def __init__(self, *, run: Run, store: FleetMetricStore, measures: Measures, telemetry: Telemetry) -> None:
        self._run = run
        self._store = store
        self._measures = measures
        self._telemetry = telemetry

    async def on_due(self, row: FollowUp) -> None:
        """Measure, then note the figures together with the next time. A repetition finds that it was done."""
        found = await self._run.read(lambda tx: self._measured(tx, row))
        if found is not None:
            metric, figures = found
            await self._run.write(lambda tx: self._noted(tx, row, metric, figures))

    async def on_measured(self, row: FollowUp) -> None:
        body: Mapping[str, float | str | None] = row.body
        await self._telemetry.put_figure(
            row.account,
            str(body["metric"]),
            str(body["figure"]),
            None if body["unit"] is None else str(body["unit"]),
            float(body["value"] or 0.0),
            float(body["at"] or 0.0),
        )

    def _measured(self, tx: Tx, row: FollowUp) -> tuple[FleetMetric, Sequence[tuple[str, float]]] | None:
        metric = self._store.get(tx, row.account, row.key)
        if metric is None or metric.next_at != row.body["at"]:
            return None
        try:
            return metric, self._measures.measure(tx, row.account, metric)
        except ServiceError as error:
            log.warning(
                "a fleet metric could not be measured",
                extra={"fields": {"account": row.account, "metric": metric.name, "detail": str(error)}},
            )
            return metric, ()

    def _noted(self, tx: Tx, row: FollowUp, metric: FleetMetric, figures: Sequence[tuple[str, float]]) -> Answer:
        now = self._store.get(tx, row.account, metric.name)
        if now != metric:  # changed or deleted meanwhile: it has a time of its own
            return Answer()
        due = metric.after(max(tx.now, metric.next_at))
        self._store.put(tx, row.account, replace(metric, next_at=due))
        tx.follow_up(DUE, account=row.account, key=metric.name, body={"at": due}, due_at=due)
        common = {"metric": metric.name, "unit": metric.unit, "at": metric.next_at}
        rows = [(f"{metric.name}/{figure}", {**common, "figure": figure, "value": value}) for figure, value in figures]
        tx.follow_up_many(MEASURED, account=row.account, rows=rows)
        return Answer()
