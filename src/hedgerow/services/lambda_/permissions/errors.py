"""What is refused about permissions."""

from hedgerow.base.errors import ServiceError


class PermissionConflict(ServiceError):
    """The statement id is taken."""

    code = "ResourceConflictException"

    def __init__(self, sid: str) -> None:
        super().__init__(f"The statement id ({sid}) provided already exists. Please provide a new statement id.")


class PermissionNotFound(ServiceError):
    """The function (or its version) has no such statement, or no policy."""

    code = "ResourceNotFoundException"


class InvalidPermission(ServiceError):
    """A principal or action that a permission cannot have."""

    code = "InvalidParameterValueException"


class PolicyTooLong(ServiceError):
    """The policy would be longer than a policy may be."""

    code = "PolicyLengthExceededException"


class PolicyRevisionMismatch(ServiceError):
    """The caller expected another revision."""

    code = "PreconditionFailedException"

    def __init__(self) -> None:
        super().__init__("The RevisionId provided does not match the latest RevisionId of the policy")
