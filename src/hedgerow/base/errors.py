"""Whose fault it is, as a type.

Everything that Hedgerow raises on purpose is under HedgerowError; anything else is our bug.
The wire form of a ServiceError (status, fault, members) comes from the service model, in `core/wire`.
"""

from typing import Any, ClassVar


class HedgerowError(Exception):
    """The root of all errors raised on purpose."""


class ServiceError(HedgerowError):
    """The caller's fault: the request cannot be honoured as it stands.

    `code` names the error shape as the service model does (`ResourceNotFoundException`). `status` is only
    for errors that no model names; otherwise the model decides. `members` are further members of the shape.
    """

    code: ClassVar[str] = "InvalidRequestException"
    status: ClassVar[int | None] = None

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message)
        self.message = message
        self.members = members


class NotImplementedYet(ServiceError):
    """What was asked for is refused by name, with what to use instead."""

    code = "NotImplementedException"
    status = 501


class AccessDenied(ServiceError):
    """The caller is known but has no right to do this; the message says who, what and which right is missing."""

    code = "AccessDeniedException"
    status = 403


class ProtocolViolation(HedgerowError):
    """The peer's fault: bytes or an order of packets that the protocol forbids."""


class Unavailable(HedgerowError):
    """The world's fault: a disk, peer or process did not do what was needed; trying again may help."""


class Unusable(HedgerowError):
    """The operator's fault: a flag, file, folder or port that cannot be used. One line that says what to do; exit 2."""
