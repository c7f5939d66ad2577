"""What can be wrong with a rule destination."""

from hedgerow.base.errors import NotImplementedYet, ServiceError
from hedgerow.services.iot.errors import InvalidRequest, ResourceAlreadyExists


class DestinationExists(ResourceAlreadyExists):
    """There is a destination for that URL already."""


class DestinationNotFound(ServiceError):
    """There is no such destination; AWS answers 401 here, as for rules."""

    code = "UnauthorizedException"

    def __init__(self, arn: str) -> None:
        super().__init__(f"Access to topic rule destination '{arn}' was denied")


class DestinationKindRefused(NotImplementedYet):
    """A kind of destination that is not there yet."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"destinations by {kind} are not there yet; use httpUrlConfiguration")


class InvalidDestination(InvalidRequest):
    """A URL or status that cannot be."""
