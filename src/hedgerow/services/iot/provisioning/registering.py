"""Registering by operators: RegisterThing, and every line of a registration in bulk.

First the template is filled in and what must be signed is signed, outside of any transaction; then the certificate is
entered or found and the template applied, all of it in one transaction. A signed certificate that does not come into
the registry is good for nothing.
Operators are trusted with names: a thing that has a certificate in use gets another one when they say so. The nested
steps are done, and must be allowed, as the role of a task or as the caller of RegisterThing.
Spec: AWS IoT RegisterThing, StartThingRegistrationTask; the keys of `resourceArns` are the template's own names.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core import pki
from hedgerow.core import template as language
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import Event
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.provisioning.errors import (
    Denied,
    InvalidParameters,
    InvalidTemplate,
    NotRegistered,
    ProvisioningFailed,
    Rejection,
)
from hedgerow.services.iot.provisioning.operations import Operation, Order, Registration, resolved
from hedgerow.services.iot.provisioning.ports import Attempts
from hedgerow.services.iot.provisioning.store import Certificates
from hedgerow.store import Answer, Run, Tx

May = Callable[[str, str], bool]
_TEMPLATE: Final = "of the request"


class Authority(Protocol):
    """Signs device certificates. Off the loop, with a deadline."""

    async def sign(self, signing_request_pem: str) -> str:
        """Answer the PEM of a certificate for the request's key; raises a ServiceError that says why not."""
        ...


class Entry(Protocol):
    """What was entered into the registry."""

    @property
    def id(self) -> str:
        """The certificate's id."""
        ...


class Entries(Protocol):
    """Enters certificates into the registry."""

    def enter_pending(self, tx: Tx, caller: Caller, pem: str) -> Entry:
        """Write a certificate that is PENDING_ACTIVATION into the caller's registry."""
        ...


class Callers(Protocol):
    """What callers may do."""

    async def may(self, caller: Caller) -> May:
        """Answer what tells whether the caller may do an action to a resource."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A device that is about to be registered."""

    template: language.Template
    wanted: language.Resolved
    signed_pem: str | None  # for its signing request


