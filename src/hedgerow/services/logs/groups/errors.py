"""What can be wrong with a call to CloudWatch Logs."""

from hedgerow.base.errors import ServiceError


class InvalidParameter(ServiceError):
    """A parameter has a value that is not allowed."""

    code = "InvalidParameterException"


class AlreadyExists(ServiceError):
    """The group or stream is there already."""

    code = "ResourceAlreadyExistsException"


class GroupNotFound(ServiceError):
    """There is no such group."""

    code = "ResourceNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"The specified log group does not exist: {name}")


class StreamNotFound(ServiceError):
    """There is no such stream."""

    code = "ResourceNotFoundException"

    def __init__(self, name: str) -> None:
        super().__init__(f"The specified log stream does not exist: {name}")
