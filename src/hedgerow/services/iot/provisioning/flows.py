"""The provisioning topics: get a certificate, then be provisioned by a template.

The reply goes to the asking connection alone, in the format of the topic; a shared claim would otherwise leak private
keys. A request is answered with `…/accepted` or `…/rejected`. What is slow (keys, signatures, the hook) happens outside
the transactions; nothing has to be undone, because a certificate that nobody claims is deleted by its follow-up.
Spec: AWS IoT device provisioning MQTT API; order: payload, template, enabled, token, hook, resolve, apply.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import cbor2

from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.base.log import get_logger
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.provisioning.errors import (
    Denied,
    HookFailed,
    InternalFailure,
    InvalidOwnershipToken,
    InvalidParameters,
    InvalidPayload,
    InvalidResult,
    InvalidSigningRequest,
    InvalidTemplate,
    InvocationError,
    Rejection,
)
from hedgerow.services.iot.provisioning.model import HOOK_S, TOKEN_S, Tokens, hook_answer, plain_text
from hedgerow.services.iot.provisioning.operations import Order, Registration
from hedgerow.services.iot.provisioning.store import UNCLAIMED, Certificates
from hedgerow.store import Answer, Run, Tx

_log = get_logger("services.iot.provisioning")
_CBOR_ERRORS: Final = (
    cbor2.CBORDecodeError,
    ValueError,
    TypeError,
    OverflowError,
    RecursionError,
    LookupError,
    MemoryError,
)


class Issued(Protocol):
    """A certificate for a key that was made for it."""

    @property
    def certificate_pem(self) -> str:
        """The certificate."""
        ...

    @property
    def private_key_pem(self) -> str:
        """The private key: handed on once, never stored or logged."""
        ...


class Authority(Protocol):
    """Makes device keys and signs device certificates. Off the loop, with a deadline."""

    async def issue(self) -> Issued:
        """Make a key and a certificate for it."""
        ...

    async def sign(self, signing_request_pem: str) -> str:
        """Answer the PEM of a certificate for the request's key; raises a ServiceError that says why not."""
        ...


class Entry(Protocol):
    """What was entered into the registry."""

    @property
    def id(self) -> str:
        """The certificate's id."""
        ...

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        ...


class Provided(Protocol):
    """A certificate of the account's certificate provider, on its way into the registry."""

    @property
    def trusting(self) -> AbstractAsyncContextManager[None]:
        """The block in which it is entered; the listeners trust it when that has ended well."""
        ...

    def enter(self, tx: Tx) -> Entry:
        """Write it into the registry, PENDING_ACTIVATION."""
        ...


class Providers(Protocol):
    """The accounts' certificate providers."""

    async def provide(self, signing_request_pem: str, caller: Caller) -> Provided | None:
        """Have the request signed; None when the account has no provider.

        Raises a ServiceError for what is no signing request, another HedgerowError when the provider fails.
        """
        ...


class Entries(Protocol):
    """Enters certificates into the registry."""

    def enter_pending(self, tx: Tx, caller: Caller, pem: str) -> Entry:
        """Write a certificate that is PENDING_ACTIVATION into the caller's registry."""
        ...


class Hook(Protocol):
    """The function that is asked first."""

    @property
    def function_arn(self) -> str:
        """The function."""
        ...


class Template(Protocol):
    """What enrolment looks at in a template."""

    @property
    def just_in_time(self) -> bool:
        """Whether it is for devices that connect with a certificate of a registered CA, and no other."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it provisions devices."""
        ...

    @property
    def role_arn(self) -> str:
        """The role whose rights are used."""
        ...

    @property
    def hook(self) -> Hook | None:
        """The function that is asked first, if any."""
        ...

    @property
    def default_version(self) -> int:
        """The version that is used."""
        ...


class Version(Protocol):
    """One version of a template."""

    @property
    def body(self) -> str:
        """The template's text."""
        ...


class Templates(Protocol):
    """The rows of provisioning templates."""

    def get(self, tx: Tx, account: str, name: str) -> Template | None:
        """Answer the template, or None."""
        ...

    def version(self, tx: Tx, account: str, name: str, number: int) -> Version | None:
        """Answer one version, or None."""
        ...


class Claims(Protocol):
    """What the certificates of those who ask are allowed, as far as they are claims."""

    def check(self, tx: Tx, caller: Caller, template: str | None, *, again: bool) -> None:
        """Raise a HedgerowError unless the caller may ask for a certificate, or be provisioned by the template."""
        ...

    def count(self, tx: Tx, caller: Caller) -> None:
        """Note that one device more was provisioned; raises a HedgerowError for one too many."""
        ...


