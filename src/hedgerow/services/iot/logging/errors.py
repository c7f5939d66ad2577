"""What can be wrong with a request about logging options."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded


class NotConfigured(ServiceError):
    """Version 2 of the logging options was never set."""

    code = "NotConfiguredException"

    def __init__(self) -> None:
        super().__init__("Logging is not configured: set it with SetV2LoggingOptions first.")


class RoleUnusable(InvalidRequest):
    """The role cannot be taken for logging."""

    def __init__(self, role: str) -> None:
        super().__init__(f"AWS IoT cannot assume the role {role}: it must be there and trust iot.amazonaws.com")


class TooManyLevels(LimitExceeded):
    """One more target than there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"An account has at most {most} logging levels for targets")
