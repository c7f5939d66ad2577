"""Registration in bulk: a file with a device per line, registered step by step, with reports."""

from hedgerow.services.iot.registration_tasks.flows import RegistrationTaskFlows
from hedgerow.services.iot.registration_tasks.follow_ups import RegistrationTaskFollowUps
from hedgerow.services.iot.registration_tasks.operations import RegistrationTaskOperations
from hedgerow.services.iot.registration_tasks.store import FORGOTTEN, STEP, RegistrationTaskStore

__all__ = [
    "FORGOTTEN",
    "STEP",
    "RegistrationTaskFlows",
    "RegistrationTaskFollowUps",
    "RegistrationTaskOperations",
    "RegistrationTaskStore",
]
