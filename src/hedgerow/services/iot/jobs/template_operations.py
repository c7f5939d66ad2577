"""Job templates: the account's own, AWS's, and what a job takes from one.

Spec: AWS IoT Jobs, "job templates". What CreateJob says itself counts; the rest comes from the template. Parameters of
documents are for AWS's templates alone, as in AWS.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound
from hedgerow.services.iot.jobs.documents import Documents, given_document
from hedgerow.services.iot.jobs.errors import TemplateExists
from hedgerow.services.iot.jobs.managed_templates import MANAGED, VERSION
from hedgerow.services.iot.jobs.model import Job
from hedgerow.services.iot.jobs.scheduling import Schedule, Window, read_windows, shown_windows
from hedgerow.services.iot.jobs.settings import Settings, read_settings, shown_settings
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.services.iot.jobs.template_store import Template, TemplateStore
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.principals import own_resource
from hedgerow.store import Answer, Tx

PASSED: Final = "$passedRole"
"""The member in which an operation is told about which role the caller was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a job takes from its template. `before` is the document before parameters were filled in."""

    document: str
    arn: str
    source: str | None = None
    description: str | None = None
    before: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    windows: tuple[Window, ...] = ()

    def settings_for(self, said: Settings) -> Settings:
        """Answer a job's settings: what it says itself, else what the template says."""
        both = said.over(self.settings)
        schedule = said.schedule or Schedule()
        if not self.windows or schedule.windows:
            return both
        return replace(both, schedule=replace(schedule, windows=self.windows))


def check_passed(request: Request, said: Settings, inherited: Settings) -> None:
    """Raise InvalidRequest unless the caller was asked about the role that comes along (and has not changed since)."""
    passed, comes = request.get(PASSED), None if said.presigning is not None else inherited.presigning
    if comes is not None and passed != comes.role_arn:
        raise InvalidRequest("What this is made from has just been changed; try again.")


class Templates:
    """Finds the template of a job. It holds no state; one serves every transaction."""

    def __init__(self, *, store: TemplateStore, jobs: JobStore) -> None:
        self._store = store
        self._jobs = jobs

    def role_of(self, tx: Tx, caller: Caller, request: Mapping[str, Any]) -> str | None:
        """Answer the role that comes with the template or job that the request names, unless it names one itself."""
        if request.get("presignedUrlConfig"):
            return None
        found: Template | Job | None = None
        for member, kind, store in (("jobTemplateArn", "jobtemplate", self._store), ("jobArn", "job", self._jobs)):
            parsed = parse(request.get(member) or "")
            if parsed is not None and parsed.account == caller.account and parsed.resource.startswith(f"{kind}/"):
                found = store.get(tx, caller.account, parsed.resource.partition("/")[2])
        presigning = None if found is None else found.settings.presigning
        return None if presigning is None else presigning.role_arn

    def draft(self, tx: Tx, caller: Caller, template_arn: str, parameters: Mapping[str, str]) -> Draft:
        """Read the template of this ARN. Raises InvalidRequest and ResourceNotFound."""
        parsed = parse(template_arn)
        if parsed is not None and not parsed.account:
            return self._managed(caller, template_arn, parameters)
        kind, _, name = own_resource(template_arn, caller).partition("/")
        found = self._store.get(tx, caller.account, name) if kind == "jobtemplate" else None
        if found is None:
            raise ResourceNotFound(f"The job template {template_arn} cannot be found.")
        if parameters:
            raise InvalidRequest("documentParameters can only be used with AWS managed templates.")
        return Draft(
            document=found.document,
            arn=template_arn,
            source=found.source,
            description=found.description,
            settings=found.settings,
            windows=found.windows,
        )

    def _managed(self, caller: Caller, template_arn: str, parameters: Mapping[str, str]) -> Draft:
        for template in MANAGED.values():
            if template.arn(caller.region) == template_arn:
                return Draft(
                    document=template.filled(parameters),
                    arn=template_arn,
                    description=template.description,
                    before=template.document,
                    parameters=dict(parameters),
                )
        raise ResourceNotFound(f"The job template {template_arn} cannot be found.")


