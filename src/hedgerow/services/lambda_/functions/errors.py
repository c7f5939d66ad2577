"""What the lambda service refuses, by the shapes of its model."""

from hedgerow.base.errors import ServiceError


class FunctionNotFound(ServiceError):
    """There is no such function, version or alias."""

    code = "ResourceNotFoundException"

    def __init__(self, arn: str) -> None:
        super().__init__(f"Function not found: {arn}")


class NoSuchResource(ServiceError):
    """Something that belongs to a function is not there."""

    code = "ResourceNotFoundException"


class FunctionConflict(ServiceError):
    """The function is there already, or is used by something that stands in the way."""

    code = "ResourceConflictException"


class InvalidParameter(ServiceError):
    """A value that the model allows and the service does not."""

    code = "InvalidParameterValueException"


class RevisionMismatch(ServiceError):
    """The caller expected another revision."""

    code = "PreconditionFailedException"

    def __init__(self) -> None:
        super().__init__(
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id"
        )


class InvalidContent(ServiceError):
    """An event or a client context that is no JSON."""

    code = "InvalidRequestContentException"


class EventTooLarge(ServiceError):
    """An event that is longer than an event may be."""

    code = "RequestTooLargeException"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"Request is {size} bytes; it must have length less than or equal to {limit}")


class Throttled(ServiceError):
    """The function's queue is full, or no instance became free in time."""

    code = "TooManyRequestsException"

    def __init__(self, message: str) -> None:
        super().__init__(message, Reason="ConcurrentInvocationLimitExceeded", retryAfterSeconds="1")


class NotRunnable(ServiceError):
    """This host has not what the function's runtime needs."""

    code = "InvalidRuntimeException"


class ServiceFailed(ServiceError):
    """The function could not be run, and not by its own fault."""

    code = "ServiceException"
