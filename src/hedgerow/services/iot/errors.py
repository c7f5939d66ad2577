"""The errors that several subjects of the registry share, named as the iot service model names them."""

from hedgerow.base.errors import ServiceError


class InvalidRequest(ServiceError):
    """The request cannot be honoured as it stands; the message says why."""

    code = "InvalidRequestException"


class ResourceNotFound(ServiceError):
    """What the request names is not there."""

    code = "ResourceNotFoundException"


class ResourceAlreadyExists(ServiceError):
    """The name is taken by something that differs; `resourceId` and `resourceArn` say by what."""

    code = "ResourceAlreadyExistsException"


class VersionConflict(ServiceError):
    """The caller expected another version."""

    code = "VersionConflictException"

    def __init__(self, what: str, *, expected: int, version: int) -> None:
        super().__init__(f"The expected version {expected} does not match: {what} is at version {version}")


class LimitExceeded(ServiceError):
    """One more is one too many."""

    code = "LimitExceededException"


class VersionsLimitExceeded(ServiceError):
    """There are as many versions as there may be."""

    code = "VersionsLimitExceededException"


class DeleteConflict(ServiceError):
    """It cannot be deleted while something depends on it."""

    code = "DeleteConflictException"