class TemplateOperations:
    """The operations on job templates."""

    def __init__(self, *, store: TemplateStore, jobs: JobStore, documents: Documents, pages: Pages) -> None:
        self._store = store
        self._jobs = jobs
        self._documents = documents
        self._pages = pages

    def create_job_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, base = request["jobTemplateId"], self._base(tx, request, caller)
        windows, said = read_windows(request.take_all("maintenanceWindows")), read_settings(request)
        inherited = base.settings if base is not None else Settings()
        check_passed(request, said, inherited)
        new = Template(
            id=name,
            description=request["description"],
            document=base.document if base is not None else given_document(request),
            source=base.source if base is not None else request.get("documentSource"),
            settings=said.over(inherited),
            windows=windows or _windows_of(base),
            created_at=tx.now,
        )
        new = replace(new, settings=replace(new.settings, schedule=None))
        self._documents.check(tx, caller.account, new.document, new.settings.presigning)
        if self._store.get(tx, caller.account, name) is not None:
            raise TemplateExists(name)
        self._store.add(tx, caller.account, new)
        return Answer({"jobTemplateArn": new.arn(caller.region, caller.account), "jobTemplateId": name})

    def _base(self, tx: Tx, request: Request, caller: Caller) -> Job | None:
        given = request.get("jobArn")
        if given is None:
            return None
        if "document" in request or "documentSource" in request:
            raise InvalidRequest("A job template is made from a job, or from a document, not from both.")
        kind, _, name = own_resource(given, caller).partition("/")
        job = self._jobs.get(tx, caller.account, name) if kind == "job" else None
        if job is None:
            raise ResourceNotFound(f"Job {given} cannot be found.")
        return job

    def describe_job_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = self._get(tx, caller, request["jobTemplateId"])
        shown = {**_listed(found, caller), "document": found.document, **shown_settings(found.settings)}
        if found.source is not None:
            shown["documentSource"] = found.source
        if found.windows:
            shown["maintenanceWindows"] = shown_windows(found.windows)
        return Answer(shown)

    def list_job_templates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        page = self._pages.by_token(request, caller, "ListJobTemplates")
        found = self._store.list(tx, caller.account, after=page.after(), limit=page.limit)
        return Answer(
            page.answer("jobTemplates", found, key=lambda one: (one.id,), show=lambda one: _listed(one, caller))
        )

    def delete_job_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["jobTemplateId"]
        if not self._store.remove(tx, caller.account, name):
            raise ResourceNotFound(f"The job template {name} cannot be found.")
        return Answer({})

    def describe_managed_job_template(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, version = request["templateName"], request.get("templateVersion")
        found = MANAGED.get(name)
        if found is None or version not in (None, VERSION):
            raise ResourceNotFound(f"The managed job template {name} cannot be found in this version.")
        return Answer(found.described(caller.region))

    def list_managed_job_templates(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request.get("templateName")
        page = self._pages.by_token(request, caller, "ListManagedJobTemplates", name=name)
        found = [one for one in MANAGED.values() if one.name > page.after() and name in (None, one.name)]
        return Answer(
            page.answer(
                "managedJobTemplates",
                found[: page.limit],
                key=lambda one: (one.name,),
                show=lambda one: one.summary(caller.region),
            )
        )

    def _get(self, tx: Tx, caller: Caller, name: str) -> Template:
        found = self._store.get(tx, caller.account, name)
        if found is None:
            raise ResourceNotFound(f"The job template {name} cannot be found.")
        return found


def _windows_of(job: Job | None) -> tuple[Window, ...]:
    schedule = None if job is None else job.settings.schedule
    return () if schedule is None else schedule.windows


def _listed(template: Template, caller: Caller) -> dict[str, Any]:
    return {
        "jobTemplateArn": template.arn(caller.region, caller.account),
        "jobTemplateId": template.id,
        "description": template.description,
        "createdAt": template.created_at,
    }
