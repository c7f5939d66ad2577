"""What reports need of the other subjects of IAM."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from hedgerow.services.iam.entities import Kind
from hedgerow.store import Tx


class Entity(Protocol):
    """What users, groups and roles have in common."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def arn(self) -> str: ...
    @property
    def created_at(self) -> float: ...


class Tagged(Entity, Protocol):
    """A user."""

    @property
    def tags(self) -> dict[str, str]: ...


class Role(Tagged, Protocol):
    """A role."""

    @property
    def trust(self) -> str: ...


class Policy(Entity, Protocol):
    """A managed policy."""

    @property
    def default_version(self) -> int: ...
    @property
    def description(self) -> str | None: ...
    @property
    def updated_at(self) -> float: ...


class Version(Protocol):
    """A version of a managed policy."""

    @property
    def number(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def document(self) -> str: ...
    @property
    def created_at(self) -> float: ...


class Users(Protocol):
    """All users."""

    def all(self, tx: Tx, account: str) -> Sequence[Tagged]: ...


class Roles(Protocol):
    """All roles."""

    def all(self, tx: Tx, account: str) -> Sequence[Role]: ...


class Groups(Protocol):
    """All groups, and who is in them."""

    def all(self, tx: Tx, account: str) -> Sequence[Entity]: ...

    def groups_of(self, tx: Tx, account: str, user: str) -> Sequence[str]: ...


class Policies(Protocol):
    """All managed policies."""

    def own(self, tx: Tx, account: str) -> Sequence[Policy]:
        """Answer those that the account made."""
        ...

    def get(self, tx: Tx, account: str, arn: str) -> Policy | None:
        """Answer the one with this ARN, AWS's too, or None."""
        ...

    def versions(self, tx: Tx, account: str, arn: str) -> Sequence[Version]:
        """Answer the versions of one, newest first."""
        ...


class Attachments(Protocol):
    """Who has which policies."""

    def counts(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer how many have each managed policy, by ARN."""
        ...

    def bounds(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer how many each managed policy bounds, by ARN."""
        ...

    def boundary(self, tx: Tx, account: str, kind: Kind, name: str) -> str | None:
        """Answer the ARN of the policy that bounds a role or user, or None."""
        ...


class Held(Protocol):
    """What one role, user or group has."""

    def inline(self, tx: Tx, account: str, kind: Kind, name: str) -> Mapping[str, str]:
        """Answer the inline documents by name."""
        ...

    def attached(self, tx: Tx, account: str, kind: Kind, name: str) -> Sequence[str]:
        """Answer the ARNs of the managed policies."""
        ...


class RootKeys(Protocol):
    """The keys of the account itself."""

    def active(self, tx: Tx, account: str) -> str | None:
        """Answer the id of one that is active, or None."""
        ...


class Providers(Protocol):
    """The identity providers of an account."""

    def count(self, tx: Tx, account: str) -> int: ...
