"""The errors that the subjects of Greengrass V2 share, named as its service model names them."""

from typing import Any

from hedgerow.base.errors import ServiceError


class ValidationFailed(ServiceError):
    """The request cannot be honoured as it stands. With `field`, the message is also given for that member."""

    code = "ValidationException"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        members: dict[str, Any] = {"reason": "OTHER"}
        if field is not None:
            members = {"reason": "FIELD_VALIDATION_FAILED", "fields": [{"name": field, "message": message}]}
        super().__init__(message, **members)


class NotFound(ServiceError):
    """What the request names is not there."""

    code = "ResourceNotFoundException"

    def __init__(self, message: str, *, resource: str, kind: str) -> None:
        super().__init__(message, resourceId=resource, resourceType=kind)


class Conflict(ServiceError):
    """It is there already, or it is in a state in which this cannot be done."""

    code = "ConflictException"

    def __init__(self, message: str, *, resource: str, kind: str) -> None:
        super().__init__(message, resourceId=resource, resourceType=kind)
