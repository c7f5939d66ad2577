"""The operations on things, and on which principals speak for them (both generations of the calls).

Thing types are a subject of their own. Leaving groups when a thing goes is the groups' business and comes in as a
Protocol, and so are billing groups; shadows are not touched here. Attaching decides what policy variables and group
policies count for a connection, so each change names the certificate in AuthorisationChanged.
Spec: AWS IoT registry (CreateThing …), idempotent where every property is the same.
"""

from typing import Any, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged, Event
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.principals import certificate_arn, certificate_of
from hedgerow.services.iot.things.errors import (
    BillingGroupNotFound,
    PrincipalExclusive,
    PrincipalNotFound,
    ThingExists,
    ThingNotFound,
    ThingStillAttached,
    ThingTypeNotFound,
)
from hedgerow.services.iot.things.model import Attachment, Thing, ThingPrincipal, checked_attributes, checked_name
from hedgerow.services.iot.things.store import ThingStore
from hedgerow.store import Answer, Tx


class ThingType(Protocol):
    """What things look at in a thing type."""

    @property
    def deprecated_at(self) -> float | None:
        """When it was deprecated, None when it was not."""
        ...


class ThingTypes(Protocol):
    """What things need of thing types."""

    def get(self, tx: Tx, account: str, name: str) -> ThingType | None:
        """Answer the thing type, or None."""
        ...


class Memberships(Protocol):
    """What things need of thing groups."""

    def leave_all(self, tx: Tx, account: str, thing: str) -> None:
        """Take the thing out of every group that it is in; nothing when it is in none."""
        ...


class Billing(Protocol):
    """What things need of billing groups."""

    def get(self, tx: Tx, account: str, name: str) -> object | None:
        """Answer the billing group, or None."""
        ...

    def of(self, tx: Tx, account: str, thing: str) -> str | None:
        """Answer the billing group that the thing is in."""
        ...

    def join(self, tx: Tx, account: str, group: str, thing: str) -> None:
        """Put the thing into the group."""
        ...

    def leave(self, tx: Tx, account: str, thing: str) -> None:
        """Take the thing out of its group; nothing when it is in none."""
        ...


