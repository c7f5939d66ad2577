"""The rows of `iot-jobs-data`. Policies may name the actions with the prefix `iotjobsdata` (or the older `iot`)."""

from hedgerow.api.operations import Row, read, write
from hedgerow.services.iot.jobs import JobDataOperations

_THING = "arn:aws:iot:{region}:{account}:thing/{thingName}"


def rows(*, jobs: JobDataOperations) -> dict[str, Row]:
    """Answer the operations by which a thing asks about its own jobs."""
    return {
        "GetPendingJobExecutions": read(
            jobs.get_pending_job_executions, _THING, action="iotjobsdata:GetPendingJobExecutions"
        ),
        "StartNextPendingJobExecution": write(
            jobs.start_next_pending_job_execution, _THING, action="iotjobsdata:StartNextPendingJobExecution"
        ),
        # It may make credentials for the links in the document.
        "DescribeJobExecution": write(jobs.describe_job_execution, _THING, action="iotjobsdata:DescribeJobExecution"),
        "UpdateJobExecution": write(jobs.update_job_execution, _THING, action="iotjobsdata:UpdateJobExecution"),
    }
