"""What things ask by HTTP (service `iot-jobs-data`). Notifications follow as if they had asked by MQTT."""

from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.jobs.device import Device, DeviceDesk, Report
from hedgerow.services.iot.jobs.messages import execution_message, state, summary
from hedgerow.services.iot.jobs.model import Status
from hedgerow.store import Answer, Tx


class JobDataOperations:
    """Jobs as a thing sees its own. A request names no namespace, so an execution of any is found by its job's id."""

    def __init__(self, *, desk: DeviceDesk) -> None:
        self._desk = desk

    def get_pending_job_executions(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        pending = self._desk.pending(tx, Device(caller.account, request["thingName"]))
        return Answer(
            {
                "inProgressJobs": [summary(one) for one in pending if one.status is Status.IN_PROGRESS],
                "queuedJobs": [summary(one) for one in pending if one.status is Status.QUEUED],
            }
        )

    def start_next_pending_job_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device = Device(caller.account, request["thingName"])
        details = request.take_all("statusDetails")
        one, events = self._desk.start_next(tx, device, details, request.get("stepTimeoutInMinutes"))
        if one is None:
            return Answer({}, events)
        document = self._desk.document(tx, device, one.job)
        return Answer({"execution": execution_message(one, now=tx.now, document=document)}, events)

    def describe_job_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device = Device(caller.account, request["thingName"], None)
        one = self._desk.describe(tx, device, request["jobId"], request.get("executionNumber"))
        wanted = request.get("includeJobDocument") is not False
        if one is None:
            return Answer({})
        document = self._desk.document(tx, device, one.job) if wanted else None
        return Answer({"execution": execution_message(one, now=tx.now, document=document)})

    def update_job_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        device = Device(caller.account, request["thingName"], None)
        report = Report(
            status=Status(request["status"]),
            details=request.take_all("statusDetails"),
            expected_version=request.get("expectedVersion"),
            number=request.get("executionNumber"),
            step_minutes=request.get("stepTimeoutInMinutes"),
        )
        one, events = self._desk.update(tx, device, request["jobId"], report)
        response: dict[str, Any] = {}
        if request.get("includeJobExecutionState"):
            response["executionState"] = state(one)
        if request.get("includeJobDocument"):
            response["jobDocument"] = self._desk.document(tx, device, one.job)
        return Answer(response, events)
