"""Making a device, the part inside one transaction: everything, or nothing.

Each step is an operation of its own subject, done as the caller, who must be allowed each. The address that asked
stands in the shadow as `reported.provision_addr`. A call that is repeated with its token ends the certificate whose
private key the caller lost with the first answer, and makes another: the thing never has two.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import Event
from hedgerow.core.request import Request
from hedgerow.services.hedgerow.devices.errors import HasACertificate, NotAllowed, TokenUsed
from hedgerow.services.hedgerow.devices.follow_ups import OVER
from hedgerow.services.hedgerow.devices.model import KEPT_S, DeviceOrder, Wanted
from hedgerow.services.hedgerow.devices.store import OrderStore
from hedgerow.store import Answer, Tx

May = Callable[[str, str], bool]


class Operation(Protocol):
    """An operation of another subject."""

    def __call__(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        """Do it in this transaction; raises ServiceErrors."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The operations that a device is made of, besides its registration."""

    update_thing_shadow: Operation
    create_deployment: Operation
    detach_thing_principal: Operation
    update_certificate: Operation
    delete_certificate: Operation


class Registering(Protocol):
    """Registers a device by a template that was filled in and signed before."""

    def register(self, tx: Tx, prepared: Any, caller: Caller, *, may: May) -> Answer:
        """Do all of it; answer `certificatePem` and `resourceArns`, by the template's names. Raises ServiceErrors."""
        ...


class Link(Protocol):
    """A certificate that is attached to a thing."""

    @property
    def principal(self) -> str: ...


class Things(Protocol):
    """Reads who is attached to things."""

    def principals_of(self, tx: Tx, account: str, thing: str) -> Sequence[Link]:
        """Answer the thing's certificates."""
        ...


class DeviceOperations:
    """Makes devices."""

    def __init__(self, *, orders: OrderStore, registering: Registering, steps: Steps, things: Things) -> None:
        self._orders = orders
        self._registering = registering
        self._steps = steps
        self._things = things

    def earlier(self, tx: Tx, account: str, token: str | None, wanted: Wanted) -> Mapping[str, Any] | None:
        """Answer what an earlier call with the same signing request was answered, None when it is to be carried out."""
        order = None if token is None else self._orders.get(tx, account, token)
        if order is None:
            return None
        if order.digest != wanted.digest():
            raise TokenUsed(order.token)
        return None if wanted.signing_request is None else order.answer

    def make(self, tx: Tx, wanted: Wanted, prepared: Any, caller: Caller, *, token: str | None, may: May) -> Answer:
        """Do all of it, or raise a ServiceError, and then nothing is left behind."""
        answered = self.earlier(tx, caller.account, token, wanted)
        if answered is not None:  # by a call with this token that came at the same time
            return Answer(answered)
        events = self._ended(tx, wanted, caller, token)
        taken = self._things.principals_of(tx, caller.account, wanted.thing)
        if taken:
            raise HasACertificate(wanted.thing, taken[0].principal)
        registered = self._registering.register(tx, prepared, caller, may=may)
        events += registered.events
        arns = registered.response["resourceArns"]
        answer: dict[str, Any] = {
            "thingName": wanted.thing,
            "thingArn": arns["thing"],
            "certificateArn": arns["certificate"],
            "certificateId": arns["certificate"].rpartition("/")[2],
            "certificatePem": registered.response["certificatePem"],
        }
        events += self._shadow(tx, wanted, caller, arns["thing"], may)
        if wanted.components is not None:
            deployed = self._deploy(tx, wanted, caller, arns["thing"], may)
            answer["deploymentId"] = deployed.response["deploymentId"]
            events += deployed.events
        if token is not None:
            self._remember(tx, caller, token, wanted, answer)
        return Answer(answer, events=tuple(events))

    def _ended(self, tx: Tx, wanted: Wanted, caller: Caller, token: str | None) -> list[Event]:
        """End the certificate of an earlier call with this token, whose key is lost; answer what that lets happen."""
        order = None if token is None else self._orders.get(tx, caller.account, token)
        if order is None:
            return []
        principal = arn("iot", caller.region, caller.account, f"cert/{order.certificate}")
        events: list[Event] = []
        owned = {link.principal for link in self._things.principals_of(tx, caller.account, wanted.thing)}
        if order.certificate in owned:
            ended = (
                (self._steps.detach_thing_principal, {"thingName": wanted.thing, "principal": principal}),
                (self._steps.update_certificate, {"certificateId": order.certificate, "newStatus": "INACTIVE"}),
                (self._steps.delete_certificate, {"certificateId": order.certificate, "forceDelete": True}),
            )
            for step, members in ended:
                events += step(tx, Request(members), caller).events
        return events

    def _shadow(self, tx: Tx, wanted: Wanted, caller: Caller, thing_arn: str, may: May) -> tuple[Event, ...]:
        self._demand(caller, may, "iot:UpdateThingShadow", thing_arn)
        state: dict[str, Any] = {"reported": {"provision_addr": caller.source_ip}}
        if wanted.shadow is not None:
            state["desired"] = dict(wanted.shadow)
        members = {"thingName": wanted.thing, "payload": json.dumps({"state": state}).encode()}
        return tuple(self._steps.update_thing_shadow(tx, Request(members), caller).events)

    def _deploy(self, tx: Tx, wanted: Wanted, caller: Caller, thing_arn: str, may: May) -> Answer:
        self._demand(caller, may, "greengrass:CreateDeployment", thing_arn)
        members = {
            "targetArn": thing_arn,
            "deploymentName": f"first deployment of {wanted.thing}",
            "components": wanted.components,
        }
        return self._steps.create_deployment(tx, Request(members), caller)

    def _remember(self, tx: Tx, caller: Caller, token: str, wanted: Wanted, answer: Mapping[str, Any]) -> None:
        order = DeviceOrder(
            token=token, digest=wanted.digest(), certificate=answer["certificateId"], answer=answer, at=tx.now
        )
        self._orders.put(tx, caller.account, order)
        tx.cancel_follow_ups(OVER, account=caller.account, key=token)
        tx.follow_up(OVER, account=caller.account, key=token, body={}, due_at=tx.now + KEPT_S)

    def _demand(self, caller: Caller, may: May, action: str, resource: str) -> None:
        if not may(action, resource):
            raise NotAllowed(caller.principal, action, resource)
