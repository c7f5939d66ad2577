"""Builds jobs and job templates, and enters their rows."""

from hedgerow.base.steady import Steady
from hedgerow.cloud.operations import iot_jobs as rows
from hedgerow.cloud.operations import iot_jobs_data as data_rows
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.rows import Tables
from hedgerow.services.iot.jobs import (
    DeviceDesk,
    Documents,
    JobDataOperations,
    JobEvents,
    JobExecutionOperations,
    JobFollowUps,
    JobLimits,
    JobOperations,
    Jobs,
    JobSources,
    JobStore,
    JobTopics,
    TemplateOperations,
    Templates,
    TemplateStore,
)
from hedgerow.services.iot.jobs.documents import Links
from hedgerow.services.iot.jobs.flows import Objects, Rights
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.registry_events import RegistryEvents
from hedgerow.store import Run


def build_jobs(
    *,
    tables: Tables,
    pages: Pages,
    stores: Stores,
    store: JobStore,
    telling: RegistryEvents,
    links: Links,
    objects: Objects,
    run: Run,
    rights: Rights,
    steady: Steady,
) -> Jobs:
    """Build them and enter their rows."""
    documents, kept = Documents(links=links), TemplateStore()
    templates = Templates(store=kept, jobs=store)
    jobs = Jobs(
        store=store,
        things=stores.things,
        groups=stores.groups,
        limits=JobLimits(),
        told=JobEvents(telling=telling),
        documents=documents,
        steady=steady,
    )
    desk = DeviceDesk(jobs=jobs, store=store)
    sources = JobSources(run=run, documents=documents, templates=templates, objects=objects, rights=rights)
    operations = JobOperations(
        jobs=jobs,
        store=store,
        documents=documents,
        templates=templates,
        groups=stores.groups,
        pages=pages,
    )
    executions = JobExecutionOperations(jobs=jobs, store=store, pages=pages)
    on_templates = TemplateOperations(store=kept, jobs=store, documents=documents, pages=pages)
    tables.serve("iot", rows.rows(jobs=operations, executions=executions, sources=sources))
    tables.serve("iot", rows.template_rows(templates=on_templates, sources=sources))
    tables.serve("iot-jobs-data", data_rows.rows(jobs=JobDataOperations(desk=desk)))
    tables.answer(rows.topic_rows(jobs=JobTopics(desk=desk)))
    tables.follow(rows.follow_up_rows(jobs=JobFollowUps(jobs=jobs)))
    return jobs
