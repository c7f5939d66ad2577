"""What can be wrong with an access key."""

from hedgerow.services.iam.errors import LimitExceeded, NoSuchEntity, ValidationFailed


class KeyNotFound(NoSuchEntity):
    """The user has no such key."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The Access Key with id {key_id} cannot be found.")


class KeyOwnerNotFound(NoSuchEntity):
    """There is no user of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The user with name {name} cannot be found.")


class TooManyKeys(LimitExceeded):
    """A user has at most two keys."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"Cannot exceed quota for AccessKeysPerUser: {limit}")


class OwnerNeeded(ValidationFailed):
    """The caller is neither user nor root, so the name cannot be left out."""

    def __init__(self) -> None:
        super().__init__("Must specify userName when calling with non-User credentials")


class LastRootKey(ValidationFailed):
    """Without it nobody could enter the account any more."""

    def __init__(self) -> None:
        super().__init__("The last active access key of an account's root cannot be removed: make another one first.")


class StatusNotSettable(ValidationFailed):
    """A key is Active or Inactive."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The status of an access key can be set to Active or Inactive, not {status}.")
