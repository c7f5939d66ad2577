"""Why a device is not provisioned, in the words of the provisioning topics.

These are answers to a device on `…/rejected`, not errors of an HTTP operation, so they are no ServiceErrors.
"""

from typing import ClassVar

from hedgerow.base.errors import HedgerowError, ServiceError


class Rejection(HedgerowError):
    """The request is refused; `status`, `code` and the message are what the device is told."""

    status: ClassVar[int] = 400
    code: ClassVar[str]

    def __init__(self, message: str, *, cause: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause  # more, for the operator's eyes

    @property
    def in_full(self) -> str:
        """All of it, for the operator's eyes."""
        return f"{self.message} ({self.cause})" if self.cause else self.message


class InvalidPayload(Rejection):
    """The payload is not what it must be."""

    code = "InvalidPayload"


class InvalidOwnershipToken(Rejection):
    """The token is missing, forged, too old, or its certificate is not to be provisioned any more."""

    code = "InvalidCertificateOwnershipToken"

    def __init__(self, message: str = "Certificate ownership token is invalid.") -> None:
        super().__init__(message)


class InvalidTemplate(Rejection):
    """There is no such template, it is not enabled, or it cannot be filled in."""

    code = "InvalidTemplate"


class InvalidParameters(Rejection):
    """A parameter is missing or no text."""

    code = "InvalidParameters"


class InvalidSigningRequest(Rejection):
    """The certificate signing request cannot be used."""

    code = "InvalidCertificateSigningRequest"


class InvocationError(Rejection):
    """The hook could not be asked."""

    code = "InvocationError"


class InvalidResult(Rejection):
    """The hook answered something else than it must."""

    code = "InvalidResult"


class Denied(Rejection):
    """The hook said no, or the provisioning role lacks a right."""

    status = 403
    code = "AccessDenied"


class ProvisioningFailed(Rejection):
    """Applying the template failed; nothing was changed."""

    code = "ProvisioningFailed"

    def __init__(self, why: str, *, request_id: str) -> None:
        self.why = why
        super().__init__(
            f"{why} (Service: AWSIot; Status Code: 400; Error Code: ResourceRegistrationFailureException; "
            f"Request ID: {request_id}; Proxy: null)"
        )


class InternalFailure(Rejection):
    """Our fault or the world's: trying again may help."""

    status = 500
    code = "InternalFailure"


class NotRegistered(ServiceError):
    """An operator's device is not registered; the message says why, and nothing was changed."""

    code = "ResourceRegistrationFailureException"


class HookFailed(HedgerowError):
    """The hook's function ran and ended with an error. An Invoker raises it."""


class Conflict(HedgerowError):
    """The thing that exists and the template do not go together; the message says why."""
