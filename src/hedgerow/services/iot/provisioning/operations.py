"""Provisioning a device, the part inside one transaction: everything that the template says, or nothing.

Every step is an operation of a sibling subject, done as the template's role (or as the operator who asks), whose rights
are asked before each. The hook and the form of the messages are the flow's business; `model.py` says whose a name is.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.base.errors import ServiceError
from hedgerow.core import template as language
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import AuthorisationChanged, Event
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import ResourceNotFound
from hedgerow.services.iot.provisioning.errors import (
    Conflict,
    Denied,
    InvalidOwnershipToken,
    InvalidParameters,
    InvalidTemplate,
    ProvisioningFailed,
)
from hedgerow.services.iot.provisioning.model import Change, Existing, change_of, same_key
from hedgerow.services.iot.provisioning.store import (
    UNCLAIMED,
    Billing,
    Certificates,
    EnrolmentStore,
    Groups,
    Policies,
    Rights,
    Things,
)
from hedgerow.store import Answer, Tx

_ENDED: Final = "Register thing workflow execution terminates due to: "


class Operation(Protocol):
    """An operation of a sibling subject."""

    def __call__(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        """Do it in this transaction; raises ServiceErrors."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The operations of which provisioning is made."""

    create_thing: Operation
    update_thing: Operation
    attach_thing_principal: Operation
    add_thing_to_thing_group: Operation
    remove_thing_from_thing_group: Operation
    add_thing_to_billing_group: Operation
    create_policy: Operation
    attach_policy: Operation
    update_certificate: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done: for which certificate, by which template, with which parameters, and in whose name."""

    certificate_id: str
    template: str
    body: str
    role_arn: str | None  # None: in the caller's own name, and `may` says what the caller may do
    parameters: Mapping[str, str]
    approved: bool  # a hook allowed it
    facts: Mapping[str, str] | None = None  # what the certificate's subject says
    use: language.Use = language.Use.CLAIM
    may: Callable[[str, str], bool] | None = None  # (action, resource)


class Registration:
    """Applies a template to a certificate."""

    def __init__(
        self,
        *,
        steps: Steps,
        certificates: Certificates,
        things: Things,
        groups: Groups,
        billing: Billing,
        policies: Policies,
        rights: Rights,
        names_may_be_taken: bool = False,
    ) -> None:
        self._steps = steps
        self._certificates = certificates
        self._things = things
        self._groups = groups
        self._billing = billing
        self._policies = policies
        self._rights = rights
        self._names_may_be_taken = names_may_be_taken

    def register(self, tx: Tx, order: Order, caller: Caller) -> Answer:
        """Do all of it and answer `thingName` and `deviceConfiguration`; or raise a Rejection and do nothing."""
        return self.apply(tx, order, resolved(order), caller)

    def check(self, tx: Tx, order: Order, caller: Caller) -> language.Resolved:
        """Answer what would be done, and do nothing; raise a Rejection when the certificate may not be provisioned."""
        wanted = resolved(order)
        self._check_certificate(tx, order, caller.account, active=wanted.certificate.active)
        return wanted

    def apply(self, tx: Tx, order: Order, wanted: language.Resolved, caller: Caller) -> Answer:
        """Do the same with a template that is filled in already."""
        if order.use is not language.Use.OPERATOR:
            self._check_certificate(tx, order, caller.account, active=wanted.certificate.active)
        work = _Work(self._steps, self._rights, tx, order, caller)
        try:
            self._apply(work, wanted)
        except ResourceNotFound as error:
            raise ProvisioningFailed(_ENDED + error.message, request_id=caller.request_id) from error
        except ServiceError as error:
            raise ProvisioningFailed(error.message, request_id=caller.request_id) from error
        except Conflict as error:
            raise ProvisioningFailed(str(error), request_id=caller.request_id) from error
        tx.cancel_follow_ups(UNCLAIMED, account=caller.account, key=order.certificate_id)
        response: dict[str, Any] = {"deviceConfiguration": dict(wanted.device_configuration)}
        if wanted.thing is not None:
            response["thingName"] = wanted.thing.name
        return Answer(response, events=_told_once(work.events))

    def _apply(self, work: "_Work", wanted: language.Resolved) -> None:
        thing = wanted.thing
        change = self._put_thing(work, thing) if thing is not None else None
        for policy in wanted.policies:
            self._put_policy(work, policy)
        if thing is not None and change is not None:
            self._attach(work, thing.name, wanted.certificate.principal_type)
            work.join(thing.name, change)
            self._bill(work, thing)
        self._set_status(work, wanted.certificate)

    def end_lost(
        self, tx: Tx, order: Order, thing: str, caller: Caller, *, enrolments: EnrolmentStore
    ) -> tuple[Event, ...]:
        """Deactivate what the holder of the same key was given before and never came with: it has lost the reply."""
        account, ours = caller.account, self._certificates.get(tx, caller.account, order.certificate_id)
        events: list[Event] = []
        for link in self._things.principals_of(tx, account, thing):
            other = self._certificates.get(tx, account, link.principal)
            if link.principal == order.certificate_id or ours is None or other is None:
                continue
            lost = other.status.value == "ACTIVE" and enrolments.is_waiting(tx, account, link.principal)
            if lost and same_key(ours.pem, other.pem):
                members = {"certificateId": link.principal, "newStatus": "INACTIVE"}
                events += self._steps.update_certificate(tx, Request(members), caller).events
        return tuple(events)

    def demand(self, tx: Tx, order: Order, caller: Caller, action: str, resource: str) -> None:
        """Raise Denied unless the role, or the caller, may do it."""
        _Work(self._steps, self._rights, tx, order, caller).demand(action, resource)

    def _set_status(self, work: "_Work", wanted: language.ResolvedCertificate) -> None:
        """Set the template's status; one that is used already keeps its own where OverrideSettings say so."""
        certificate = self._certificates.get(work.tx, work.caller.account, work.order.certificate_id)
        if certificate is None:
            raise ResourceNotFound(f"The certificate {work.order.certificate_id} does not exist.")
        status, there = "ACTIVE" if wanted.active else "INACTIVE", certificate.status.value
        if there not in ("PENDING_ACTIVATION", status):
            if wanted.override is language.Override.DO_NOTHING:
                return
            if wanted.override is language.Override.FAIL:
                raise Conflict(f"Existing certificate status: {there} conflicts with status: {status} in Template.")
        work.set_status(status)

    def _check_certificate(self, tx: Tx, order: Order, account: str, *, active: bool) -> None:
        """Refuse a certificate that was deactivated, revoked or deleted since: the token does not bring it back."""
        certificate = self._certificates.get(tx, account, order.certificate_id)
        usable = ("PENDING_ACTIVATION", "ACTIVE" if active else "INACTIVE")
        if certificate is None or certificate.status.value not in usable:
            raise InvalidOwnershipToken

    def _put_thing(self, work: "_Work", wanted: language.ResolvedThing) -> Change:
        """Make the thing, or change it as its OverrideSettings say; answer what becomes of its groups."""
        account = work.caller.account
        thing = self._things.get(work.tx, account, wanted.name)
        if thing is None:
            self._check_own_things(work, wanted.name)
            work.create_thing(wanted)
            return Change(attributes=None, type=None, join=wanted.groups or (), leave=())
        own = self._check_name(work, wanted.name)
        existing = Existing(
            type=thing.type,
            attributes=thing.attributes,
            groups=self._groups.groups_of(work.tx, account, wanted.name),
            group_arn=arn("iot", work.caller.region, account, "thinggroup/"),
            own=own,
        )
        change = change_of(existing, wanted)
        if change.of_thing:
            work.update_thing(wanted.name, change)
        return change

    def _check_name(self, work: "_Work", name: str) -> bool:
        """Tell whether the thing is this device's already; raise Conflict when it is another device's."""
        account, mine = work.caller.account, work.order.certificate_id
        others = [link.principal for link in self._things.principals_of(work.tx, account, name)]
        if mine in others:
            return True
        if any(self._same_key(work, other) for other in others):
            self._check_own_things(work, name)
            return True
        if not (self._names_may_be_taken or work.order.approved):
            for other in others:
                certificate = self._certificates.get(work.tx, account, other)
                if certificate is not None and certificate.status.value in ("ACTIVE", "PENDING_ACTIVATION"):
                    raise Conflict(
                        f"Thing {name} already exists and has an active certificate: it is another device's. "
                        "To give its name to this one, deactivate or detach that certificate first"
                    )
        self._check_own_things(work, name)
        return False

    def _same_key(self, work: "_Work", other: str) -> bool:
        """Tell whether the other certificate is active and for the same key: then its owner asks again."""
        ours = self._certificates.get(work.tx, work.caller.account, work.order.certificate_id)
        theirs = self._certificates.get(work.tx, work.caller.account, other)
        if ours is None or theirs is None or theirs.status.value != "ACTIVE":
            return False
        return same_key(ours.pem, theirs.pem)

    def _check_own_things(self, work: "_Work", name: str) -> None:
        links = self._things.things_of(work.tx, work.caller.account, work.order.certificate_id)
        other = next((link.thing for link in links if link.thing != name), None)
        if other is not None:
            raise Conflict(f"The certificate is already attached to thing {other}")

    def _attach(self, work: "_Work", thing: str, kind: language.PrincipalType | None) -> None:
        """Attach the certificate; one that is attached stays as it is unless the template says how."""
        links = self._things.things_of(work.tx, work.caller.account, work.order.certificate_id)
        if kind is not None or not any(link.thing == thing for link in links):
            work.attach(thing, (kind or language.PrincipalType.SHARED).value)

    def _bill(self, work: "_Work", thing: language.ResolvedThing) -> None:
        """Put the thing into its billing group; raise Conflict when it is in another."""
        group = thing.billing_group
        if group is None:
            return
        there = self._billing.of(work.tx, work.caller.account, thing.name)
        if there is None:
            work.bill(thing.name, group)
        elif there != group:
            raise Conflict(f"Existing BillingGroup: {there} conflicts with BillingGroup: {group} in Template.")

    def _put_policy(self, work: "_Work", policy: language.ResolvedPolicy) -> None:
        if self._policies.get(work.tx, work.caller.account, policy.name) is None:
            if policy.document is None:
                raise Conflict(_ENDED + "Policy default version not found")
            work.create_policy(policy.name, policy.document)
        work.attach_policy(policy.name)


