"""What can be wrong with a request about custom authorizers, and with what an authorizer's function answers."""

from collections.abc import Sequence

from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.services.iot.errors import DeleteConflict, LimitExceeded, ResourceAlreadyExists, ResourceNotFound


class AuthorizerNotFound(ResourceNotFound):
    """The account has no authorizer of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Authorizer {name} does not exist")


class NoDefaultAuthorizer(ResourceNotFound):
    """No authorizer of the account is the default one."""

    def __init__(self) -> None:
        super().__init__("No default authorizer is set")


class AuthorizerExists(ResourceAlreadyExists):
    """The name is taken."""

    def __init__(self, name: str, *, authorizer_arn: str) -> None:
        super().__init__(f"Authorizer {name} already exists", resourceId=name, resourceArn=authorizer_arn)


class AuthorizerActive(DeleteConflict):
    """An active authorizer cannot be deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Authorizer {name} must be INACTIVE before it is deleted")


class AuthorizerInUse(DeleteConflict):
    """Domain configurations ask it."""

    def __init__(self, name: str, domains: Sequence[str]) -> None:
        super().__init__(f"Authorizer {name} is asked by the domain configurations {', '.join(domains)}")


class AuthorizerIsDefault(DeleteConflict):
    """The default authorizer cannot be deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Authorizer {name} is the default one: clear or change the default before it is deleted")


class TooManyAuthorizers(LimitExceeded):
    """One has to go, or to be inactive, first."""


class InvalidResponse(ServiceError):
    """The function failed, or what it answered is not what an authorizer must answer."""

    code = "InvalidResponseException"


class NotLetIn(HedgerowError):
    """A client is not let in: AWS's word for it, and a sentence for logs that holds no secret."""

    def __init__(self, word: str, detail: str) -> None:
        super().__init__(detail)
        self.word = word
        self.detail = detail
