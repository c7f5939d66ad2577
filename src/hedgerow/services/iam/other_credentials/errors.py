"""What can be wrong with a question about credentials that nobody has."""

from hedgerow.services.iam.errors import NoSuchEntity, ValidationFailed


class UserNotFound(NoSuchEntity):
    """There is no user of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The user with name {name} cannot be found.")


class NoLoginProfile(NoSuchEntity):
    """No user has a password here."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Login Profile for User {name} cannot be found.")


class NoPasswordPolicy(NoSuchEntity):
    """Where there are no passwords there is no policy for them."""

    def __init__(self, account: str) -> None:
        super().__init__(f"The Password Policy with domain name {account} cannot be found.")


class NameNeeded(ValidationFailed):
    """The caller is no user, so the name cannot be left out."""

    def __init__(self) -> None:
        super().__init__("Must specify userName when calling with non-User credentials")
