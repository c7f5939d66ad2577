"""Errors that the wire itself raises: bytes or values that no operation should see."""

from typing import Any

from hedgerow.base.errors import ServiceError


class WireError(ServiceError):
    """A refusal whose code depends on the service and protocol."""

    def __init__(self, code: str, message: str, *, status: int | None = None, **members: Any) -> None:
        super().__init__(message, **members)
        self.code = code  # type: ignore[misc]  # the code is data here: it is the service's own name for it
        self.status = status  # type: ignore[misc]  # as above


class UnknownOperation(ServiceError):
    """No service model has this operation."""

    code = "UnknownOperationException"
    status = 404


class Malformed(Exception):
    """A value that does not have the wire form of its type; the service's reader turns it into its own error."""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path or 'the request body'} must be {expected}")
        self.path = path
