"""The device's side of IoT jobs: hears of them, starts the next one, reports how it went.

After every connect and every notification the next job is asked for, until there is none. A notification that no
longer names the running execution is its end: the cloud cancelled it, or its time was over, and what it may name
instead is another try. A result is reported until the
cloud has taken it or never will. A device whose policy does not allow the topics runs no jobs and says so once.
Spec: AWS IoT jobs, device MQTT operations. Leaves to others: running a job (`execution.py`).
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.packets import Publish
from hedgerow.edge.connection import Connection, Offline
from hedgerow.edge.jobs.execution import Executions, Job, Result, Status
from hedgerow.edge.notice import Console
from hedgerow.edge.trouble import NotLetIn, Trouble, ungrouped

AGAIN_S: Final = 30.0
MOST_CUTS: Final = 3  # connections in a row that ended while a job was asked for
PAUSE_S: Final = 900.0
_PASSING: Final = frozenset({"InternalError", "RequestThrottled"})  # worth another try; the rest says no for good
_log = get_logger("edge.jobs")


class JobChannel:
    """One thing's job channel."""

    def __init__(
        self,
        *,
        connection: Connection,
        executions: Executions,
        console: Console,
        thing_name: str,
        again_s: float = AGAIN_S,
    ) -> None:
        self._connection = connection
        self._executions = executions
        self._console = console
        self._prefix = f"$aws/things/{thing_name}/jobs"
        self._again_s = again_s
        self._ask = asyncio.Event()
        self._listening = False
        self._running: tuple[Job, asyncio.Task[Result]] | None = None
        self._connects = 0
        self._cuts = 0  # in a row, while asking

    def ask(self) -> None:
        """Look for the next job: after a connect."""
        self._connects += 1
        self._ask.set()

    async def run(self) -> None:
        """Listen and run jobs, until cancelled."""
        failed_in = 0  # the connection in which asking failed last
        while True:
            await self._ask.wait()
            self._ask.clear()
            if failed_in and self._connects > failed_in:
                failed_in = 0
                await self._cut_off()
            try:
                await self._listen()
                await self._work()
            except Offline:
                continue  # the next connect asks again
            except NotLetIn as refusal:
                _log.info("no jobs are run", extra={"fields": {"cause": str(refusal)}})
            except Trouble as trouble:
                failed_in = self._connects
                _log.warning("the next job is not known", extra={"fields": {"cause": str(trouble)}})
                asyncio.get_running_loop().call_later(self._again_s, self._ask.set)

    async def _cut_off(self) -> None:
        """A connection ended while we asked; when that goes on, asking is why, and the rest of the device matters."""
        self._cuts += 1
        if self._cuts >= MOST_CUTS:
            self._console.say("the connection ends when jobs are asked for: is that in the policy? No jobs for a while")
            _log.warning("no jobs for a while", extra={"fields": {"cuts": self._cuts, "wait_s": PAUSE_S}})
            await asyncio.sleep(PAUSE_S)

    async def _listen(self) -> None:
        if not self._listening:
            await self._connection.subscribe(f"{self._prefix}/notify", self._notified)
            self._listening = True

    async def _work(self) -> None:
        known = await self._executions.known()
        if known is not None and (result := known.ended()) is not None:
            await self._report(known.job_id, known.number, result)
            await self._executions.reported()
        while (job := await self._next()) is not None:
            await self._run(job)

    async def _next(self) -> Job | None:
        accepted, answer = await self._connection.request(f"{self._prefix}/start-next", {})
        self._cuts = 0
        if not accepted:
            raise Trouble(
                f"the cloud rejected the question for the next job: {answer.get('code')} {answer.get('message')}"
            )
        execution = answer.get("execution")
        if not execution:
            return None
        number = int(execution.get("executionNumber") or 1)
        job_id = str(execution["jobId"])
        return Job(
            job_id=job_id,
            number=number,
            queued_at=execution.get("queuedAt"),
            document=execution.get("jobDocument"),
        )

    async def _run(self, job: Job) -> None:
        self._console.say(f"job {job.job_id} begins")
        _log.info("a job begins", extra={"fields": {"job": job.job_id, "execution": job.number}})
        try:
            with ungrouped():
                async with asyncio.TaskGroup() as tasks:
                    task = tasks.create_task(self._executions.run(job, self._progress))
                    self._running = job, task
        finally:
            self._running = None
        if task.cancelled():
            self._console.say(f"job {job.job_id} was cancelled")
            await self._executions.reported()
            return
        result = task.result()
        reason = result.details.get("reason", "")
        self._console.say(f"job {job.job_id}: {result.status.value}" + (f" ({reason})" if reason else ""))
        fields = {"job": job.job_id, "execution": job.number, "status": result.status.value, "reason": reason}
        _log.info("a job has ended", extra={"fields": fields})
        await self._report(job.job_id, job.number, result)
        await self._executions.reported()

    async def _progress(self, job: Job, details: Mapping[str, str]) -> None:
        """Tell which step comes; a device that is offline goes on without."""
        try:
            await self._update(job.job_id, job.number, Status.IN_PROGRESS, details)
        except Trouble as trouble:
            _log.info("a job's step is not told", extra={"fields": {"job": job.job_id, "cause": str(trouble)}})
        except Offline:
            return

    async def _report(self, job_id: str, number: int, result: Result) -> None:
        await self._update(job_id, number, result.status, result.details)

    async def _update(self, job_id: str, number: int, status: Status, details: Mapping[str, str]) -> None:
        """Tell a status; returns when the cloud has taken it or never will. Raises Offline, and Trouble: call again."""
        body = {"status": status.value, "statusDetails": dict(details), "executionNumber": number}
        accepted, answer = await self._connection.request(f"{self._prefix}/{job_id}/update", body)
        if accepted:
            return
        code = str(answer.get("code", ""))
        fields = {"job": job_id, "status": status.value, "code": code, "message": answer.get("message")}
        _log.warning("the cloud rejected a job's status", extra={"fields": fields})
        if code in _PASSING:
            raise Trouble(f"the cloud rejected the status of job {job_id}: {code}")

    def _notified(self, message: Publish) -> None:
        try:
            jobs: Mapping[str, Any] = json.loads(message.payload).get("jobs") or {}
            listed = [one for ones in jobs.values() for one in ones]
            gone = self._running is not None and not any(_is(one, self._running[0]) for one in listed)
        except (ValueError, AttributeError, TypeError, KeyError):
            _log.warning("a job notification cannot be read")
            return
        if gone and self._running is not None:
            self._running[1].cancel()
        self._ask.set()


def _is(listed: Mapping[str, Any], job: Job) -> bool:
    """Tell whether a notification names this execution: not another try, and no later job of the same id."""
    number, queued_at = listed.get("executionNumber"), listed.get("queuedAt")
    same = number in (None, job.number) and queued_at in (None, job.queued_at)
    return str(listed["jobId"]) == job.job_id and same
