"""What can be wrong with a request about domain configurations."""

from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound


class NoSuchDomain(ResourceNotFound):
    """There is no domain configuration of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Domain configuration {name} not found.")


class DomainExists(ResourceAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str, *, domain_arn: str) -> None:
        super().__init__(f"Domain configuration {name} already exists", resourceId=name, resourceArn=domain_arn)


class DomainNameTaken(ResourceAlreadyExists):
    """Another configuration has the host name; whose it is, is not said."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The domain name {name} is used by another domain configuration")


class BadDomain(InvalidRequest):
    """What is asked for cannot be."""


class StillEnabled(InvalidRequest):
    """A domain configuration is disabled before it is deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Domain configuration {name} must be DISABLED before it can be deleted")


class DisabledTooShort(InvalidRequest):
    """A name of ours stays disabled for a while, so that nobody deletes an endpoint by mistake."""

    def __init__(self, name: str, days: int) -> None:
        super().__init__(f"Domain configuration {name} must have been DISABLED for {days} days before it is deleted")


class TooManyDomains(LimitExceeded):
    """There are as many as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"An account may have {most} domain configurations")
