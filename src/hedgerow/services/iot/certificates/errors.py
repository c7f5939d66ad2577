"""What can be wrong with a request about device certificates."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import DeleteConflict, InvalidRequest, ResourceAlreadyExists, ResourceNotFound


class CertificateNotFound(ResourceNotFound):
    """The account has no certificate of that id."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"Certificate {certificate_id} does not exist")


class CertificateState(ServiceError):
    """The certificate's status does not allow it."""

    code = "CertificateStateException"


class CertificateValidation(ServiceError):
    """What was sent is no usable certificate."""

    code = "CertificateValidationException"


class CertificateConflict(ServiceError):
    """Several CA certificates could have signed it."""

    code = "CertificateConflictException"

    def __init__(self) -> None:
        super().__init__(
            "Several registered CA certificates have the subject that the certificate names as its issuer: "
            "give caCertificatePem"
        )


class CertificateElsewhere(ResourceAlreadyExists):
    """Another account has it by proof, or got it in a transfer."""

    def __init__(self) -> None:
        super().__init__("The certificate is registered in another account")


class TransferConflict(ServiceError):
    """The certificate cannot be transferred now; the message says why."""

    code = "TransferConflictException"


class TransferAlreadyCompleted(ServiceError):
    """The transfer was accepted, rejected or cancelled before."""

    code = "TransferAlreadyCompletedException"


class CertificateActive(CertificateState):
    """An active certificate cannot be deleted."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"Certificate must be deactivated (not ACTIVE) before deletion. Id: {certificate_id}")


class CertificateExists(ResourceAlreadyExists):
    """The certificate is registered already."""

    def __init__(self, *, certificate_id: str, certificate_arn: str) -> None:
        super().__init__(
            "The certificate is already provisioned or registered",
            resourceId=certificate_id,
            resourceArn=certificate_arn,
        )


class CertificateInUse(DeleteConflict):
    """Things or policies are attached to the certificate."""


class InvalidSigningRequest(InvalidRequest):
    """The certificate signing request cannot be used; the message says why."""
