"""What can be wrong with a command or an execution.

People get the errors of the service models; devices get the codes of AWS's device SDKs on `…/response/rejected`.
"""

from typing import ClassVar

from hedgerow.base.errors import ServiceError


class InvalidCommand(ServiceError):
    """The request cannot be honoured as it stands; the message says why."""

    code = "ValidationException"


class NoSuchResource(ServiceError):
    """The command, execution or thing is not there."""

    code = "ResourceNotFoundException"


class CommandConflict(ServiceError):
    """The command or execution is in a state that does not allow it; `resourceId` names it."""

    code = "ConflictException"


class ReportRefused(ServiceError):
    """A device's report cannot be taken."""

    code = "ValidationException"
    code_on_topics: ClassVar[str] = "InvalidRequest"


class InvalidJson(ReportRefused):
    """The payload is no JSON (or CBOR) object."""

    code_on_topics = "InvalidJson"


class NoSuchExecution(ReportRefused):
    """The device has no such execution."""

    code = "ResourceNotFoundException"
    code_on_topics = "ResourceNotFound"


class InvalidTransition(ReportRefused):
    """The execution cannot go from its status to that one."""

    code = "ConflictException"
    code_on_topics = "InvalidStateTransition"


class TerminalStateReached(ReportRefused):
    """The execution is over."""

    code = "ConflictException"
    code_on_topics = "TerminalStateReached"
