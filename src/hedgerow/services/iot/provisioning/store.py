"""What enrolment reads of other subjects' rows, and its own: whom it answered what, as long as the token is good.

Tokens are sealed, not stored; a certificate that waits for its device stands in the registry, with a follow-up.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import Boolean, Column, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.store import Tx, metadata

UNCLAIMED: Final = "unclaimed-certificate"
"""Follow-up, key: certificate id. Due when the ownership token ends; see `follow_ups.py`."""
ENROLMENT_OVER: Final = "enrolment-over"
"""Follow-up, key: certificate id. Due when no ownership token of the certificate can be good any more, then daily."""

enrolments = Table(
    "iot_enrolment",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("certificate_id", String(64), primary_key=True),
    Column("thing", String(128)),
    Column("reply", Text, nullable=False),  # JSON
    Column("connected", Boolean, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")
_OWN: Final = (enrolments.c.account == _ACCOUNT) & (enrolments.c.certificate_id == _ID)
_GET: Final = select(enrolments).where(_OWN)
_ADD: Final = insert(enrolments)
_CONNECTED: Final = update(enrolments).where(_OWN).values(connected=True)
_DROP: Final = delete(enrolments).where(_OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a device was answered when it was provisioned."""

    thing: str | None
    reply: Mapping[str, Any]
    connected: bool = False  # with its own certificate: then it has the reply


class EnrolmentStore:
    """What devices were answered. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, certificate_id: str) -> Enrolment | None:
        """Answer the certificate's enrolment while its token is good (and, without the reply, until it is used)."""
        row = tx.one(_GET, account_=account, id_=certificate_id)
        if row is None:
            return None
        return Enrolment(thing=row.thing, reply=json.loads(row.reply), connected=bool(row.connected))

    def add(self, tx: Tx, account: str, certificate_id: str, enrolment: Enrolment) -> None:
        tx.run(
            _ADD,
            account=account,
            certificate_id=certificate_id,
            thing=enrolment.thing,
            reply=json.dumps(dict(enrolment.reply)),
            connected=enrolment.connected,
        )

    def is_waiting(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the device was provisioned and has not connected as itself."""
        row = tx.one(_GET, account_=account, id_=certificate_id)
        return row is not None and not row.connected

    def connected(self, tx: Tx, account: str, certificate_id: str) -> None:
        """Write that the device has connected as itself."""
        tx.run(_CONNECTED, account_=account, id_=certificate_id)

    def remove(self, tx: Tx, account: str, certificate_id: str) -> None:
        tx.run(_DROP, account_=account, id_=certificate_id)


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

    def role_may(self, tx: Tx, account: str, role_arn: str, source: str) -> Callable[[str, str], bool]:
        """Answer what tells whether AWS IoT, having assumed the role for `source`, may do an action to a resource.

        It says no to everything when there is no role to be assumed.
        """
        ...

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        """Tell whether the role is there and trusts the service, which acts for `source`."""
        ...
