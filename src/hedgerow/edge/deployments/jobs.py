"""Deployments of thing groups: IoT jobs in the namespace of Greengrass.

After every connect and every notification the next job is asked for; a notification that no longer names the running
job is its cancellation. Spec: Greengrass V2, the nucleus' job topics (namespace `aws-gg-deployment`).
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.packets import Publish
from hedgerow.edge.connection import Connection, Offline
from hedgerow.edge.deployments.engine import Engine
from hedgerow.edge.deployments.failure import Result, Status
from hedgerow.edge.trouble import Trouble

KIND: Final = "job"
NAMESPACE: Final = "namespace-aws-gg-deployment"
_LONGEST: Final = 1024  # characters of one status detail
_AGAIN_S: Final = 30.0
_PASSING: Final = frozenset({"InternalError", "RequestThrottled"})  # worth another try; the rest says no for good
_log = get_logger("edge.jobs")


class Jobs:
    """One core's job channel."""

    def __init__(self, *, connection: Connection, engine: Engine, thing_name: str) -> None:
        self._connection = connection
        self._engine = engine
        self._thing_name = thing_name
        self._prefix = f"$aws/things/{thing_name}/jobs"
        self._ask = asyncio.Event()
        self._listening = False
        self._listed: set[str] | None = None  # the jobs of the last notification

    def ask(self) -> None:
        """Look for the next job: after a connect, and when one has ended."""
        self._ask.set()

    async def run(self) -> None:
        """Listen and ask, until cancelled."""
        if not self._listening:
            await self._connection.subscribe(f"{self._prefix}/notify-{NAMESPACE}", self._notified)
            self._listening = True
        while True:
            await self._ask.wait()
            self._ask.clear()
            try:
                await self._cancel_if_gone()
                await self._next()
            except Offline:
                continue  # the next connect asks again
            except Trouble as trouble:
                _log.warning("the next job is not known", extra={"fields": {"cause": str(trouble)}})
                asyncio.get_running_loop().call_later(_AGAIN_S, self._ask.set)

    async def report(self, source: Mapping[str, Any], result: Result) -> None:
        """Tell the job's status; returns when the cloud has taken it or never will; Trouble: call again."""
        if result.status is Status.CANCELED:
            return  # the cloud cancelled it and knows; a device cannot set this status
        topic = f"{self._prefix}/{source['job_id']}/{NAMESPACE}/update"
        body = {
            "jobId": source["job_id"],
            "thingName": self._thing_name,
            "status": result.status.value,
            "statusDetails": _details(result),
        }
        accepted, answer = await self._connection.request(topic, body)
        if not accepted:
            code = str(answer.get("code", ""))
            fields = {"job": source["job_id"], "status": result.status.value, "code": code}
            _log.warning("the cloud rejected a job's status", extra={"fields": fields})
            if code in _PASSING:
                raise Trouble(f"the cloud rejected the status of job {source['job_id']}: {code}")

    def _notified(self, message: Publish) -> None:
        try:
            jobs = json.loads(message.payload).get("jobs") or {}
            self._listed = {str(one["jobId"]) for ones in jobs.values() for one in ones}
        except (ValueError, AttributeError, TypeError, KeyError):
            self._listed = None
            _log.warning("a job notification cannot be read")
        self._ask.set()

    async def _cancel_if_gone(self) -> None:
        listed, self._listed = self._listed, None
        running = self._engine.running
        if listed is None or running is None or running.source["kind"] != KIND:
            return
        if running.source["job_id"] not in listed:
            await self._engine.cancel(running.key)

    async def _next(self) -> None:
        body = {"jobId": "$next", "thingName": self._thing_name, "includeJobDocument": True}
        accepted, answer = await self._connection.request(f"{self._prefix}/$next/{NAMESPACE}/get", body)
        if not accepted:
            _log.warning("the cloud rejected the question for the next job", extra={"fields": {"answer": answer}})
            return
        execution = answer.get("execution") or {}
        job_id, document = execution.get("jobId"), execution.get("jobDocument")
        if not job_id or not isinstance(document, Mapping):
            return
        key = f"{KIND}:{job_id}:{execution.get('queuedAt')}"
        await self._engine.offer(key, {"kind": KIND, "job_id": job_id}, document)


def _details(result: Result) -> dict[str, str]:
    details = {}
    if result.detail is not None:
        details["detailed-deployment-status"] = result.detail.value
    if result.cause:
        details["deployment-failure-cause"] = result.cause[:_LONGEST]
    if result.stack:
        details["deployment-error-stack"] = json.dumps(list(result.stack))[:_LONGEST]
    if result.types:
        details["deployment-error-types"] = json.dumps(list(result.types))[:_LONGEST]
    return details
