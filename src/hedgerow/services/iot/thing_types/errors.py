"""What can be wrong with a request about thing types."""

from hedgerow.services.iot.errors import ResourceAlreadyExists, ResourceNotFound


class ThingTypeNotFound(ResourceNotFound):
    """No thing type of that name."""

    def __init__(self, account: str, name: str) -> None:
        super().__init__(f"Thing Type {account}:{name} not found.")


class ThingTypeExists(ResourceAlreadyExists):
    """The name is taken by a thing type with other properties."""

    def __init__(self, name: str, *, type_id: str, type_arn: str) -> None:
        super().__init__(
            f"ThingType {name} already exists in account with different properties",
            resourceId=type_id,
            resourceArn=type_arn,
        )
