"""What can be wrong with a request about certificate providers, and with what a provider answers."""

from hedgerow.base.errors import HedgerowError
from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound


class ProviderNotFound(ResourceNotFound):
    """The account has no certificate provider of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Certificate provider {name} does not exist")


class ProviderExists(ResourceAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str, *, provider_arn: str) -> None:
        super().__init__(f"Certificate provider {name} already exists", resourceId=name, resourceArn=provider_arn)


class TooManyProviders(LimitExceeded):
    """An account has one."""

    def __init__(self) -> None:
        super().__init__("An account has one certificate provider at most")


class UnusableFunction(InvalidRequest):
    """AWS IoT may not invoke the function, or it is not there."""


class RequestRefused(InvalidRequest):
    """The certificate signing request was not handed to the provider; the message says why."""


class ProviderFailed(HedgerowError):
    """The provider could not be asked, or what it answered is no certificate for the request."""
