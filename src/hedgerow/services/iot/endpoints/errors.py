"""What can be wrong with a request about endpoints."""

from hedgerow.services.iot.errors import InvalidRequest


class UnknownEndpointType(InvalidRequest):
    """There is no endpoint of that type."""

    def __init__(self, kind: str, known: tuple[str, ...]) -> None:
        super().__init__(f"Endpoint type {kind} is not one of {', '.join(known)}")
