"""What is refused about aliases."""

from hedgerow.base.errors import ServiceError


class AliasNotFound(ServiceError):
    """There is no such alias."""

    code = "ResourceNotFoundException"

    def __init__(self, arn: str) -> None:
        super().__init__(f"Cannot find alias arn: {arn}")


class AliasConflict(ServiceError):
    """The alias is there already."""

    code = "ResourceConflictException"

    def __init__(self, arn: str) -> None:
        super().__init__(f"Alias already exists: {arn}")


class AliasTargetNotFound(ServiceError):
    """The version that an alias is to stand for is not there."""

    code = "ResourceNotFoundException"

    def __init__(self, arn: str) -> None:
        super().__init__(f"Function not found: {arn}")


class InvalidAlias(ServiceError):
    """A name or a routing that an alias cannot have."""

    code = "InvalidParameterValueException"


class AliasRevisionMismatch(ServiceError):
    """The caller expected another revision."""

    code = "PreconditionFailedException"

    def __init__(self) -> None:
        super().__init__("The RevisionId provided does not match the latest RevisionId of the alias")
