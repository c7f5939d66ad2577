"""What can be wrong with a request about billing groups."""

from hedgerow.services.iot.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound


class BillingGroupNotFound(ResourceNotFound):
    """No billing group of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Billing group {name} not found.")


class ThingNotFound(ResourceNotFound):
    """No thing of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Thing {name} not found.")


class BillingGroupExists(ResourceAlreadyExists):
    """The name is taken by a billing group with other properties."""

    def __init__(self, name: str, *, group_id: str, group_arn: str) -> None:
        super().__init__(
            f"Billing Group {name} already exists in current account with different properties",
            resourceId=group_id,
            resourceArn=group_arn,
        )


class StillHasThings(InvalidRequest):
    """A billing group with things in it stays."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cannot delete billing group {name} while there are things in it: take them out first")
