"""What can be wrong with a sign-in."""

from hedgerow.base.errors import AccessDenied, ServiceError


class SignInNotFound(ServiceError):
    """The token is unknown, was used, or is over: which of them is not told."""

    code = "ResourceNotFoundException"

    def __init__(self) -> None:
        super().__init__("The sign-in link is not valid any more: ask for a new one.")


class CannotSignIn(AccessDenied):
    """Only those with an access key can sign in."""

    def __init__(self) -> None:
        super().__init__("Only callers with an access key can sign in to the console.")