class Invoker(Protocol):
    """Invokes functions for AWS IoT."""

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        """Answer what the function returned, as principal iot.amazonaws.com for the source (the template).

        Raises AccessDenied where the function's policy does not allow it, HookFailed when the function ended with an
        error, any other HedgerowError when it could not be run.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Ready:
    """A request to be provisioned that passed the first checks."""

    template: Template
    certificate_id: str
    certificate_pem: str
    again: bool  # it was provisioned before


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
    ) -> None:
        self._claims = claims
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

        return await _answered(request, caller, work)

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

        return await _answered(request, caller, work)

    async def provision(self, request: TopicRequest, caller: Caller) -> Mapping[str, Any]:
        """Answer `$aws/provisioning-templates/+/provision/{json,cbor}`."""
        (name,) = request.parts

        async def work(body: Mapping[str, Any]) -> Mapping[str, Any]:
            parameters = _parameters(body.get("parameters"))
            ready = await self._run.read(lambda tx: self._ready(tx, name, body, caller))
            hook = ready.template.hook
            filled = parameters if hook is None else await self._asked(hook, name, ready, parameters, caller)

            def step(tx: Tx) -> Answer:
                again = self._ready(tx, name, body, caller)  # the hook took its time
                if again.template.hook != hook:
                    raise InvalidTemplate(f"Template {name} was changed meanwhile.")
                return self._provisioned(tx, name, again, filled, caller)

            return (await self._run.write(step)).response

        return await _answered(request, caller, work)

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

        return (await self._run.write(step)).response

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
        self._check_claim(tx, caller, name, again=again)
        return _Ready(template, certificate_id, certificate.pem, again)

    def _check_claim(self, tx: Tx, caller: Caller, template: str | None = None, *, again: bool = False) -> None:
        try:
            self._claims.check(tx, caller, template, again=again)
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
        answer = self._registration.register(tx, order, caller)
        if not ready.again:
            self._claims.count(tx, caller)
        return answer

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
            raise InvocationError("The provisioning hook was not executed successfully.") from error
        except ServiceError as error:
            raise InvocationError("Access denied while invoking Lambda function") from error
        except (TimeoutError, HedgerowError) as error:
            raise InvocationError("A failure occurred while invoking the provisioning hook.") from error
        return hook_answer(result, parameters)


async def _answered(
    request: TopicRequest, caller: Caller, work: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
) -> Mapping[str, Any]:
    """Read the payload, do the work, and answer the one reply that the asking connection gets."""
    form = request.topic.rpartition("/")[2]
    try:
        result, ending = await work(_read(request.payload, form)), "accepted"
        _log.info("provisioning request answered", extra={"fields": {"topic": request.topic, **_who(caller)}})
    except HedgerowError as error:
        rejection = error if isinstance(error, Rejection) else InternalFailure("Internal failure. Try again.")
        result, ending = rejected(rejection), "rejected"
        fields = {"topic": request.topic, "code": rejection.code, "cause": str(error), **_who(caller)}
        _log.warning("provisioning request refused", extra={"fields": fields})
    return {"replies": ((f"{request.topic}/{ending}", _written(result, form)),)}


def rejected(rejection: Rejection) -> Mapping[str, Any]:
    """Answer the payload of a rejection."""
    return {"statusCode": rejection.status, "errorCode": rejection.code, "errorMessage": rejection.message}


def _who(caller: Caller) -> Mapping[str, Any]:
    return {"account": caller.account, "client": caller.client_id, "claim": caller.certificate_id}


def _read(payload: bytes, form: str) -> Mapping[str, Any]:
    """Read a map; nothing at all is an empty one."""
    if not payload:
        return {}
    try:
        body = json.loads(payload) if form == "json" else cbor2.loads(payload)
    except _CBOR_ERRORS as error:
        raise InvalidPayload("Message cannot be parsed") from error
    if not isinstance(body, Mapping):
        raise InvalidPayload("Message cannot be parsed")
    return body


def _written(body: Mapping[str, Any], form: str) -> bytes:
    return json.dumps(body).encode("utf-8") if form == "json" else cbor2.dumps(dict(body))


def _parameters(given: Any) -> Mapping[str, str]:
    """Answer the parameters as texts; numbers and truth values are written out, null counts as not given."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidParameters("parameters must be a map of strings.")
    parameters: dict[str, str] = {}
    for name, value in given.items():
        text = plain_text(value)
        if not isinstance(name, str) or (text is None and value is not None):
            raise InvalidParameters(f"Parameter {str(name)[:128]} must be a string.")
        if text is not None:
            parameters[name] = text
    return parameters
