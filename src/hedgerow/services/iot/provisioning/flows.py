"""The provisioning topics: get a certificate, then be provisioned by a template.

The reply goes to the asking connection alone, in the format of the topic; a shared claim would otherwise leak private
keys. A request is answered with `…/accepted` or `…/rejected`. What is slow (keys, signatures, the hook) happens outside
the transactions; nothing has to be undone, because a certificate that nobody claims is deleted by its follow-up.
Spec: AWS IoT device provisioning MQTT API; order: payload, template, enabled, token, hook, resolve, apply.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.base.errors import AccessDenied, HedgerowError, ServiceError
from hedgerow.base.log import get_logger
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.lanes import enrolment
from hedgerow.services.iot.provisioning.errors import (
    Denied,
    HookFailed,
    InternalFailure,
    InvalidOwnershipToken,
    InvalidResult,
    InvalidSigningRequest,
    InvalidTemplate,
    InvocationError,
    Rejection,
)
from hedgerow.services.iot.provisioning.model import HOOK_S, TOKEN_S, Tokens, hook_answer
from hedgerow.services.iot.provisioning.operations import Order, Registration, resolved
from hedgerow.services.iot.provisioning.payloads import name_in, read, read_parameters, written
from hedgerow.services.iot.provisioning.ports import (
    Attempts,
    Authority,
    Claims,
    Entries,
    Entry,
    Hook,
    Invoker,
    Provided,
    Providers,
    Template,
    Templates,
)
from hedgerow.services.iot.provisioning.store import ENROLMENT_OVER, UNCLAIMED, Certificates, Enrolment, EnrolmentStore
from hedgerow.store import Answer, Run, Tx

_log = get_logger("services.iot.provisioning")
WAY: Final = "CLAIM"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request to be provisioned that passed the first checks."""

    template: Template
    certificate_id: str
    certificate_pem: str
    count: Callable[[], None]  # notes that its claim has provisioned it


