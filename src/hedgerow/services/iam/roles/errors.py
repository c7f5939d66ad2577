"""What can be wrong with a role."""

from hedgerow.services.iam.errors import DeleteConflict, EntityAlreadyExists, NoSuchEntity


class RoleNotFound(NoSuchEntity):
    """There is no role of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The role with name {name} cannot be found.")


class RoleExists(EntityAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Role with name {name} already exists.")


class RoleInUse(DeleteConflict):
    """The role still has policies."""
