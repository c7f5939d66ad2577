"""What can be wrong with a request about thing groups."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound


class GroupNotFound(ResourceNotFound):
    """No thing group of that name."""

    def __init__(self, account: str, name: str) -> None:
        super().__init__(f"ThingGroup {account}:{name} not found.")


class ThingNotFound(ResourceNotFound):
    """No thing of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Thing {name} not found.")


class GroupExists(ResourceAlreadyExists):
    """The name is taken by a thing group with other properties."""

    def __init__(self, name: str, *, group_id: str, group_arn: str) -> None:
        super().__init__(
            f"Thing Group {name} already exists in current account with different properties",
            resourceId=group_id,
            resourceArn=group_arn,
        )


class QueryRefused(ServiceError):
    """The query string of a dynamic group is not one."""

    code = "InvalidQueryException"


class GroupHasChildren(InvalidRequest):
    """A group with child groups cannot be deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cannot delete thing group : {name} when there are still child groups attached to it.")


class SameTree(InvalidRequest):
    """A thing is in one group of a tree at most."""

    def __init__(self, thing: str, group: str, other: str) -> None:
        super().__init__(
            f"Thing {thing} cannot be added to group {group}: it is already in {other}, of the same hierarchy"
        )
