"""What can be wrong with a request about tags."""

from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded, ResourceNotFound


class NothingThere(ResourceNotFound):
    """The ARN names nothing that is there."""

    def __init__(self, resource_arn: str) -> None:
        super().__init__(f"The resource {resource_arn} does not exist.")


class NotTaggable(InvalidRequest):
    """What the ARN names cannot have tags."""

    def __init__(self, resource_arn: str) -> None:
        super().__init__(f"{resource_arn} is nothing that can have tags.")


class TooManyTags(LimitExceeded):
    """A resource has a bounded number of tags."""

    def __init__(self, most: int) -> None:
        super().__init__(f"A resource may have {most} tags at most.")
