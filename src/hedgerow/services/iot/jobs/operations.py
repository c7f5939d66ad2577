"""The control operations of jobs (service `iot`). Spec: AWS IoT Jobs, "create and manage jobs"."""

from dataclasses import replace
from typing import Any, Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound
from hedgerow.services.iot.jobs.changes import Jobs
from hedgerow.services.iot.jobs.documents import Documents, given_document
from hedgerow.services.iot.jobs.model import Job, Selection, Status
from hedgerow.services.iot.jobs.scheduling import next_rollouts
from hedgerow.services.iot.jobs.settings import Settings, read_settings, shown_settings
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.services.iot.jobs.template_operations import Draft, Templates, check_passed
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.principals import own_resource
from hedgerow.store import Answer, Tx


class GroupIds(Protocol):
    """What listing jobs needs of thing groups."""

    def id_of(self, tx: Tx, account: str, name: str) -> str | None:
        """Answer the id of the group of this name, or None."""
        ...

    def name_of(self, tx: Tx, account: str, group_id: str) -> str | None:
        """Answer the name of the group with this id, or None."""
        ...


class JobOperations:
    """Jobs as operators see them."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        store: JobStore,
        documents: Documents,
        templates: Templates,
        groups: GroupIds,
        pages: Pages,
    ) -> None:
        self._jobs = jobs
        self._templates = templates
        self._groups = groups
        self._documents = documents
        self._store = store
        self._pages = pages

    def create_job(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        things, groups = _targets(request, caller)
        draft = self._draft(tx, request, caller)
        settings = read_settings(request)
        check_passed(request, settings, Settings() if draft is None else draft.settings)
        job = Job(
            id=request["jobId"],
            things=things,
            groups=groups,
            selection=Selection(request.get("targetSelection") or "SNAPSHOT"),
            document=given_document(request) if draft is None else draft.document,
            source=request.get("documentSource") if draft is None else draft.source,
            description=request.get("description") or (None if draft is None else draft.description),
            namespace=request.get("namespaceId"),
            settings=settings if draft is None else draft.settings_for(settings),
            template=None if draft is None else draft.arn,
            unfilled=None if draft is None else draft.before,
            parameters={} if draft is None else draft.parameters,
        )
        self._documents.check(tx, caller.account, job.document, job.settings.presigning)
        events = self._jobs.create(tx, caller.account, job)
        return Answer(_named(job, caller), events)

    def _draft(self, tx: Tx, request: Request, caller: Caller) -> Draft | None:
        template, parameters = request.get("jobTemplateArn"), request.take_all("documentParameters") or {}
        if template is None:
            if parameters:
                raise InvalidRequest("documentParameters can only be used with AWS managed templates.")
            return None
        if "document" in request or "documentSource" in request:
            raise InvalidRequest("A job has the document of its template: give one of both.")
        return self._templates.draft(tx, caller, template, parameters)

    def describe_job(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        job = self._jobs.present(tx, caller.account, request["jobId"])
        request.get("beforeSubstitution")  # what is shown of a job is the same before and after
        counts = self._store.progress(tx, caller.account, job.id).counts
        shown = _shown(job, caller) | {"jobProcessDetails": _progress(job, counts, caller)}
        rollouts = next_rollouts(job.settings.schedule, tx.now) if job.status.alive else []
        source = {} if job.source is None else {"documentSource": job.source}
        return Answer({**source, "job": shown | ({"scheduledJobRollouts": rollouts} if rollouts else {})})

    def list_jobs(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, identifier = request.get("thingGroupName"), request.get("thingGroupId")
        group = name if identifier is None else self._groups.name_of(tx, caller.account, identifier)
        nobody = identifier is not None and (group is None or name not in (None, group))
        filters = {
            "status": request.get("status") or "",
            "selection": request.get("targetSelection") or "",
            "namespace": request.get("namespaceId") or "",
            "group": group or "",
        }
        page = self._pages.by_token(request, caller, "ListJobs", **filters)
        before, after = page.position or (None, "")
        jobs = self._store.list(tx, caller.account, **filters, before=before, after=after, limit=page.limit)
        shown = {} if not group else {"thingGroupId": self._groups.id_of(tx, caller.account, group)}
        return Answer(
            page.answer(
                "jobs",
                [] if nobody else jobs,
                key=lambda one: (one.created_at, one.id),
                show=lambda one: _present_only({**_listed(one, caller), **shown}),
            )
        )

    def update_job(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        job = self._jobs.present(tx, caller.account, request["jobId"])
        _same_namespace(job, request.get("namespaceId"))
        if not job.status.alive:
            raise InvalidRequest(f"Job {job.id} is {job.status.value} and cannot be updated.")
        # A new timeout counts for what starts from now on, a new rate from the next step of the rollout on.
        changed = replace(job, settings=read_settings(request).over(job.settings), updated_at=tx.now)
        self._documents.check(tx, caller.account, job.document, changed.settings.presigning)
        if "description" in request:
            changed = replace(changed, description=request["description"])
        self._store.put(tx, caller.account, changed)
        return Answer()

    def associate_targets_with_job(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        things, groups = _targets(request, caller)
        _same_namespace(self._jobs.present(tx, caller.account, request["jobId"]), request.get("namespaceId"))
        job, events = self._jobs.extend(
            tx, caller.account, request["jobId"], things=things, groups=groups, comment=request.get("comment")
        )
        return Answer(_named(job, caller), events)

    def get_job_document(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        job = self._jobs.present(tx, caller.account, request["jobId"])
        before = bool(request.get("beforeSubstitution")) and job.unfilled is not None
        return Answer({"document": job.unfilled if before else job.document})

    def cancel_job(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        job, events = self._jobs.cancel(
            tx,
            caller.account,
            request["jobId"],
            force=bool(request.get("force")),
            reason_code=request.get("reasonCode"),
            comment=request.get("comment"),
        )
        return Answer(_named(job, caller), events)

    def delete_job(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        force = bool(request.get("force"))
        _same_namespace(self._jobs.present(tx, caller.account, request["jobId"]), request.get("namespaceId"))
        return Answer({}, self._jobs.delete(tx, caller.account, request["jobId"], force=force))


def _targets(request: Request, caller: Caller) -> tuple[tuple[str, ...], tuple[str, ...]]:
    things: list[str] = []
    groups: list[str] = []
    for text in request["targets"]:
        kind, _, name = own_resource(text, caller).partition("/")
        if kind not in ("thing", "thinggroup") or not name:
            raise InvalidRequest(f"The target {text} is neither a thing nor a thing group.")
        (things if kind == "thing" else groups).append(name)
    if not things and not groups:
        raise InvalidRequest("A job needs at least one target.")
    return tuple(dict.fromkeys(things)), tuple(dict.fromkeys(groups))


def _same_namespace(job: Job, namespace: str | None) -> None:
    if namespace is not None and namespace != job.namespace:
        raise ResourceNotFound(f"Job {job.id} cannot be found in the namespace {namespace}.")


def _present_only(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _named(job: Job, caller: Caller) -> dict[str, Any]:
    return _present_only(
        {"jobArn": job.arn(caller.region, caller.account), "jobId": job.id, "description": job.description}
    )


def _listed(job: Job, caller: Caller) -> dict[str, Any]:
    return _present_only(
        {
            "jobArn": job.arn(caller.region, caller.account),
            "jobId": job.id,
            "targetSelection": job.selection.value,
            "status": job.status.value,
            "createdAt": job.created_at,
            "lastUpdatedAt": job.updated_at,
            "completedAt": job.completed_at,
            "isConcurrent": False,
        }
    )


def _shown(job: Job, caller: Caller) -> dict[str, Any]:
    return _listed(job, caller) | _present_only(
        {
            "forceCanceled": job.forced,
            "reasonCode": job.reason_code,
            "comment": job.comment,
            "targets": job.target_arns(caller.region, caller.account),
            "description": job.description,
            "namespaceId": job.namespace,
            "jobTemplateArn": job.template,
            "documentParameters": dict(job.parameters) or None,
            "presignedUrlConfig": {},
            "jobExecutionsRolloutConfig": {},
            "timeoutConfig": {},
            "schedulingConfig": {},
            **shown_settings(job.settings),
        }
    )


def _progress(job: Job, counts: Any, caller: Caller) -> dict[str, Any]:
    names = {
        Status.CANCELED: "Canceled",
        Status.SUCCEEDED: "Succeeded",
        Status.FAILED: "Failed",
        Status.REJECTED: "Rejected",
        Status.QUEUED: "Queued",
        Status.IN_PROGRESS: "InProgress",
        Status.REMOVED: "Removed",
        Status.TIMED_OUT: "TimedOut",
    }
    numbers = {f"numberOf{name}Things": counts.get(status, 0) for status, name in names.items()}
    return {"processingTargets": job.target_arns(caller.region, caller.account), **numbers}
