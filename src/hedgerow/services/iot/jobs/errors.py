"""Why a job request is refused.

Devices get a code by MQTT and an error shape by HTTP for the same thing: `code_on_topics` is the former. The control
operations share InvalidRequest, ResourceNotFound and the like with the registry.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from hedgerow.base.errors import ServiceError


class JobRefused(ServiceError):
    """A device's request cannot be honoured. `state` is the execution's state, where it helps the device."""

    code_on_topics: ClassVar[str] = "InvalidRequest"

    def __init__(self, message: str, state: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.state = state


class InvalidJobRequest(JobRefused):
    """A member is missing or wrong."""

    code = "InvalidRequestException"


class InvalidJson(JobRefused):
    """The payload is no JSON object in UTF-8."""

    code = "InvalidRequestException"
    code_on_topics = "InvalidJson"


class InvalidTopic(JobRefused):
    """The topic is none that jobs answer on."""

    code = "InvalidRequestException"
    code_on_topics = "InvalidTopic"


class NoSuchExecution(JobRefused):
    """The thing has no such execution."""

    code = "ResourceNotFoundException"
    code_on_topics = "ResourceNotFound"


class InvalidTransition(JobRefused):
    """The execution (or job) cannot go from its status to that one."""

    code = "InvalidStateTransitionException"
    code_on_topics = "InvalidStateTransition"


class VersionMismatch(JobRefused):
    """The device expected another version of the execution."""

    code = "InvalidRequestException"
    code_on_topics = "VersionMismatch"


class TerminalStateReached(JobRefused):
    """The execution is over; there is nothing to do."""

    code = "TerminalStateException"
    code_on_topics = "TerminalStateReached"


class TemplateExists(ServiceError):
    """There is a job template of that id."""

    code = "ConflictException"

    def __init__(self, template: str) -> None:
        super().__init__(f"Job template {template} already exists.", resourceId=template)
