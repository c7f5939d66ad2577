"""What can be wrong with a simulation."""

from hedgerow.services.iam.errors import InvalidInput, NoSuchEntity


class NoSuchSource(NoSuchEntity):
    """There is no user, role or group with that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"Could not find the user, role or group {arn} in the policy source account.")


class NoPolicy(InvalidInput):
    """One of the policies is none."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Policy input list contains invalid policies: {why}")


class NoAction(InvalidInput):
    """One of the actions is none; wildcards cannot be simulated."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Action names must be of the form service:Action, and {name} is not")