class _Work:
    """One registration under way: does steps as the template's role, and gathers their events."""

    def __init__(self, steps: Steps, rights: Rights, tx: Tx, order: Order, caller: Caller) -> None:
        self._steps = steps
        self._rights = rights
        self._may_do: Callable[[str, str], bool] | None = None
        self.tx = tx
        self.order = order
        self.caller = caller
        role = order.role_arn
        self._doer = caller if role is None else dataclasses.replace(caller, principal=role, kind=Kind.SERVICE)
        self._certificate = self._own(f"cert/{order.certificate_id}")
        self.events: list[Event] = []

    def create_thing(self, wanted: language.ResolvedThing) -> None:
        request: dict[str, Any] = {"thingName": wanted.name}
        if wanted.type is not None:
            request["thingTypeName"] = wanted.type
        if wanted.attributes:
            request["attributePayload"] = {"attributes": dict(wanted.attributes)}
        self._do(self._steps.create_thing, "iot:CreateThing", self._thing(wanted.name), request)

    def update_thing(self, name: str, change: Change) -> None:
        request: dict[str, Any] = {"thingName": name}
        if change.type is not None:
            request["thingTypeName"] = change.type
        if change.attributes is not None:
            request["attributePayload"] = {"attributes": dict(change.attributes), "merge": False}
        self._do(self._steps.update_thing, "iot:UpdateThing", self._thing(name), request)

    def create_policy(self, name: str, document: str) -> None:
        request = {"policyName": name, "policyDocument": document}
        self._do(self._steps.create_policy, "iot:CreatePolicy", self._own(f"policy/{name}"), request)

    def attach_policy(self, name: str) -> None:
        request = {"policyName": name, "target": self._certificate}
        self._do(self._steps.attach_policy, "iot:AttachPolicy", self._certificate, request)

    def attach(self, thing: str, principal_type: str) -> None:
        request = {"thingName": thing, "principal": self._certificate, "thingPrincipalType": principal_type}
        self._do(self._steps.attach_thing_principal, "iot:AttachThingPrincipal", self._certificate, request)

    def join(self, thing: str, change: Change) -> None:
        """Leave groups and join others."""
        for steps, action, names in (
            (self._steps.remove_thing_from_thing_group, "iot:RemoveThingFromThingGroup", change.leave),
            (self._steps.add_thing_to_thing_group, "iot:AddThingToThingGroup", change.join),
        ):
            for name in names:
                self._do(steps, action, self._own(f"thinggroup/{name}"), {"thingGroupName": name, "thingName": thing})

    def bill(self, thing: str, group: str) -> None:
        request = {"billingGroupName": group, "thingName": thing}
        resource = self._own(f"billinggroup/{group}")
        self._do(self._steps.add_thing_to_billing_group, "iot:AddThingToBillingGroup", resource, request)

    def set_status(self, status: str) -> None:
        request = {"certificateId": self.order.certificate_id, "newStatus": status}
        self._do(self._steps.update_certificate, "iot:UpdateCertificate", self._certificate, request)

    def _do(self, step: Operation, action: str, resource: str, request: Mapping[str, Any]) -> None:
        self.demand(action, resource)
        self.events.extend(step(self.tx, Request(request), self._doer).events)

    def demand(self, action: str, resource: str) -> None:
        if not self._may(action, resource):
            who = "caller" if self.order.role_arn is None else "provisioning role"
            raise Denied(f"Access Denied: the {who} may not {action} on {resource}", cause=self._unassumable())

    def _may(self, action: str, resource: str) -> bool:
        role = self.order.role_arn
        if self._may_do is None:  # the role's policies are read once: no step changes them
            roles = self._rights.role_may
            self._may_do = self.order.may if role is None else roles(self.tx, self.caller.account, role, self._source)
        return self._may_do is not None and self._may_do(action, resource)

    def _unassumable(self) -> str:
        """Say that the role gives no right at all, if that is so."""
        role, service = self.order.role_arn, "iot.amazonaws.com"
        if role is None or self._rights.assumable(self.tx, self.caller.account, role, service, self._source):
            return ""
        return f"there is no role {role}, or it does not trust {service} for {self._source}"

    @property
    def _source(self) -> str:
        return self._own(f"provisioningtemplate/{self.order.template}")

    def _thing(self, name: str) -> str:
        return self._own(f"thing/{name}")

    def _own(self, resource: str) -> str:
        return arn("iot", self.caller.region, self.caller.account, resource)


def _told_once(events: Sequence[Event]) -> tuple[Event, ...]:
    """Answer the events; several steps change the same rights, and connections are asked about again for each."""
    found: list[Event] = []
    for event in events:
        if not (isinstance(event, AuthorisationChanged) and event in found):
            found.append(event)
    return tuple(found)


def resolved(order: Order) -> language.Resolved:
    """Fill the template in; raise the Rejection that says what is wrong with it or with the parameters."""
    try:
        template = language.read(order.body, order.use)
        return language.resolve(
            template, order.parameters, certificate_id=order.certificate_id, facts=order.facts, use=order.use
        )
    except language.CannotResolve as error:
        raise InvalidParameters(str(error)) from error
    except language.BadFunction as error:
        where = f"at {error.path}" if error.path else ""
        raise InvalidTemplate(f"Template {order.template} has an invalid {error.name}.", cause=where) from error
    except language.UnsafeValue as error:
        raise InvalidParameters(f"Template {order.template} cannot be filled in: {error}") from error
    except (language.BadTemplate, language.BadValue, language.TooLong) as error:
        raise InvalidTemplate(f"Template {order.template} cannot be filled in: {error}") from error
