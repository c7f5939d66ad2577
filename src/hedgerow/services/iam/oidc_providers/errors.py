"""What can be wrong with an OIDC provider."""

from hedgerow.services.iam.errors import EntityAlreadyExists, InvalidInput, LimitExceeded, NoSuchEntity


class ProviderNotFound(NoSuchEntity):
    """The account has no provider with that ARN."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"OpenIDConnect Provider not found for arn {arn}")


class ProviderExists(EntityAlreadyExists):
    """The URL is registered already."""

    def __init__(self, url: str) -> None:
        super().__init__(f"Provider with url https://{url} already exists.")


class InvalidProvider(InvalidInput):
    """The URL or a thumbprint cannot be one; the message says why."""


class TooMany(LimitExceeded):
    """One more is too much."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"Cannot exceed quota for {what}: {limit}")
