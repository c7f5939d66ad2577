"""What can be wrong with a managed policy."""

from hedgerow.services.iam.errors import DeleteConflict, EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity


class PolicyNotFound(NoSuchEntity):
    """There is no managed policy with that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Policy {arn} was not found.")


class PolicyVersionNotFound(NoSuchEntity):
    """The policy has no such version."""

    def __init__(self, arn: str, version: str) -> None:
        super().__init__(f"Policy {arn} version {version} does not exist or is not attachable.")


class PolicyExists(EntityAlreadyExists):
    """The name is taken, under whatever path."""

    def __init__(self, name: str) -> None:
        super().__init__(f"A policy called {name} already exists. Duplicate names are not allowed.")


class PolicyAttached(DeleteConflict):
    """Somebody still has the policy."""

    def __init__(self) -> None:
        super().__init__("Cannot delete a policy attached to entities.")


class PolicyHasVersions(DeleteConflict):
    """Other versions than the default are still there."""

    def __init__(self) -> None:
        super().__init__("This policy has more than one version. Before you delete a policy, delete its versions.")


class DefaultVersion(DeleteConflict):
    """The default version goes with its policy only."""

    def __init__(self) -> None:
        super().__init__("Cannot delete the default version of a policy.")


class TooManyVersions(LimitExceeded):
    """A policy has at most five versions."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"A managed policy can have up to {limit} versions. Before you create a new version, you must delete an"
            " existing version."
        )


class NotYours(InvalidInput):
    """AWS's own policies are the same for everyone and cannot be changed."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"{arn} is an AWS managed policy and cannot be changed: create a policy of your own.")
