"""The control operations of job executions (service `iot`): one job on one thing."""

from dataclasses import replace
from typing import Any

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound, VersionConflict
from hedgerow.services.iot.jobs.changes import Jobs
from hedgerow.services.iot.jobs.device import check_details
from hedgerow.services.iot.jobs.errors import InvalidTransition
from hedgerow.services.iot.jobs.model import Execution, Status
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

MOST_DETAILS = 10


class JobExecutionOperations:
    """Executions as operators see them."""

    def __init__(self, *, jobs: Jobs, store: JobStore, pages: Pages) -> None:
        self._jobs = jobs
        self._store = store
        self._pages = pages

    def describe_job_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        number = request.get("executionNumber")
        one = self._execution(tx, caller, request["jobId"], request["thingName"], number)
        return Answer({"execution": _execution(one, caller, tx.now)})

    def list_job_executions_for_job(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        job, status = request["jobId"], request.get("status") or ""
        self._jobs.present(tx, caller.account, job)
        page = self._pages.by_token(request, caller, "ListJobExecutionsForJob", job=job, status=status)
        after = page.position or ("", 0)
        found = self._store.executions.of_job(tx, caller.account, job, status=status, after=after, limit=page.limit)
        return Answer(
            page.answer(
                "executionSummaries",
                found,
                key=lambda one: (one.thing, one.number),
                show=lambda one: {"thingArn": _thing_arn(one, caller), "jobExecutionSummary": _summary(one)},
            )
        )

    def list_job_executions_for_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        filters = {"status": request.get("status") or "", "job": request.get("jobId") or ""}
        thing, namespace = request["thingName"], request.get("namespaceId")
        page = self._pages.by_token(
            request, caller, "ListJobExecutionsForThing", thing=thing, namespace=namespace, **filters
        )
        found = self._store.executions.of_thing(
            tx,
            caller.account,
            thing,
            **filters,
            namespace=namespace,
            before=page.position[0] if page.position else None,
            limit=page.limit,
        )
        return Answer(
            page.answer(
                "executionSummaries",
                found,
                key=lambda one: (one.position,),
                show=lambda one: {"jobId": one.job, "jobExecutionSummary": _summary(one)},
            )
        )

    def cancel_job_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        one = self._execution(tx, caller, request["jobId"], request["thingName"], None)
        force, expected = bool(request.get("force")), request.get("expectedVersion")
        details = request.take_all("statusDetails")
        check_details(details)
        if details is not None and len(details) > MOST_DETAILS:
            raise InvalidRequest(f"statusDetails may have {MOST_DETAILS} entries at most")
        if expected is not None and expected != one.version:
            raise VersionConflict(f"the execution of {one.job} on {one.thing}", expected=expected, version=one.version)
        if not one.status.pending or (one.status is Status.IN_PROGRESS and not force):
            raise InvalidTransition(f"The execution is {one.status.value}" + (": use force" if not force else ""))
        changed = replace(one.moved(Status.CANCELED, tx.now, details), forced=force)
        return Answer({}, self._jobs.put(tx, caller.account, changed))

    def delete_job_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        force, namespace = bool(request.get("force")), request.get("namespaceId")
        one = self._execution(tx, caller, request["jobId"], request["thingName"], request["executionNumber"])
        if namespace is not None and namespace != one.namespace:
            raise ResourceNotFound(f"Job {one.job} not found for {one.thing} in the namespace {namespace}")
        if one.status is Status.IN_PROGRESS and not force:
            raise InvalidTransition("The execution is IN_PROGRESS: use force")
        return Answer({}, self._jobs.forget(tx, caller.account, one))

    def _execution(self, tx: Tx, caller: Caller, job: str, thing: str, number: int | None) -> Execution:
        if number is None:
            one = self._store.executions.latest(tx, caller.account, job, thing)
        else:
            one = self._store.executions.get(tx, caller.account, job, thing, number)
        if one is None:
            raise ResourceNotFound(f"Job {job} not found for {thing}")
        return one


def _present_only(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _thing_arn(one: Execution, caller: Caller) -> str:
    return arn("iot", caller.region, caller.account, f"thing/{one.thing}")


def _summary(one: Execution) -> dict[str, Any]:
    return _present_only(
        {
            "status": one.status.value,
            "queuedAt": one.queued_at,
            "startedAt": one.started_at,
            "lastUpdatedAt": one.updated_at,
            "executionNumber": one.number,
            "retryAttempt": one.attempt or None,
        }
    )


def _execution(one: Execution, caller: Caller, now: float) -> dict[str, Any]:
    left = None if one.ends_at is None else max(0, round(one.ends_at - now))
    return _present_only(
        _summary(one)
        | {
            "retryAttempt": None,  # only lists tell it
            "jobId": one.job,
            "forceCanceled": one.forced,
            "statusDetails": {"detailsMap": dict(one.details)},
            "thingArn": _thing_arn(one, caller),
            "versionNumber": one.version,
            "approximateSecondsBeforeTimedOut": left,
        }
    )
