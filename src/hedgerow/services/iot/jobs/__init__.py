"""Jobs: what things are asked to do, and how far they are with it."""

from hedgerow.services.iot.jobs.changes import JobLimits, Jobs
from hedgerow.services.iot.jobs.device import DeviceDesk
from hedgerow.services.iot.jobs.device_operations import JobDataOperations
from hedgerow.services.iot.jobs.documents import Documents
from hedgerow.services.iot.jobs.events import JobEvents
from hedgerow.services.iot.jobs.execution_operations import JobExecutionOperations
from hedgerow.services.iot.jobs.flows import JobSources
from hedgerow.services.iot.jobs.follow_ups import JobFollowUps
from hedgerow.services.iot.jobs.model import Execution, Job, JobStatus, Selection, Status
from hedgerow.services.iot.jobs.operations import JobOperations
from hedgerow.services.iot.jobs.settings import Settings
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.services.iot.jobs.template_operations import TemplateOperations, Templates
from hedgerow.services.iot.jobs.template_store import TemplateStore
from hedgerow.services.iot.jobs.topics import JobTopics

__all__ = [
    "DeviceDesk",
    "Documents",
    "Execution",
    "Job",
    "JobDataOperations",
    "JobEvents",
    "JobExecutionOperations",
    "JobFollowUps",
    "JobLimits",
    "JobOperations",
    "JobSources",
    "JobStatus",
    "JobStore",
    "JobTopics",
    "Jobs",
    "Selection",
    "Settings",
    "Status",
    "TemplateOperations",
    "TemplateStore",
    "Templates",
]
