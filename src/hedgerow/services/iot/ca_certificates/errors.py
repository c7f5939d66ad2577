"""What can be wrong with a request about CA certificates."""

from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound


class CaNotFound(ResourceNotFound):
    """The account has no CA certificate of that id."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"CA certificate {certificate_id} does not exist")


class CaExists(ResourceAlreadyExists):
    """The account has it already."""

    def __init__(self, *, certificate_id: str, certificate_arn: str) -> None:
        super().__init__(
            "The CA certificate is already registered", resourceId=certificate_id, resourceArn=certificate_arn
        )


class CaElsewhere(ResourceAlreadyExists):
    """In DEFAULT mode a CA belongs to one account."""

    def __init__(self) -> None:
        super().__init__(
            "Another account has this CA certificate in DEFAULT mode: register it with certificateMode SNI_ONLY"
        )


class CaActive(ServiceError):
    """An active CA certificate cannot be deleted."""

    code = "CertificateStateException"

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"CA Certificate must be deactivated (not ACTIVE) before deletion. Id: {certificate_id}")


class CaValidation(ServiceError):
    """What was sent is no CA certificate, or none that can be used; the message says why."""

    code = "CertificateValidationException"


class NameTaken(CaValidation):
    """Its name is in the way of other accounts' devices."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The certificate cannot be trusted beside those that are there: {why}, and devices' handshakes find a CA "
            "by its name. Use a CA with a subject of its own"
        )


class RegistrationCodeValidation(ServiceError):
    """The verification certificate does not bear the account's registration code."""

    code = "RegistrationCodeValidationException"


class TooManyOfOneName(LimitExceeded):
    """One CA of that subject has to go first."""

    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} CA certificates with the same subject already, which is the most")


class InvalidRegistrationConfig(InvalidRequest):
    """The registrationConfig cannot be honoured; the message says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"registrationConfig: {why}")


class NotProvisioned(HedgerowError):
    """A device that connected for the first time was not provisioned; `code` and the message say why."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
