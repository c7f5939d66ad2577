"""CloudWatch's operations run on the telemetry database, which has a runner of its own; hence flows."""

from collections.abc import Callable, Mapping
from typing import Any

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.cloudwatch.metrics.model import Series
from hedgerow.services.cloudwatch.metrics.operations import MetricOperations
from hedgerow.store import Answer, Run, Tx, checked_before_writing

Operation = Callable[[Tx, Request, Caller], Answer]


class MetricFlows:
    """Each flow is one transaction on the telemetry database."""

    def __init__(self, *, run: Run, metrics: MetricOperations) -> None:
        self._run = run
        self._metrics = metrics

    async def put_metric_data(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        return await self._write(self._metrics.put_metric_data, request, caller)

    async def get_metric_data(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        return await self._read(self._metrics.get_metric_data, request, caller)

    async def get_metric_statistics(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        return await self._read(self._metrics.get_metric_statistics, request, caller)

    async def list_metrics(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        return await self._read(self._metrics.list_metrics, request, caller)

    async def put(self, account: str, series: Series, value: float, at: float) -> None:
        """Store one value of Hedgerow's own; durable when this returns."""

        def work(tx: Tx) -> Answer:
            self._metrics.put(tx, account, series, value, at)
            return Answer()

        await self._run.write(work)

    async def put_all(self, account: str, values: Mapping[Series, Mapping[float, int]], at: float) -> None:
        """Store values of Hedgerow's own, each with how often it was seen; durable, all of them, when this returns."""

        def work(tx: Tx) -> Answer:
            for series, counts in values.items():
                self._metrics.put_counted(tx, account, series, counts, at)
            return Answer()

        await self._run.write(work)

    async def forget(self) -> None:
        """Delete what is past its time."""
        await self._run.write(self._metrics.delete_old)

    async def _write(self, operation: Operation, request: Request, caller: Caller) -> Mapping[str, Any]:
        def work(tx: Tx) -> Answer:
            answer = operation(tx, request, caller)
            if unread := request.unread():
                raise NotImplementedYet(f"cloudwatch does not honour {', '.join(unread)}; leave it out")
            return answer

        with checked_before_writing(lambda: None):  # the members are read, and looked at, in the one transaction
            return (await self._run.write(work)).response

    async def _read(self, operation: Operation, request: Request, caller: Caller) -> Mapping[str, Any]:
        answer = await self._run.read(lambda tx: operation(tx, request, caller))
        return answer.response
