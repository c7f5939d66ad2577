"""What can be wrong at the vending machine. A device is never told more than it needs."""

from hedgerow.base.errors import AccessDenied, ServiceError


class Unfit(ServiceError):
    """The request cannot be honoured as it stands; the message says why."""

    code = "ValidationException"


class NotAccepted(AccessDenied):
    """The device gets nothing; the record says why."""

    def __init__(self) -> None:
        super().__init__("This device is not accepted.")


class TooMany(ServiceError):
    """The device asks too often, or too many wait. The device hears the same of all; `why` is for the record."""

    code = "ThrottlingException"

    def __init__(self, why: str) -> None:
        super().__init__("Too many requests. Ask again later.")
        self.why = why


class DeviceUnknown(ServiceError):
    """No device of that serial number asked or was imported."""

    code = "ResourceNotFoundException"

    def __init__(self, serial: str) -> None:
        super().__init__(f"No device with the serial number {serial} is known")


class AlreadyIssued(ServiceError):
    """It has its certificate."""

    code = "ConflictException"

    def __init__(self, serial: str) -> None:
        super().__init__(f"Device {serial} has its certificate already: deactivate that one")
