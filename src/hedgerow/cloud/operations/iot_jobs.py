"""The rows of `iot` that belong to jobs, the job topics, and what happens to jobs later."""

from collections.abc import Callable

from hedgerow.api.operations import Also, Row, pass_role, read, write
from hedgerow.cloud.rows import TopicRow
from hedgerow.services.iot.jobs import (
    JobExecutionOperations,
    JobFollowUps,
    JobOperations,
    JobSources,
    JobTopics,
    TemplateOperations,
)
from hedgerow.store import Answer, FollowUp, Tx

_JOB = "arn:aws:iot:{region}:{account}:job/{jobId}"
_THING = "arn:aws:iot:{region}:{account}:thing/{thingName}"
_TEMPLATE = "arn:aws:iot:{region}:{account}:jobtemplate/{jobTemplateId}"
_TO_JOB = pass_role("presignedUrlConfig.roleArn", to="iot.amazonaws.com")


def rows(*, jobs: JobOperations, executions: JobExecutionOperations, sources: JobSources) -> dict[str, Row]:
    """Answer the job operations of iot; `cloud.operations.iot` takes them in."""
    return {
        "CreateJob": write(
            jobs.create_job,
            _JOB,
            also=(Also("iot:CreateJob", "{targets}"), Also("iot:CreateJob", "{jobTemplateArn}"), _TO_JOB),
            gather=sources.gather,
        ),
        "DescribeJob": read(jobs.describe_job, _JOB),
        "ListJobs": read(jobs.list_jobs),
        "UpdateJob": write(jobs.update_job, _JOB, also=(_TO_JOB,)),
        "AssociateTargetsWithJob": write(
            jobs.associate_targets_with_job, _JOB, also=(Also("iot:AssociateTargetsWithJob", "{targets}"),)
        ),
        "GetJobDocument": read(jobs.get_job_document, _JOB),
        "CancelJob": write(jobs.cancel_job, _JOB),
        "DeleteJob": write(jobs.delete_job, _JOB),
        "DescribeJobExecution": read(executions.describe_job_execution, _THING),
        "ListJobExecutionsForJob": read(executions.list_job_executions_for_job, _JOB),
        "ListJobExecutionsForThing": read(executions.list_job_executions_for_thing, _THING),
        "CancelJobExecution": write(
            executions.cancel_job_execution, _THING, also=(Also("iot:CancelJobExecution", _JOB),)
        ),
        "DeleteJobExecution": write(
            executions.delete_job_execution, _THING, also=(Also("iot:DeleteJobExecution", _JOB),)
        ),
    }


def template_rows(*, templates: TemplateOperations, sources: JobSources) -> dict[str, Row]:
    """Answer the operations on job templates."""
    return {
        "CreateJobTemplate": write(
            templates.create_job_template,
            _TEMPLATE,
            also=(Also("iot:CreateJobTemplate", "{jobArn}"), _TO_JOB),
            gather=sources.gather,
        ),
        "DescribeJobTemplate": read(templates.describe_job_template, _TEMPLATE),
        "ListJobTemplates": read(templates.list_job_templates),
        "DeleteJobTemplate": write(templates.delete_job_template, _TEMPLATE),
        "DescribeManagedJobTemplate": read(
            templates.describe_managed_job_template, "arn:aws:iot:{region}::jobtemplate/{templateName}:*"
        ),
        "ListManagedJobTemplates": read(templates.list_managed_job_templates),
    }


def topic_rows(*, jobs: JobTopics) -> list[TopicRow]:
    """Answer the rows of the job topics; those with a level more are Greengrass's, with a namespace."""
    base = "$aws/things/+/jobs"
    return [
        TopicRow(f"{base}/get", operation=jobs.get_pending),
        TopicRow(f"{base}/start-next", operation=jobs.start_next),
        TopicRow(f"{base}/+/get", operation=jobs.describe),
        TopicRow(f"{base}/+/update", operation=jobs.update),
        TopicRow(f"{base}/+/+/get", operation=jobs.describe),
        TopicRow(f"{base}/+/+/update", operation=jobs.update),
    ]


def follow_up_rows(*, jobs: JobFollowUps) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer what happens to jobs later."""
    return {
        "job-timeout": jobs.on_timeout,
        "job-rollout": jobs.on_rollout,
        "job-start": jobs.on_start,
        "job-end": jobs.on_end,
        "job-cancellation": jobs.on_cancellation,
        "job-deletion": jobs.on_deletion,
        "job-notice": jobs.on_notice,
        "job-thing-gone": jobs.on_thing_gone,
        "thing-group-membership": jobs.on_membership,
    }
