"""Builds jobs and job templates, and enters their rows."""

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
from hedgerow.services.iot.jobs.flows import Objects
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.registry_events import RegistryEvents


def build_jobs(
    *,
    tables: Tables,
    pages: Pages,
    stores: Stores,
    store: JobStore,
    telling: RegistryEvents,
    links: Links,
    objects: Objects,
) -> Jobs:
    """Build them and enter their rows."""
    documents, templates = Documents(links=links), TemplateStore()
    jobs = Jobs(
        store=store,
        things=stores.things,
        groups=stores.groups,
        limits=JobLimits(),
        told=JobEvents(telling=telling),
        documents=documents,
    )
    desk, sources = DeviceDesk(jobs=jobs, store=store), JobSources(documents=documents, objects=objects)
    operations = JobOperations(
        jobs=jobs,
        store=store,
        documents=documents,
        templates=Templates(store=templates),
        groups=stores.groups,
        pages=pages,
    )
    executions = JobExecutionOperations(jobs=jobs, store=store, pages=pages)
    kept = TemplateOperations(store=templates, jobs=store, documents=documents, pages=pages)
    tables.serve("iot", rows.rows(jobs=operations, executions=executions, sources=sources))
    tables.serve("iot", rows.template_rows(templates=kept, sources=sources))
    tables.serve("iot-jobs-data", data_rows.rows(jobs=JobDataOperations(desk=desk)))
    tables.answer(rows.topic_rows(jobs=JobTopics(desk=desk)))
    tables.follow(rows.follow_up_rows(jobs=JobFollowUps(jobs=jobs)))
    return jobs
