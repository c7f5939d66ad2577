"""What can be wrong with an account."""

from hedgerow.base.errors import AccessDenied, ServiceError


class AccountExists(ServiceError):
    """The id is taken."""

    code = "ConflictException"

    def __init__(self, account: str) -> None:
        super().__init__(f"Account {account} already exists.")


class InvalidAccount(ServiceError):
    """That is no account id."""

    code = "ValidationException"

    def __init__(self, account: str) -> None:
        super().__init__(f"{account!r} is no account id: it must be 12 digits.")


class FirstAccountOnly(AccessDenied):
    """Only the root of the cloud's first account sees and makes accounts."""

    def __init__(self) -> None:
        super().__init__("Only the root of this cloud's first account may do this.")


class InvalidNextToken(ServiceError):
    """The token was not issued for this listing."""

    code = "ValidationException"

    def __init__(self) -> None:
        super().__init__("The nextToken is not valid.")
