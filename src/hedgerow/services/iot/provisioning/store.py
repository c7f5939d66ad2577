"""What enrolment reads of other subjects' rows. It has none of its own.

Tokens are sealed, not stored; a certificate that waits for its device stands in the registry, with a follow-up.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from hedgerow.store import Tx

UNCLAIMED: Final = "unclaimed-certificate"
"""Follow-up, key: certificate id. Due when the ownership token ends; see `follow_ups.py`."""


class Status(Protocol):
    """A certificate's status."""

    @property
    def value(self) -> str:
        """AWS's word for it."""
        ...


class Certificate(Protocol):
    """What enrolment looks at in a certificate."""

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        ...

    @property
    def status(self) -> Status:
        """Whether it may be used."""
        ...


class Certificates(Protocol):
    """The rows of certificates."""

    def get(self, tx: Tx, account: str, certificate_id: str) -> Certificate | None:
        """Answer the account's certificate, or None."""
        ...

    def remove(self, tx: Tx, account: str, certificate_id: str) -> None:
        """Delete the certificate."""
        ...


class Thing(Protocol):
    """What enrolment looks at in a thing."""

    @property
    def type(self) -> str | None:
        """The name of its type."""
        ...

    @property
    def attributes(self) -> Mapping[str, str]:
        """Its attributes."""
        ...


class Link(Protocol):
    """An attachment between a thing and a certificate."""

    @property
    def thing(self) -> str:
        """The thing's name."""
        ...

    @property
    def principal(self) -> str:
        """The certificate's id."""
        ...


class Things(Protocol):
    """The rows of things."""

    def get(self, tx: Tx, account: str, name: str) -> Thing | None:
        """Answer the thing, or None."""
        ...

    def principals_of(self, tx: Tx, account: str, thing: str) -> Sequence[Link]:
        """Answer the certificates that speak for the thing."""
        ...

    def things_of(self, tx: Tx, account: str, principal: str) -> Sequence[Link]:
        """Answer the things that the certificate is attached to."""
        ...


class Groups(Protocol):
    """The rows of thing groups."""

    def groups_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is directly in."""
        ...


class Billing(Protocol):
    """Who is in which billing group."""

    def of(self, tx: Tx, account: str, thing: str) -> str | None:
        """Answer the billing group that the thing is in."""
        ...


class Policies(Protocol):
    """The rows of policies."""

    def get(self, tx: Tx, account: str, name: str) -> object | None:
        """Answer the policy, or None."""
        ...

    def attached_to(self, tx: Tx, account: str, target: str) -> Sequence[str]:
        """Answer the names of the policies on the target (a certificate id)."""
        ...


class Rights(Protocol):
    """What a role may do."""

    def role_allows(self, tx: Tx, account: str, role_arn: str, action: str, resource: str) -> bool:
        """Tell whether AWS IoT, having assumed the role, may do this; False when there is no role to be assumed."""
        ...
