"""What can be wrong with a request about role aliases."""

from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound


class RoleAliasNotFound(ResourceNotFound):
    """No role alias of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Role alias {name} does not exist")


class RoleAliasExists(ResourceAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str, *, alias_arn: str) -> None:
        super().__init__(f"Role alias {name} already exists", resourceId=name, resourceArn=alias_arn)


class RoleUnusable(InvalidRequest):
    """The role is none of this account, or is not there."""


class TooManyRoleAliases(LimitExceeded):
    """There are as many as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"An account may have {most} role aliases")