class OperatorRegistration:
    """Registers devices for operators."""

    def __init__(
        self,
        *,
        run: Run,
        authority: Authority,
        entries: Entries,
        register_certificate: Operation,
        certificates: Certificates,
        registration: Registration,
        callers: Callers,
        attempts: Attempts,
    ) -> None:
        self._attempts = attempts
        self._run = run
        self._authority = authority
        self._entries = entries
        self._register_certificate = register_certificate
        self._certificates = certificates
        self._registration = registration
        self._callers = callers

    async def register_thing(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        body, parameters = request["templateBody"], request.get("parameters")
        given = {} if parameters is None else dict(request.take_all("parameters"))
        may = await self._callers.may(caller)
        try:
            prepared = await self.prepare(body, given)
            return (await self._run.write(lambda tx: self.register(tx, prepared, caller, may=may))).response
        except ServiceError as error:
            await self._run.write(_noting(self._attempts, caller, error, self.device_of(body, given)))
            raise

    async def prepare(self, body: str, parameters: Mapping[str, str]) -> Prepared:
        """Fill the template in and sign what is to be signed.

        Raises InvalidRequest for a template or parameters that do not fit, another ServiceError for a bad request.
        """
        order = _order(body, parameters)
        try:
            template, wanted = language.read(body, language.Use.OPERATOR), resolved(order)
        except language.BadTemplate as error:
            raise InvalidRequest(f"The template body is invalid: {error}") from error
        except (InvalidTemplate, InvalidParameters) as error:
            raise InvalidRequest(error.message) from error
        request = wanted.certificate.signing_request
        signed = None if request is None else await self._authority.sign(request)
        return Prepared(template=template, wanted=wanted, signed_pem=signed)

    def device_of(self, body: str, parameters: Mapping[str, str]) -> str | None:
        """Answer the name of the thing that is asked for, None where it cannot be told."""
        try:
            thing = resolved(_order(body, parameters)).thing
        except (InvalidTemplate, InvalidParameters):
            return parameters.get("ThingName")
        return None if thing is None else thing.name

    def register(
        self, tx: Tx, prepared: Prepared, caller: Caller, *, role_arn: str | None = None, may: May | None = None
    ) -> Answer:
        """Do all of it, or raise a ServiceError, and then the transaction must not be committed.

        In the role's name, or in the caller's, who may do what `may` says. Answers `certificatePem`, `resourceArns`.
        """
        order = Order(
            certificate_id="",
            template=_TEMPLATE,
            body="",
            role_arn=role_arn,
            parameters={},
            approved=True,
            use=language.Use.OPERATOR,
            may=may,
        )
        try:
            certificate_id, events = self._certificate(tx, prepared, order, caller)
            order = dataclasses.replace(order, certificate_id=certificate_id)
            done = self._registration.apply(tx, order, prepared.wanted, caller)
        except Denied as error:
            raise AccessDenied(error.message) from error
        except ProvisioningFailed as error:
            raise NotRegistered(error.why) from error
        except Rejection as error:
            raise NotRegistered(error.message) from error
        thing = prepared.wanted.thing
        self._attempts.note(
            tx,
            caller,
            way="OPERATOR" if role_arn is None else "BULK",
            device=None if thing is None else thing.name,
            certificate_id=certificate_id,
        )
        found = self._certificates.get(tx, caller.account, certificate_id)
        arns = _arns(prepared, caller, certificate_id)
        pem = "" if found is None else found.pem
        return Answer({"certificatePem": pem, "resourceArns": arns}, events=(*events, *done.events))

    def _certificate(self, tx: Tx, prepared: Prepared, order: Order, caller: Caller) -> tuple[str, tuple[Event, ...]]:
        """Enter the certificate, or find it; answer its id and what that lets happen."""
        wanted = prepared.wanted.certificate
        if prepared.signed_pem is not None:
            self._registration.demand(tx, order, caller, "iot:CreateCertificateFromCsr", "*")
            return self._entries.enter_pending(tx, caller, prepared.signed_pem).id, ()
        if wanted.id is not None:
            return wanted.id.lower(), ()
        pem = wanted.pem or ""
        try:
            certificate_id = pki.certificate_id(pem)
        except pki.BadCertificate as error:
            raise InvalidRequest(f"CertificatePem cannot be used: {error}") from error
        if self._certificates.get(tx, caller.account, certificate_id) is not None:
            return certificate_id, ()
        self._registration.demand(tx, order, caller, "iot:RegisterCertificate", "*")
        request = {"certificatePem": pem, "status": "INACTIVE"}
        if wanted.ca_pem is not None:
            request["caCertificatePem"] = wanted.ca_pem
        try:
            return certificate_id, tuple(self._register_certificate(tx, Request(request), caller).events)
        except ServiceError as error:
            raise NotRegistered(error.message) from error


def _order(body: str, parameters: Mapping[str, str]) -> Order:
    return Order(
        certificate_id="",
        template=_TEMPLATE,
        body=body,
        role_arn=None,
        parameters=parameters,
        approved=True,
        use=language.Use.OPERATOR,
    )


def _arns(prepared: Prepared, caller: Caller, certificate_id: str) -> dict[str, str]:
    template, wanted = prepared.template, prepared.wanted

    def own(resource: str) -> str:
        return arn("iot", caller.region, caller.account, resource)

    found = {template.certificate_resource: own(f"cert/{certificate_id}")}
    if wanted.thing is not None:
        found[template.thing_resource] = own(f"thing/{wanted.thing.name}")
    return found | {policy.resource: own(f"policy/{policy.name}") for policy in wanted.policies}


def _noting(attempts: Attempts, caller: Caller, error: ServiceError, device: str | None) -> Callable[[Tx], Answer]:
    def note(tx: Tx) -> Answer:
        attempts.note(tx, caller, way="OPERATOR", why_not=f"{error.code}: {error.message}", device=device)
        return Answer()

    return note


def failure(error: ServiceError) -> dict[str, str]:
    """Answer how a report says why a device was not registered."""
    return {"errorCode": error.code, "errorMessage": error.message}
