"""What can be wrong with a device that is to be made."""

from hedgerow.base.errors import AccessDenied, ServiceError


class TokenUsed(ServiceError):
    """The token stands for another call."""

    code = "ConflictException"

    def __init__(self, token: str) -> None:
        super().__init__(f"The client token {token} was used for another request; take a new one.")


class HasACertificate(ServiceError):
    """No name gets a second certificate by accident."""

    code = "ConflictException"

    def __init__(self, thing: str, certificate: str) -> None:
        super().__init__(f"The thing {thing} has the certificate {certificate} already; detach it first.")


class InvalidShadow(ServiceError):
    """The shadow is no JSON object."""

    code = "ValidationException"

    def __init__(self) -> None:
        super().__init__("shadow must be the desired state, as a JSON object.")


class NotAllowed(AccessDenied):
    """The caller may not do one of the steps."""

    def __init__(self, principal: str, action: str, resource: str) -> None:
        super().__init__(f"{principal} is not authorized to perform: {action} on resource: {resource}")
