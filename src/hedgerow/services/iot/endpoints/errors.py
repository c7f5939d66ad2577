"""What can be wrong with a request about endpoints."""

from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound


class UnknownEndpointType(InvalidRequest):
    """There is no endpoint of that type."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(f"Endpoint type {kind} is not one of {', '.join(known)}")


class NoSuchDomain(ResourceNotFound):
    """There is no domain configuration of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Domain configuration {name} not found.")
