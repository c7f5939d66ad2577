"""What can be wrong with the policies of a role or user."""

from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.errors import LimitExceeded, NoSuchEntity


class EntityNotFound(NoSuchEntity):
    """There is no role or user of that name."""

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(f"The {kind.value} with name {name} cannot be found.")


class InlinePolicyNotFound(NoSuchEntity):
    """The role or user has no inline policy of that name."""

    def __init__(self, kind: Kind, policy: str) -> None:
        super().__init__(f"The {kind.value} policy with name {policy} cannot be found.")


class PolicyNotFound(NoSuchEntity):
    """There is no managed policy with that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Policy {arn} was not found.")


class NotAttachable(NoSuchEntity):
    """There is no managed policy with that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Policy {arn} does not exist or is not attachable.")


class NoBoundary(NoSuchEntity):
    """The role or user has no permissions boundary."""

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(f"The {kind.value} with name {name} does not have a permissions boundary.")


class NotAttached(NoSuchEntity):
    """The role or user does not have that managed policy."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Policy {arn} was not found.")


class TooManyAttached(LimitExceeded):
    """One more managed policy is one too many."""

    def __init__(self, quota: str, limit: int) -> None:
        super().__init__(f"Cannot exceed quota for {quota}: {limit}")