class ProvisioningFlows:
    """The flows behind the provisioning topics."""

    def __init__(
        self,
        *,
        run: Run,
        authority: Authority,
        entries: Entries,
        certificates: Certificates,
        templates: Templates,
        registration: Registration,
        tokens: Tokens,
        invoker: Invoker,
        providers: Providers,
        claims: Claims,
        enrolments: EnrolmentStore,
        attempts: Attempts,
    ) -> None:
        self._claims = claims
        self._enrolments = enrolments
        self._attempts = attempts
        self._run = run
        self._authority = authority
        self._entries = entries
        self._certificates = certificates
        self._templates = templates
        self._registration = registration
        self._tokens = tokens
        self._invoker = invoker
        self._providers = providers

    async def create(self, request: TopicRequest, caller: Caller) -> Mapping[str, Any]:
        """Answer `$aws/certificates/create/{json,cbor}`."""

        async def work(_: Mapping[str, Any]) -> Mapping[str, Any]:
            await self._run.read(lambda tx: self._check_claim(tx, caller))
            issued = await self._authority.issue()
            entered = await self._entered(self._pending(issued.certificate_pem, caller), caller)
            return {**entered, "privateKey": issued.private_key_pem}

        return await self._answered(request, caller, work)

    async def create_from_csr(self, request: TopicRequest, caller: Caller) -> Mapping[str, Any]:
        """Answer `$aws/certificates/create-from-csr/{json,cbor}`."""

        async def work(body: Mapping[str, Any]) -> Mapping[str, Any]:
            signing_request = body.get("certificateSigningRequest")
            if not isinstance(signing_request, str) or not signing_request:
                raise InvalidSigningRequest("certificateSigningRequest must be given, as PEM text.")
            await self._run.read(lambda tx: self._check_claim(tx, caller))
            provided = await self._provided(signing_request, caller)
            if provided is not None:
                return await self._entered_from(provided, caller)
            try:
                pem = await self._authority.sign(signing_request)
            except ServiceError as error:
                raise InvalidSigningRequest(error.message) from error
            return await self._entered(self._pending(pem, caller), caller)

        return await self._answered(request, caller, work)

    async def provision(self, request: TopicRequest, caller: Caller) -> Mapping[str, Any]:
        """Answer `$aws/provisioning-templates/+/provision/{json,cbor}`."""
        (name,) = request.parts

        async def work(body: Mapping[str, Any]) -> Mapping[str, Any]:
            parameters = read_parameters(body.get("parameters"))
            found: list[_Ready] = []

            def step(tx: Tx) -> Answer:
                found[:] = [self._ready(tx, name, body, caller)]
                if found[0].template.hook is not None:
                    return Answer()  # it is asked first
                return self._provisioned(tx, name, found[0], parameters, caller)

            answer = await self._run.write(step, lane=enrolment(caller.account))
            hook = found[0].template.hook
            if hook is None:
                return answer.response
            filled = await self._asked(hook, name, found[0], parameters, caller)

            def approved(tx: Tx) -> Answer:
                again = self._ready(tx, name, body, caller)  # the hook took its time
                if again.template.hook != hook:
                    raise InvalidTemplate(f"Template {name} was changed meanwhile.")
                return self._provisioned(tx, name, again, filled, caller)

            return (await self._run.write(approved, lane=enrolment(caller.account))).response

        return await self._answered(request, caller, work, template=name)

    async def _answered(
        self,
        request: TopicRequest,
        caller: Caller,
        work: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]],
        *,
        template: str | None = None,
    ) -> Mapping[str, Any]:
        """Read the payload, do the work, and answer the one reply that the asking connection gets."""
        form = request.topic.rpartition("/")[2]
        body: Mapping[str, Any] = {}
        try:
            body = read(request.payload, form)
            result, ending = await work(body), "accepted"
            _log.info("provisioning request answered", extra={"fields": {"topic": request.topic, **_who(caller)}})
        except HedgerowError as error:
            rejection = error if isinstance(error, Rejection) else InternalFailure("Internal failure. Try again.")
            result, ending = rejected(rejection), "rejected"
            cause = rejection.cause or str(error)
            fields = {"topic": request.topic, "code": rejection.code, "cause": cause, **_who(caller)}
            _log.warning("provisioning request refused", extra={"fields": fields})
            await self._note_refusal(caller, body, rejection, template)
        return {"replies": ((f"{request.topic}/{ending}", written(result, form)),)}

    async def _note_refusal(
        self, caller: Caller, body: Mapping[str, Any], rejection: Rejection, template: str | None
    ) -> None:
        def note(tx: Tx) -> Answer:
            why, device = f"{rejection.code}: {rejection.in_full}", self._name_asked(tx, caller, body, template)
            self._attempts.note(tx, caller, way=WAY, why_not=why, device=device, template=template)
            return Answer()

        with contextlib.suppress(HedgerowError):  # the device is told anyway
            await self._run.write(note, lane=enrolment(caller.account))

    def _name_asked(self, tx: Tx, caller: Caller, body: Mapping[str, Any], name: str | None) -> str | None:
        """Answer what the device would have been called, by the template or else by its own word."""
        template = None if name is None else self._templates.get(tx, caller.account, name)
        if name is not None and template is not None:
            version = self._templates.version(tx, caller.account, name, template.default_version)
            with contextlib.suppress(Rejection):
                order = Order(
                    certificate_id="",
                    template=name,
                    body="" if version is None else version.body,
                    role_arn=None,
                    parameters=read_parameters(body.get("parameters")),
                    approved=False,
                )
                thing = resolved(order).thing
                return None if thing is None else thing.name
        return name_in(body.get("parameters"))

    async def _provided(self, signing_request: str, caller: Caller) -> Provided | None:
        try:
            return await self._providers.provide(signing_request, caller)
        except ServiceError as error:
            raise InvalidSigningRequest(error.message) from error
        except HedgerowError as error:
            raise InvocationError(str(error)) from error

    async def _entered_from(self, provided: Provided, caller: Caller) -> Mapping[str, Any]:
        try:
            async with provided.trusting:
                return await self._entered(provided.enter, caller)
        except ServiceError as error:
            raise InvalidResult(error.message) from error

    def _pending(self, pem: str, caller: Caller) -> Callable[[Tx], Entry]:
        return lambda tx: self._entries.enter_pending(tx, caller, pem)

    async def _entered(self, enter: Callable[[Tx], Entry], caller: Caller) -> Mapping[str, Any]:
        def step(tx: Tx) -> Answer:
            entry = enter(tx)
            tx.follow_up(UNCLAIMED, account=caller.account, key=entry.id, body={}, due_at=tx.now + TOKEN_S)
            token = self._tokens.seal(caller.account, entry.id, now=tx.now)
            return Answer({"certificateId": entry.id, "certificatePem": entry.pem, "certificateOwnershipToken": token})

        return (await self._run.write(step, lane=enrolment(caller.account))).response

    def _ready(self, tx: Tx, name: str, body: Mapping[str, Any], caller: Caller) -> _Ready:
        template = self._templates.get(tx, caller.account, name)
        if template is None:
            raise InvalidTemplate(f"Template with name {name} does not exist.")
        if template.just_in_time:
            raise InvalidTemplate(f"Template {name} is of type JITP, which is not for this.")
        if not template.enabled:
            raise InvalidTemplate(f"Template {name} is not enabled.")
        token = body.get("certificateOwnershipToken")
        if not token:
            raise InvalidOwnershipToken("Certificate ownership token cannot be empty.")
        certificate_id = self._tokens.maybe_open(token, caller.account, now=tx.now) if isinstance(token, str) else None
        certificate = self._certificates.get(tx, caller.account, certificate_id) if certificate_id else None
        if certificate_id is None or certificate is None:
            raise InvalidOwnershipToken
        again = certificate.status.value != "PENDING_ACTIVATION"
        return _Ready(template, certificate_id, certificate.pem, self._check_claim(tx, caller, name, again=again))

    def _check_claim(
        self, tx: Tx, caller: Caller, template: str | None = None, *, again: bool = False
    ) -> Callable[[], None]:
        try:
            return self._claims.check(tx, caller, template, again=again)
        except HedgerowError as error:
            raise Denied(f"Access Denied: {error}") from error

    def _provisioned(self, tx: Tx, name: str, ready: _Ready, parameters: Mapping[str, str], caller: Caller) -> Answer:
        version = self._templates.version(tx, caller.account, name, ready.template.default_version)
        if version is None:
            raise InvalidTemplate(f"Template with name {name} does not exist.")
        order = Order(
            certificate_id=ready.certificate_id,
            template=name,
            body=version.body,
            role_arn=ready.template.role_arn,
            parameters=parameters,
            approved=ready.template.hook is not None,
        )
        before = self._enrolments.get(tx, caller.account, ready.certificate_id)
        if before is not None:
            return self._answered_again(tx, order, before, caller)
        answer = self._registration.register(tx, order, caller)
        thing = answer.response.get("thingName")
        ended = self._registration.end_lost(tx, order, thing, caller, enrolments=self._enrolments) if thing else ()
        ready.count()
        self._enrolments.add(tx, caller.account, ready.certificate_id, Enrolment(thing=thing, reply=answer.response))
        tx.follow_up(ENROLMENT_OVER, account=caller.account, key=ready.certificate_id, body={}, due_at=tx.now + TOKEN_S)
        self._attempts.note(tx, caller, way=WAY, device=thing, certificate_id=ready.certificate_id, template=name)
        return Answer(answer.response, events=(*answer.events, *ended))

    def _answered_again(self, tx: Tx, order: Order, before: Enrolment, caller: Caller) -> Answer:
        """Answer a device that lost the reply, and change nothing; raise InvalidOwnershipToken for any other."""
        if before.connected:
            raise InvalidOwnershipToken
        thing = self._registration.check(tx, order, caller).thing
        if (None if thing is None else thing.name) != before.thing:
            raise InvalidOwnershipToken
        return Answer(before.reply)

    async def _asked(
        self, hook: Hook, name: str, ready: _Ready, parameters: Mapping[str, str], caller: Caller
    ) -> Mapping[str, str]:
        """Ask the hook; answer the parameters with its overrides, or raise the Rejection."""
        source = arn("iot", caller.region, caller.account, f"provisioningtemplate/{name}")
        event = {
            "claimCertificateId": caller.certificate_id or "",
            "certificateId": ready.certificate_id,
            "certificatePem": ready.certificate_pem,
            "templateArn": source,
            "clientId": caller.client_id or "",
            "parameters": dict(parameters),
        }
        try:
            async with asyncio.timeout(HOOK_S):
                result = await self._invoker.invoke(
                    account=caller.account,
                    function_arn=hook.function_arn,
                    payload=json.dumps(event).encode("utf-8"),
                    source_arn=source,
                )
        except HookFailed as error:
            raise InvocationError("The provisioning hook was not executed successfully.", cause=str(error)) from error
        except AccessDenied as error:
            raise InvocationError("Access denied while invoking Lambda function", cause=error.message) from error
        except (TimeoutError, HedgerowError) as error:
            cause = str(error) or f"no answer within {HOOK_S:g} s"
            raise InvocationError("A failure occurred while invoking the provisioning hook.", cause=cause) from error
        return hook_answer(result, parameters)


def rejected(rejection: Rejection) -> Mapping[str, Any]:
    """Answer the payload of a rejection."""
    return {"statusCode": rejection.status, "errorCode": rejection.code, "errorMessage": rejection.message}


def _who(caller: Caller) -> Mapping[str, Any]:
    return {"account": caller.account, "client": caller.client_id, "claim": caller.certificate_id}
