"""What can be wrong with a user."""

from hedgerow.services.iam.errors import DeleteConflict, EntityAlreadyExists, NoSuchEntity, ValidationFailed


class UserNotFound(NoSuchEntity):
    """There is no user of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The user with name {name} cannot be found.")


class UserExists(EntityAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"User with name {name} already exists.")


class UserInUse(DeleteConflict):
    """The user still has keys or policies."""


class NameNeeded(ValidationFailed):
    """The caller is no user, so the name cannot be left out."""

    def __init__(self) -> None:
        super().__init__("Must specify userName when calling with non-User credentials")
