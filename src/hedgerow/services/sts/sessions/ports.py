"""What sessions need of other subjects: roles, users, and how policies see a caller."""

from collections.abc import Mapping
from typing import Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.policy import Context, Principal, Rights
from hedgerow.store import Tx


class Role(Protocol):
    """What is needed of a role."""

    @property
    def account(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def arn(self) -> str: ...

    @property
    def trust(self) -> str:
        """The trust policy, JSON text."""
        ...

    @property
    def max_session_s(self) -> int: ...

    @property
    def tags(self) -> dict[str, str]: ...

    @property
    def principal_ids(self) -> Mapping[str, str]:
        """Whom the trust policy means by the ARNs that it names."""
        ...


class Roles(Protocol):
    """Reads roles."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> Role | None:
        """Answer the account's role with this ARN, or None."""
        ...


class User(Protocol):
    """What is needed of a user."""

    @property
    def id(self) -> str: ...


class Users(Protocol):
    """Reads users."""

    def find(self, tx: Tx, account: str, name: str) -> User | None:
        """Answer the user, or None."""
        ...


class AccessKey(Protocol):
    """What is needed of a long-lived access key."""

    @property
    def account(self) -> str: ...


class AccessKeys(Protocol):
    """Reads long-lived access keys."""

    def find(self, tx: Tx, key_id: str) -> tuple[AccessKey, str] | None:
        """Answer the key, of whatever account, and its secret; None when there is none."""
        ...


class Standing(Protocol):
    """How policies see a caller."""

    @property
    def principal(self) -> Principal: ...

    @property
    def variables(self) -> Context:
        """The condition keys that belong to the caller: `aws:userid`, `aws:PrincipalArn` …"""
        ...

    @property
    def rights(self) -> Rights:
        """What its own policies say, within its limits."""
        ...

    @property
    def limits(self) -> Rights | None:
        """Its limits alone, None when it has none: a role that trusts it by name still keeps to them."""
        ...

    @property
    def handed_on(self) -> Mapping[str, str]:
        """The session tags that the next role of a chain gets, too."""
        ...


class Standings(Protocol):
    """Finds out how policies see a caller."""

    def of(self, tx: Tx, caller: Caller) -> Standing:
        """Answer how the caller stands now."""
        ...
