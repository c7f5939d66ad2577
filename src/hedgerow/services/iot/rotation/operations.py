"""Rotation, the parts inside one transaction.

The new certificate gets what the old one has: things and policies. Whichever of the two is left over in the end loses
both and becomes INACTIVE: the old one when the device confirms with the new one, the new one when it never does. A new
one cannot be confirmed while an operator has taken the old one back, nor be replaced before it is confirmed: whoever
stole a certificate cannot keep what it was traded for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import AuthorisationChanged, Event
from hedgerow.core.request import Request
from hedgerow.services.iot.principals import certificate_arn
from hedgerow.services.iot.rotation.errors import BelongsToNothing, NotACertificate, NotConfirmed, NotUsable, Withdrawn
from hedgerow.services.iot.rotation.model import OVER, Rotation
from hedgerow.services.iot.rotation.store import RotationStore
from hedgerow.store import Answer, Tx


class Operation(Protocol):
    """An operation of a sibling subject."""

    def __call__(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        """Do it in this transaction; raises ServiceErrors."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The operations of which a rotation is made."""

    attach_thing_principal: Operation
    detach_thing_principal: Operation
    attach_policy: Operation
    detach_policy: Operation
    update_certificate: Operation


class Certificate(Protocol):
    """What is needed of a certificate."""

    @property
    def id(self) -> str: ...

    @property
    def pem(self) -> str: ...

    @property
    def active(self) -> bool: ...


class Certificates(Protocol):
    """Reads certificates."""

    def get(self, tx: Tx, account: str, certificate_id: str) -> Certificate | None:
        """Answer the certificate, or None."""
        ...


class Entries(Protocol):
    """Enters certificates that the device CA signed."""

    def enter_active(self, tx: Tx, caller: Caller, pem: str) -> Certificate:
        """Enter it as ACTIVE and answer it."""
        ...


class Link(Protocol):
    """A thing that a certificate is attached to, and how."""

    @property
    def thing(self) -> str: ...

    @property
    def attachment(self) -> Enum: ...


class Things(Protocol):
    """Reads who is attached to which thing."""

    def things_of(self, tx: Tx, account: str, principal: str) -> Sequence[Link]:
        """Answer the things of a certificate id."""
        ...


class Policies(Protocol):
    """Reads which policies a certificate has."""

    def attached_to(self, tx: Tx, account: str, target: str) -> Sequence[str]:
        """Answer the names of the policies on a certificate id."""
        ...


class RotationOperations:
    """Begins, confirms and ends rotations."""

    def __init__(
        self,
        *,
        rotations: RotationStore,
        steps: Steps,
        certificates: Certificates,
        entries: Entries,
        things: Things,
        policies: Policies,
    ) -> None:
        self._rotations = rotations
        self._steps = steps
        self._certificates = certificates
        self._entries = entries
        self._things = things
        self._policies = policies

    def under_way(self, tx: Tx, caller: Caller, request: str) -> Mapping[str, Any] | None:
        """Check the caller; answer what an earlier call with the same request was answered, if that is still good."""
        old = self._usable(tx, caller)
        if self._rotations.to_new(tx, caller.account, old) is not None:
            raise NotConfirmed(old)
        if not self._things.things_of(tx, caller.account, old):
            raise BelongsToNothing(old)
        rotation = self._rotations.of_old(tx, caller.account, old)
        if rotation is None or rotation.request != request:
            return None
        new = self._certificates.get(tx, caller.account, rotation.new)
        return None if new is None or not new.active else _told(caller, new, rotation)

    def begin(self, tx: Tx, caller: Caller, pem: str, request: str) -> Answer:
        """Enter the new certificate beside the old one. An earlier rotation that was not confirmed is over."""
        old = self._usable(tx, caller)
        events: list[Event] = []
        earlier = self._rotations.of_old(tx, caller.account, old)
        if earlier is not None:
            events += self._drop(tx, caller, earlier, earlier.new)
        new = self._entries.enter_active(tx, caller, pem)
        for link in self._things.things_of(tx, caller.account, old):
            members = {"thingName": link.thing, "principal": certificate_arn(caller, new.id)}
            members["thingPrincipalType"] = link.attachment.value
            events += self._steps.attach_thing_principal(tx, Request(members), caller).events
        for policy in self._policies.attached_to(tx, caller.account, old):
            members = {"policyName": policy, "target": certificate_arn(caller, new.id)}
            events += self._steps.attach_policy(tx, Request(members), caller).events
        rotation = Rotation(old=old, new=new.id, request=request, at=tx.now)
        self._rotations.add(tx, caller.account, rotation)
        body = {"region": caller.region}
        tx.follow_up(OVER, account=caller.account, key=new.id, body=body, due_at=rotation.ends_at)
        events.append(AuthorisationChanged(account=caller.account, principals=frozenset({new.id})))
        return Answer(_told(caller, new, rotation), events=tuple(events))

    def confirm_certificate_rotation(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        """The device has come with the new certificate: the old one ends. Nothing happens when it did so before."""
        new = self._usable(tx, caller)
        rotation = self._rotations.to_new(tx, caller.account, new)
        if rotation is None:
            return Answer({})
        old = self._certificates.get(tx, caller.account, rotation.old)
        if old is not None and not old.active:
            raise Withdrawn(rotation.old)
        return Answer({}, events=tuple(self._drop(tx, caller, rotation, rotation.old)))

    def over(self, tx: Tx, caller: Caller, certificate_id: str) -> tuple[Event, ...]:
        """The device never came with the new certificate: that one ends."""
        rotation = self._rotations.to_new(tx, caller.account, certificate_id)
        return () if rotation is None else tuple(self._drop(tx, caller, rotation, rotation.new))

    def _usable(self, tx: Tx, caller: Caller) -> str:
        if caller.kind is not Kind.CERTIFICATE or caller.certificate_id is None:
            raise NotACertificate
        certificate = self._certificates.get(tx, caller.account, caller.certificate_id)
        if certificate is None or not certificate.active:
            raise NotUsable(caller.certificate_id)
        return certificate.id

    def _drop(self, tx: Tx, caller: Caller, rotation: Rotation, certificate_id: str) -> list[Event]:
        """End the rotation, and the one of the two that is not needed any more."""
        self._rotations.remove(tx, caller.account, rotation)
        tx.cancel_follow_ups(OVER, account=caller.account, key=rotation.new)
        certificate = self._certificates.get(tx, caller.account, certificate_id)
        if certificate is None:
            return []
        arn, events = certificate_arn(caller, certificate_id), list[Event]()
        for link in self._things.things_of(tx, caller.account, certificate_id):
            members = {"thingName": link.thing, "principal": arn}
            events += self._steps.detach_thing_principal(tx, Request(members), caller).events
        for policy in self._policies.attached_to(tx, caller.account, certificate_id):
            events += self._steps.detach_policy(tx, Request({"policyName": policy, "target": arn}), caller).events
        if not certificate.active:  # an operator said so, perhaps REVOKED
            return events
        members = {"certificateId": certificate_id, "newStatus": "INACTIVE"}
        events += self._steps.update_certificate(tx, Request(members), caller).events
        return events


def _told(caller: Caller, new: Certificate, rotation: Rotation) -> dict[str, Any]:
    return {
        "certificateArn": certificate_arn(caller, new.id),
        "certificateId": new.id,
        "certificatePem": new.pem,
        "confirmBefore": rotation.ends_at,
    }
