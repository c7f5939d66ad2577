"""Carries deployments out, one at a time: prepare everything, switch in one row, watch, keep or roll back, report.

The life of a deployment, as rows: QUEUED (preparing changes nothing that runs and may be done again), SWITCHING (its
generation is complete on disk, and the intent to run it is written), ENDED (the active generation, the result and the
report of it in one transaction). So a kill at any moment leaves the old or the new: after a restart a QUEUED one is
prepared again, a SWITCHING one is switched to again, at most three times, then the old one is kept.
Leaves to others: where deployments come from and how they are reported (`jobs.py`, `shadow.py`), how components run.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError
from hedgerow.base.log import get_logger
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.components.model import Generation
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.deployments import document as documents
from hedgerow.edge.deployments import store
from hedgerow.edge.deployments.document import Document
from hedgerow.edge.deployments.failure import (
    DeploymentCanceled,
    DeploymentFailed,
    DeploymentRejected,
    Detail,
    Result,
    Status,
)
from hedgerow.edge.deployments.preparation import Preparation
from hedgerow.edge.deployments.store import Deployment, Phase
from hedgerow.edge.notice import Console
from hedgerow.edge.state import State
from hedgerow.edge.trouble import Trouble

MOST_TRIES: Final = 3  # of one switch, over restarts
WATCH_S: Final = 1.0  # how long everything must stay well after it runs
HEALTH_S: Final = 180.0  # how long it may take until everything runs
_log = get_logger("edge.deployments")


class Engine:
    """The deployments of one core. `run` it as one task."""

    def __init__(
        self,
        *,
        state: State,
        supervisor: Supervisor,
        preparation: Preparation,
        clock: Clock,
        console: Console,
        backoff: Backoff | None = None,
        watch_s: float = WATCH_S,
        health_s: float = HEALTH_S,
    ) -> None:
        self._state = state
        self._supervisor = supervisor
        self._preparation = preparation
        self._clock = clock
        self._console = console
        self._backoff = backoff or Backoff()
        self._watch_s = watch_s
        self._health_s = health_s
        self._offered = asyncio.Event()
        self._online = asyncio.Event()
        self._current: Deployment | None = None
        self._cancelled = threading.Event()  # read by download threads too
        self._cancel_asked = asyncio.Event()
        self.to_report = asyncio.Event()
        self.started = asyncio.Event()  # what is deployed has been started once
        self._on_ended: list[Callable[[Deployment, Result], None]] = []

    @property
    def running(self) -> Deployment | None:
        """The deployment that is being carried out."""
        return self._current

    def on_ended(self, listener: Callable[[Deployment, Result], None]) -> None:
        """Call this on the loop with every deployment that has ended. It must not block."""
        self._on_ended.append(listener)

    async def offer(self, key: str, source: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
        """Keep a deployment and carry it out in its turn; False when it is known already. Safe to repeat."""
        new = await self._state.write(lambda c: store.offer(c, key, source, document))
        if new:
            self._offered.set()
        return new

    async def cancel(self, key: str) -> None:
        """Take a deployment back. One that is prepared stops, one that is being switched to is rolled back."""
        if self._current is not None and self._current.key == key:
            self._cancelled.set()
            self._cancel_asked.set()
            return

        def step(connection: Any) -> None:
            deployment = store.find(connection, key)
            if deployment is not None and deployment.phase is Phase.QUEUED:
                store.end(connection, deployment, Result(status=Status.CANCELED, cause="cancelled by the cloud"))

        await self._state.write(step)
        self.to_report.set()

    def online(self) -> None:
        """There is a connection (again): what waited for one need not wait longer."""
        self._online.set()

    async def run(self) -> None:
        """Start what is deployed, then carry out what comes, until cancelled."""
        deployment = await self._state.read(store.next_one)
        if deployment is None or deployment.phase is not Phase.SWITCHING:
            await self._supervisor.apply(await self._state.read(store.active))
            self.started.set()
        self.to_report.set()
        while True:
            self._offered.clear()
            deployment = await self._state.read(store.next_one)
            if deployment is None:
                await self._offered.wait()
                continue
            await self._carry_out(deployment)

    async def _carry_out(self, deployment: Deployment) -> None:
        self._current = deployment
        self._cancelled.clear()
        self._cancel_asked.clear()
        try:
            if deployment.phase is Phase.SWITCHING:
                await self._resume(deployment)
            else:
                await self._begin(deployment)
        finally:
            self._current = None

    async def _begin(self, deployment: Deployment) -> None:
        self._console.say(f"deployment {_name(deployment)} begins")
        await self._report(deployment, Result(status=Status.IN_PROGRESS))
        try:
            document = documents.read(deployment.document)
            candidate = await self._prepared(document)
            self._check_cancelled()
        except DeploymentRejected as error:
            result = Result(
                status=Status.REJECTED, detail=Detail.REJECTED, cause=str(error), stack=("REJECTED_STALE_DEPLOYMENT",)
            )
            await self._end(deployment, result)
        except DeploymentCanceled:
            await self._end(deployment, Result(status=Status.CANCELED, cause="cancelled by the cloud"))
        except DeploymentFailed as error:
            await self._end(deployment, error.result(Detail.FAILED_NO_STATE_CHANGE))
        except HedgerowError as error:
            failed = DeploymentFailed(f"the deployment cannot be prepared: {error}")
            await self._end(deployment, failed.result(Detail.FAILED_NO_STATE_CHANGE))
        else:
            intended = await self._state.write(lambda c: store.begin_switch(c, deployment, candidate))
            await self._switch(deployment, document, intended)

    async def _prepared(self, document: Document) -> Generation:
        """Prepare, for as long as it takes the cloud to be there; a cancelled one stops waiting."""
        while True:
            active = await self._state.read(store.active)
            try:
                return await self._preparation.prepare(document, active, self._cancelled)
            except Trouble as trouble:
                wait = self._backoff.next()
                fields = {"deployment": document.deployment_id, "cause": str(trouble), "wait_s": round(wait, 1)}
                _log.warning("a deployment waits", extra={"fields": fields})
                self._console.say(f"deployment waits: {trouble}")
                await self._pause(wait)
            self._check_cancelled()

    async def _pause(self, wait_s: float) -> None:
        self._online.clear()
        async with asyncio.TaskGroup() as waiting:
            waits = [waiting.create_task(self._online.wait()), waiting.create_task(self._cancel_asked.wait())]
            await asyncio.wait(waits, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for one in waits:
                one.cancel()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise DeploymentCanceled

    async def _resume(self, deployment: Deployment) -> None:
        """The process ended during the switch: try again, or give the old one back its place."""
        document = documents.read(deployment.document)
        candidate = await self._state.read(lambda c: store.generation(c, deployment.body["candidate"]))
        tries = await self._state.write(lambda c: store.count_try(c, deployment))
        if tries > MOST_TRIES:
            await self._roll_back(deployment, f"the edge ended {MOST_TRIES} times while it switched to this deployment")
            return
        await self._switch(deployment, document, candidate)

    async def _switch(self, deployment: Deployment, document: Document, candidate: Generation) -> None:
        """Run the candidate and watch it; keep it or roll back."""
        started = await self._supervisor.apply(candidate)
        self.started.set()
        wrong = await self._health(started)
        if self._cancelled.is_set():
            await self._roll_back(deployment, "")
        elif wrong is None:
            succeeded = Result(status=Status.SUCCEEDED, detail=Detail.SUCCESSFUL)
            await self._end(deployment, succeeded, active=candidate)
        elif document.roll_back:
            await self._roll_back(deployment, wrong)
        else:
            failed = DeploymentFailed(wrong, "COMPONENT_BROKEN", types=("COMPONENT_ERROR",))
            await self._end(deployment, failed.result(Detail.FAILED_ROLLBACK_NOT_REQUESTED), active=candidate)

    async def _health(self, started: set[str]) -> str | None:
        """Answer what is wrong with what was started, None when all is well; stops waiting when cancelled."""
        async with asyncio.TaskGroup() as waiting:
            settled = waiting.create_task(
                self._supervisor.settled(started, within_s=self._health_s, watch_s=self._watch_s)
            )
            cancelled = waiting.create_task(self._cancel_asked.wait())
            await asyncio.wait((settled, cancelled), return_when=asyncio.FIRST_COMPLETED)
            cancelled.cancel()
            answer = settled.result() if settled.done() else "cancelled by the cloud"
            settled.cancel()
        return answer

    async def _roll_back(self, deployment: Deployment, wrong: str) -> None:
        old = await self._state.read(store.active)
        started = await self._supervisor.apply(old)
        self.started.set()
        still = await self._supervisor.settled(started, within_s=self._health_s, watch_s=self._watch_s)
        if self._cancelled.is_set() and not still:
            await self._end(deployment, Result(status=Status.CANCELED, cause="cancelled by the cloud, rolled back"))
            return
        cause = wrong or "cancelled by the cloud"
        failed = DeploymentFailed(cause, "COMPONENT_BROKEN", types=("COMPONENT_ERROR",))
        if still:
            failed = DeploymentFailed(f"{cause}; and after the roll-back {still}", "COMPONENT_BROKEN")
        await self._end(
            deployment, failed.result(Detail.FAILED_UNABLE_TO_ROLLBACK if still else Detail.FAILED_ROLLBACK_COMPLETE)
        )

    async def _report(self, deployment: Deployment, result: Result) -> None:
        await self._state.write(lambda c: store.report(c, deployment, result))
        self.to_report.set()

    async def _end(self, deployment: Deployment, result: Result, *, active: Generation | None = None) -> None:
        number = active.number if active is not None else None
        await self._state.write(lambda c: store.end(c, deployment, result, active=number))
        self._backoff.reset()
        self.to_report.set()
        for listener in self._on_ended:
            listener(deployment, result)
        fields = {"deployment": deployment.key, **result.as_values()}
        level = _log.info if result.status is Status.SUCCEEDED else _log.warning
        level("deployment ended", extra={"fields": fields})
        cause = f": {result.cause}" if result.cause else ""
        self._console.say(f"deployment {_name(deployment)} {result.status.value}{cause}")
        if active is not None:
            await self._preparation.clear(await self._state.read(store.active))


def _name(deployment: Deployment) -> str:
    values = {str(key).lower(): value for key, value in deployment.document.items()}
    return str(values.get("deploymentname") or values.get("deploymentid") or deployment.key)
