"""What can be wrong with a rotation."""

from hedgerow.services.iot.errors import InvalidRequest


class NotACertificate(InvalidRequest):
    """Only a device with a certificate can rotate one."""

    def __init__(self) -> None:
        super().__init__("Call this with the client certificate that is to be replaced")


class NotUsable(InvalidRequest):
    """The certificate is no longer active."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"The certificate {certificate_id} is not ACTIVE")


class NotConfirmed(InvalidRequest):
    """A certificate that itself came by a rotation must be confirmed before it is replaced."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"The certificate {certificate_id} is not confirmed yet; confirm its rotation first")


class Withdrawn(InvalidRequest):
    """Whoever took the old certificate back did not mean to leave its successor."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"The certificate {certificate_id}, which this one was to replace, is no longer ACTIVE")


class BelongsToNothing(InvalidRequest):
    """A certificate without a thing has nothing to hand on."""

    def __init__(self, certificate_id: str) -> None:
        super().__init__(f"The certificate {certificate_id} is attached to no thing; attach it first")
