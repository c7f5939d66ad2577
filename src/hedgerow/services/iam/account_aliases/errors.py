"""What can be wrong with an alias."""

from hedgerow.services.iam.errors import EntityAlreadyExists, NoSuchEntity


class AliasTaken(EntityAlreadyExists):
    """An account, of whomever, has it."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"The account alias {alias} already exists.")


class AliasNotFound(NoSuchEntity):
    """The account has no such alias."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"The account alias {alias} cannot be found.")
