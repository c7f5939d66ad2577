"""What can be wrong with a group of users."""

from hedgerow.services.iam.errors import DeleteConflict, EntityAlreadyExists, LimitExceeded, NoSuchEntity


class GroupNotFound(NoSuchEntity):
    """There is no group of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The group with name {name} cannot be found.")


class UserNotFound(NoSuchEntity):
    """There is no user of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The user with name {name} cannot be found.")


class NoMember(NoSuchEntity):
    """The user is not in the group."""

    def __init__(self, user: str, group: str) -> None:
        super().__init__(f"The user {user} is not in the group {group}.")


class GroupExists(EntityAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Group with name {name} already exists.")


class GroupInUse(DeleteConflict):
    """The group still has users or policies."""


class TooManyGroups(LimitExceeded):
    """One more group is one too many for the user."""

    def __init__(self, most: int) -> None:
        super().__init__(f"Cannot exceed quota for GroupsPerUser: {most}")