class Certificates(Protocol):
    """What things need of certificates."""

    def exists(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the account has a certificate of that id."""
        ...


class ThingOperations:
    """The operations on things."""

    def __init__(
        self,
        *,
        things: ThingStore,
        types: ThingTypes,
        memberships: Memberships,
        billing: Billing,
        pages: Pages,
        ids: Ids,
    ) -> None:
        self._things = things
        self._types = types
        self._memberships = memberships
        self._billing = billing
        self._pages = pages
        self._ids = ids

    def create_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = checked_name(request["thingName"])
        type_name = self._usable_type(tx, caller, request.get("thingTypeName"))
        given, _ = _payload(request)
        attributes = checked_attributes(given or {}, typed=type_name is not None)
        billing = self._billing_group(tx, caller, request.get("billingGroupName"))
        thing = self._things.get(tx, caller.account, name)
        if thing is None:
            thing = Thing(name=name, id=self._ids.uuid(), type=type_name, attributes=attributes, version=1)
            self._things.add(tx, caller.account, thing)
            if billing is not None:
                self._billing.join(tx, caller.account, billing, name)
        elif (thing.type, thing.attributes) != (type_name, attributes) or billing not in (
            None,
            self._billing.of(tx, caller.account, name),
        ):
            raise ThingExists(name, thing_id=thing.id, thing_arn=thing_arn(caller, name))
        return Answer({"thingName": name, "thingArn": thing_arn(caller, name), "thingId": thing.id})

    def describe_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = self._get(tx, caller, request["thingName"])
        shown = {"defaultClientId": thing.name, "thingId": thing.id, **_listed(caller, thing)}
        billing = self._billing.of(tx, caller.account, thing.name)
        return Answer(shown if billing is None else {**shown, "billingGroupName": billing})

    def update_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = self._get(tx, caller, request["thingName"])
        thing.expect(request.get("expectedVersion"))
        bare = bool(request.get("removeThingType"))
        new_type = request.get("thingTypeName")
        if bare and new_type is not None:
            raise InvalidRequest("thingTypeName and removeThingType cannot be given together")
        attributes, merge = _payload(request)
        changed = thing.changed(
            attributes=attributes, merge=merge, type_name=self._usable_type(tx, caller, new_type), bare=bare
        )
        self._things.put(tx, caller.account, changed, before=thing)
        return Answer({}, events=self._regrant(tx, caller, thing.name))

    def delete_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, expected = request["thingName"], request.get("expectedVersion")
        thing = self._things.get(tx, caller.account, name)
        if thing is None:  # AWS answers success
            return Answer({})
        thing.expect(expected)
        if self._things.principals_of(tx, caller.account, name, limit=1):
            raise ThingStillAttached(name)
        self._memberships.leave_all(tx, caller.account, name)
        self._billing.leave(tx, caller.account, name)
        self._things.remove(tx, caller.account, name)
        return Answer({})

    def list_things(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        attribute, value = request.get("attributeName"), request.get("attributeValue")
        type_name, prefix = request.get("thingTypeName"), bool(request.get("usePrefixAttributeValue"))
        if value is not None and attribute is None:
            raise InvalidRequest("attributeValue needs attributeName")
        if prefix and value is None:
            raise InvalidRequest("usePrefixAttributeValue needs attributeName and attributeValue")
        page = self._pages.by_token(
            request, caller, "ListThings", attribute=attribute, value=value, type=type_name, prefix=prefix
        )
        found = self._things.list(
            tx,
            caller.account,
            after=page.after(),
            limit=page.limit,
            type_name=type_name,
            attribute=attribute,
            value=value,
            prefix=prefix,
        )
        return Answer(page.answer("things", found, key=lambda t: (t.name,), show=lambda t: _listed(caller, t)))

    def _get(self, tx: Tx, caller: Caller, name: str) -> Thing:
        thing = self._things.get(tx, caller.account, name)
        if thing is None:
            raise ThingNotFound(name)
        return thing

    def _billing_group(self, tx: Tx, caller: Caller, name: str | None) -> str | None:
        if name is not None and self._billing.get(tx, caller.account, name) is None:
            raise BillingGroupNotFound(name)
        return name

    def _usable_type(self, tx: Tx, caller: Caller, name: str | None) -> str | None:
        if name is None:
            return None
        kind = self._types.get(tx, caller.account, name)
        if kind is None:
            raise ThingTypeNotFound(caller.account, name)
        if kind.deprecated_at is not None:
            raise InvalidRequest(f"Can not use deprecated thing type: {name}")
        return name

    def _regrant(self, tx: Tx, caller: Caller, thing: str) -> tuple[Event, ...]:
        """Policies may speak of a thing's attributes and type: whoever speaks for the thing gets new grants."""
        touched = frozenset(link.principal for link in self._things.principals_of(tx, caller.account, thing))
        return (AuthorisationChanged(account=caller.account, principals=touched),) if touched else ()


class ThingPrincipalOperations:
    """The operations on attachments between things and principals."""

    def __init__(self, *, things: ThingStore, certificates: Certificates, pages: Pages) -> None:
        self._things = things
        self._certificates = certificates
        self._pages = pages

    def attach_thing_principal(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = self._known_thing(tx, caller, request["thingName"])
        principal = request["principal"]
        attachment = Attachment(request.get("thingPrincipalType") or Attachment.SHARED.value)
        certificate = self._known_certificate(tx, caller, principal)
        for other in self._things.things_of(tx, caller.account, certificate):
            if other.thing != thing and Attachment.EXCLUSIVE in (other.attachment, attachment):
                raise PrincipalExclusive(principal, other.thing)
        link = ThingPrincipal(thing=thing, principal=certificate, attachment=attachment)
        self._things.attach(tx, caller.account, link)
        return Answer({}, events=(_changed(caller, certificate),))

    def detach_thing_principal(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = self._known_thing(tx, caller, request["thingName"])
        certificate = certificate_of(request["principal"], caller)
        if not self._things.detach(tx, caller.account, thing, certificate):
            return Answer({})
        return Answer({}, events=(_changed(caller, certificate),))

    def list_thing_principals(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = self._known_thing(tx, caller, request["thingName"])
        page = self._pages.by_token(request, caller, "ListThingPrincipals", thing=thing)
        links = self._things.principals_of(tx, caller.account, thing, after=page.after(), limit=page.limit)
        return Answer(
            page.answer(
                "principals", links, key=lambda k: (k.principal,), show=lambda k: certificate_arn(caller, k.principal)
            )
        )

    def list_thing_principals_v2(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing, wanted = self._known_thing(tx, caller, request["thingName"]), request.get("thingPrincipalType")
        page = self._pages.by_token(request, caller, "ListThingPrincipalsV2", thing=thing, type=wanted)
        links = [
            link
            for link in self._things.principals_of(tx, caller.account, thing, after=page.after())
            if wanted in (None, link.attachment.value)
        ]

        def show(link: ThingPrincipal) -> dict[str, Any]:
            return {
                "principal": certificate_arn(caller, link.principal),
                "thingPrincipalType": link.attachment.value,
            }

        return Answer(page.answer("thingPrincipalObjects", links, key=lambda k: (k.principal,), show=show))

    def list_principal_things(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = self._known_certificate(tx, caller, request["principal"])
        page = self._pages.by_token(request, caller, "ListPrincipalThings", principal=certificate)
        links = self._things.things_of(tx, caller.account, certificate, after=page.after(), limit=page.limit)
        return Answer(page.answer("things", links, key=lambda k: (k.thing,), show=lambda k: k.thing))

    def list_principal_things_v2(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        certificate = self._known_certificate(tx, caller, request["principal"])
        wanted = request.get("thingPrincipalType")
        page = self._pages.by_token(request, caller, "ListPrincipalThingsV2", principal=certificate, type=wanted)
        links = [
            link
            for link in self._things.things_of(tx, caller.account, certificate, after=page.after())
            if wanted in (None, link.attachment.value)
        ]

        def show(link: ThingPrincipal) -> dict[str, Any]:
            return {"thingName": link.thing, "thingPrincipalType": link.attachment.value}

        return Answer(page.answer("principalThingObjects", links, key=lambda k: (k.thing,), show=show))

    def _known_thing(self, tx: Tx, caller: Caller, name: str) -> str:
        if not self._things.exists(tx, caller.account, name):
            raise ThingNotFound(name)
        return name

    def _known_certificate(self, tx: Tx, caller: Caller, principal: str) -> str:
        certificate = certificate_of(principal, caller)
        if not self._certificates.exists(tx, caller.account, certificate):
            raise PrincipalNotFound(principal)
        return certificate


def thing_arn(caller: Caller, name: str) -> str:
    """Make the ARN of one of the caller's things."""
    return arn("iot", caller.region, caller.account, f"thing/{name}")


def _payload(request: Request) -> tuple[dict[str, str] | None, bool]:
    payload = request.get("attributePayload")
    if payload is None:
        return None, False
    merge = bool(payload.get("merge"))
    return payload.take_all("attributes"), merge


def _listed(caller: Caller, thing: Thing) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "thingName": thing.name,
        "thingArn": thing_arn(caller, thing.name),
        "attributes": dict(thing.attributes),
        "version": thing.version,
    }
    if thing.type is not None:
        shown["thingTypeName"] = thing.type
    return shown


def _changed(caller: Caller, certificate: str) -> AuthorisationChanged:
    return AuthorisationChanged(account=caller.account, principals=frozenset({certificate}))
