"""Jobs over MQTT. Answers go to the asking connection alone; notifications are ordinary messages.

Topics: `$aws/things/<thing>/jobs/…` with `get`, `start-next`, `<job>/get`, `$next/get`, `<job>/update`, and
Greengrass's form of the last three, with a level `namespace-<namespace>` before the last.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from hedgerow.core.caller import Caller
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.jobs.device import Device, DeviceDesk, Report
from hedgerow.services.iot.jobs.errors import InvalidJobRequest, InvalidJson, InvalidTopic, JobRefused
from hedgerow.services.iot.jobs.messages import Message, execution_message, state, summary
from hedgerow.services.iot.jobs.model import Status
from hedgerow.services.iot.jobs.queue import Events
from hedgerow.store import Answer, Tx

NAMESPACE: Final = "namespace-"
LONGEST_TOKEN: Final = 64
_INTEGER: Final = re.compile(r"-?[0-9]{1,15}")

Work = Callable[[Device, Mapping[str, Any]], tuple[Message, Events]]


class JobTopics:
    """Requests that arrive as publications."""

    def __init__(self, *, desk: DeviceDesk) -> None:
        self._desk = desk

    def get_pending(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        """`jobs/get`."""

        def work(device: Device, body: Mapping[str, Any]) -> tuple[Message, Events]:
            pending = self._desk.pending(tx, device)
            return {
                "inProgressJobs": [summary(one) for one in pending if one.status is Status.IN_PROGRESS],
                "queuedJobs": [summary(one) for one in pending if one.status is Status.QUEUED],
            }, ()

        return _answered(tx, request, caller, work)

    def start_next(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        """`jobs/start-next`."""

        def work(device: Device, body: Mapping[str, Any]) -> tuple[Message, Events]:
            minutes = _maybe_integer(body, "stepTimeoutInMinutes")
            one, events = self._desk.start_next(tx, device, body.get("statusDetails"), minutes)
            if one is None:
                return {}, events
            document = json.loads(self._desk.document(tx, device, one.job))
            return {"execution": execution_message(one, now=tx.now, document=document)}, events

        return _answered(tx, request, caller, work)

    def describe(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        """`jobs/<job>/get` and `jobs/$next/get`."""

        def work(device: Device, body: Mapping[str, Any]) -> tuple[Message, Events]:
            one = self._desk.describe(tx, device, request.parts[1], _maybe_integer(body, "executionNumber"))
            if one is None:
                return {}, ()
            wanted = _truth(body, "includeJobDocument", default=True)
            document = json.loads(self._desk.document(tx, device, one.job)) if wanted else None
            return {"execution": execution_message(one, now=tx.now, document=document)}, ()

        return _answered(tx, request, caller, work)

    def update(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        """`jobs/<job>/update`."""

        def work(device: Device, body: Mapping[str, Any]) -> tuple[Message, Events]:
            one, events = self._desk.update(tx, device, request.parts[1], _report(body))
            message: Message = {}
            if _truth(body, "includeJobExecutionState", default=False):
                message["executionState"] = state(one)
            if _truth(body, "includeJobDocument", default=False):
                message["jobDocument"] = json.loads(self._desk.document(tx, device, one.job))
            return message, events

        return _answered(tx, request, caller, work)


def _answered(tx: Tx, request: TopicRequest, caller: Caller, work: Work) -> Answer:
    body: Mapping[str, Any] = {}
    try:
        device = _device(request, caller)
        body = _object(request.payload)
        message, events = work(device, body)
        what = "accepted"
    except JobRefused as error:  # raised before anything is written
        message, events, what = {"code": error.code_on_topics, "message": error.message}, (), "rejected"
        if error.state is not None:
            message["executionState"] = error.state
    token = body.get("clientToken")
    head: Message = {} if not isinstance(token, str) else {"clientToken": token}
    payload = json.dumps({**head, "timestamp": int(tx.now), **message}, separators=(",", ":"), ensure_ascii=False)
    return Answer({"replies": ((f"{request.topic}/{what}", payload.encode("utf-8")),)}, events)


def _device(request: TopicRequest, caller: Caller) -> Device:
    if len(request.parts) < 3:
        return Device(caller.account, request.parts[0])
    if not request.parts[2].startswith(NAMESPACE):
        raise InvalidTopic(f"{request.topic} is no topic of the jobs service")
    return Device(caller.account, request.parts[0], request.parts[2].removeprefix(NAMESPACE))


def _object(payload: bytes) -> Mapping[str, Any]:
    if not payload.strip():
        return {}
    try:
        body = json.loads(payload.decode("utf-8"))
        json.dumps(body, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise InvalidJson("The payload is not JSON") from error
    if not isinstance(body, dict):
        raise InvalidJson("The payload is not a JSON object")
    token = body.get("clientToken")
    if token is not None and (not isinstance(token, str) or len(token) > LONGEST_TOKEN):
        raise InvalidJobRequest(f"clientToken must be a text of at most {LONGEST_TOKEN} characters")
    return body


def _report(body: Mapping[str, Any]) -> Report:
    try:
        status = Status(body.get("status"))
    except ValueError as error:
        raise InvalidJobRequest("status must be IN_PROGRESS, SUCCEEDED, FAILED or REJECTED") from error
    return Report(
        status=status,
        details=body.get("statusDetails"),
        expected_version=_maybe_integer(body, "expectedVersion"),
        number=_maybe_integer(body, "executionNumber"),
        step_minutes=_maybe_integer(body, "stepTimeoutInMinutes"),
    )


def _maybe_integer(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)  # AWS's examples send expectedVersion as a text
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**53):
        raise InvalidJobRequest(f"{name} must be an integer")
    return value


def _truth(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidJobRequest(f"{name} must be true or false")
    return value
