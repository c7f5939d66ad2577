"""What can be wrong with a request about things and their principals."""

from hedgerow.services.iot.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound


class ThingNotFound(ResourceNotFound):
    """No thing of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Thing {name} not found.")


class ThingTypeNotFound(ResourceNotFound):
    """No thing type of that name."""

    def __init__(self, account: str, name: str) -> None:
        super().__init__(f"Thing Type {account}:{name} not found.")


class ThingExists(ResourceAlreadyExists):
    """The name is taken by a thing with other properties."""

    def __init__(self, name: str, *, thing_id: str, thing_arn: str) -> None:
        super().__init__(
            f"Thing {name} already exists in account with different attributes",
            resourceId=thing_id,
            resourceArn=thing_arn,
        )


class ThingStillAttached(InvalidRequest):
    """A thing with principals cannot be deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cannot delete. Thing {name} is still attached to one or more principals")


class PrincipalNotFound(ResourceNotFound):
    """No such certificate in this account."""

    def __init__(self, principal: str) -> None:
        super().__init__(f"Principal {principal} does not exist")


class PrincipalExclusive(InvalidRequest):
    """An exclusive attachment leaves room for no other."""

    def __init__(self, principal: str, thing: str) -> None:
        super().__init__(f"Principal {principal} is already attached to thing {thing}: the attachment is exclusive")


class BillingGroupNotFound(ResourceNotFound):
    """No billing group of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Billing group {name} not found.")
