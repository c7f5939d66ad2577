"""What can be wrong with a request about claims."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound


class InvalidClaim(ServiceError):
    """A limit that a claim cannot have; the message says why."""

    code = "ValidationException"


class ClaimNotFound(ServiceError):
    """The account has no claim of that id."""

    code = "ResourceNotFoundException"

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"Certificate {certificate_id} is no claim")


class NoCertificate(ServiceError):
    """The account has no certificate of that id."""

    code = "ResourceNotFoundException"

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"The certificate {certificate_id} does not exist")


class IsADevice(ServiceError):
    """A certificate that speaks for a thing is no claim."""

    code = "ConflictException"

    def __init__(self, certificate_id: str, thing: str) -> None:
        super().__init__(f"Certificate {certificate_id} is attached to thing {thing}: detach it, or use another one")


class TemplateUnusable(InvalidRequest):
    """No claim can be made for the template; the message says why."""


class TemplateNotFound(ResourceNotFound):
    """No template of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unable to find template named {name}")
