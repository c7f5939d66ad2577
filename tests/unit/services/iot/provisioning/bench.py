"""A cloud's provisioning, joined as the cloud joins it, with a fake authority, role and hook."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import cbor2

from hedgerow.base.errors import HedgerowError
from hedgerow.core.caller import Kind
from hedgerow.core.request import Request
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.certificate_providers import CertificateProviderFlows, CertificateProviderStore
from hedgerow.services.iot.certificates import InvalidSigningRequest
from hedgerow.services.iot.provisioning import (
    ProvisioningFlows,
    ProvisioningFollowUps,
    Rights,
    Tokens,
)
from hedgerow.services.iot.provisioning_templates import TemplateOperations
from hedgerow.store import Answer, Run, Tx
from tests.support.registry import Registry, certificate_pem, contents
from tests.support.store import CALLER

ROLE = "arn:aws:iam::123456789012:role/fleet"
HOOK = "arn:aws:lambda:eu-central-1:123456789012:function:hook"
CLAIM = replace(CALLER, kind=Kind.CERTIFICATE, certificate_id="c1" * 32, client_id="boot-1")


@dataclass(frozen=True)
class FakeIssued:
    certificate_pem: str
    private_key_pem: str = "-----BEGIN RSA PRIVATE KEY-----"


class FakeAuthority:
    """Hands out self-signed certificates, one after the other."""

    def __init__(self) -> None:
        self._serials: Iterator[int] = iter(range(100, 1000))
        self.key_number: int | None = None  # of the device that asks; None: a new one each time

    async def issue(self, *, valid_s: float | None = None) -> FakeIssued:
        return FakeIssued(certificate_pem(next(self._serials)))

    async def sign(self, signing_request_pem: str) -> str:
        if "REQUEST" not in signing_request_pem:
            raise InvalidSigningRequest("this is no request")
        return certificate_pem(next(self._serials), key_number=self.key_number)


class FakeAnchors:
    """The listeners' trust."""

    def __init__(self) -> None:
        self.trusted: list[str] = []

    @asynccontextmanager
    async def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AsyncIterator[None]:
        yield
        self.trusted.append(certificate_pem)


class FakeRoles:
    """Every role exists and may do everything that is not in `denied`."""

    def __init__(self) -> None:
        self.denied: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def by_arn(self, tx: Tx, account: str, arn: str) -> object | None:
        return arn if arn == ROLE else None

    def role_may(self, tx: Tx, account: str, role_arn: str, source: str) -> Callable[[str, str], bool]:
        return self._may

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        return True

    def _may(self, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return action not in self.denied


class FakeFunctions:
    """Answers what it is told to, remembers what it was asked."""

    def __init__(self) -> None:
        self.result: bytes | HedgerowError = b'{"allowProvisioning": true}'
        self.asked: list[dict[str, Any]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.why_not: str | None = None
        self.hangs = False

    def refusal(self, tx: Tx, account: str, function_arn: str, *, template_arn: str) -> str | None:
        return self.why_not

    def objection(self, tx: Tx, account: str, function_arn: str, *, source_arn: str) -> str | None:
        return self.why_not

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        self.asked.append(json.loads(payload))
        self.meanwhile()
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.result, HedgerowError):
            raise self.result
        return self.result


class DirectRun:
    """Runs each step in the test's own store, at once; a step that raises leaves nothing."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.events: list[object] = []

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        with self._registry.store.tx() as tx:
            answer = operation(tx)
        self.events += answer.events
        return answer

    async def read(self, query: Callable[[Tx], Any]) -> Any:
        with self._registry.store.tx() as tx:
            return query(tx)


class Bench:
    """The provisioning flows over a registry."""

    def __init__(
        self,
        registry: Registry,
        *,
        names_may_be_taken: bool = False,
        run: Run | None = None,
        rights: Rights | None = None,
    ) -> None:
        self.registry = registry
        self.store = registry.store
        self.roles, self.functions, self.run = FakeRoles(), FakeFunctions(), DirectRun(registry)
        self.authority = FakeAuthority()
        self.providers, self.anchors = CertificateProviderStore(), FakeAnchors()
        templates = registry.template_store
        self.templates = TemplateOperations(
            templates=templates,
            authorities=registry.ca_store,
            roles=self.roles,
            hooks=self.functions,
            pages=registry.pages,
        )
        self.registration = registry.registration(rights=rights or self.roles, names_may_be_taken=names_may_be_taken)
        self.flows = ProvisioningFlows(
            run=run or self.run,
            authority=self.authority,
            entries=registry.certificates,
            certificates=registry.certificate_store,
            templates=templates,
            registration=self.registration,
            tokens=Tokens(b"t" * 32),
            invoker=self.functions,
            providers=CertificateProviderFlows(
                run=run or self.run,
                providers=self.providers,
                invoker=self.functions,
                certificates=registry.certificates,
                anchors=self.anchors,
            ),
            claims=registry.claim_reader,
            enrolments=registry.enrolment_store,
            attempts=registry.attempts,
        )
        self.follow_ups = ProvisioningFollowUps(
            certificates=registry.certificate_store,
            things=registry.thing_store,
            policies=registry.policy_store,
            enrolments=registry.enrolment_store,
        )

    def template(self, body: str, *, enabled: bool = True, hook: bool = False, name: str = "fleet") -> None:
        request: dict[str, Any] = {
            "templateName": name,
            "templateBody": body,
            "enabled": enabled,
            "provisioningRoleArn": ROLE,
        }
        if hook:
            request["preProvisioningHook"] = {"targetArn": HOOK}
        self.store.run(self.templates.create_provisioning_template, request)

    def ask(self, flow: Any, topic: str, body: Any = None, *, raw: bytes | None = None) -> tuple[str, dict[str, Any]]:
        """Publish a request; answer the end of the reply's topic and the reply."""
        return asyncio.run(self.asking(flow, topic, body, raw=raw))

    async def asking(
        self, flow: Any, topic: str, body: Any = None, *, raw: bytes | None = None
    ) -> tuple[str, dict[str, Any]]:
        cbor = topic.endswith("cbor")
        payload = raw if raw is not None else cbor2.dumps(body) if cbor else json.dumps(body).encode()
        parts = (topic.split("/")[2],) if "provisioning-templates" in topic else ()
        request = TopicRequest(topic=topic, parts=parts, payload=payload)
        ((reply_topic, reply),) = (await flow(request, CLAIM))["replies"]
        assert reply_topic.rpartition("/")[0] == topic
        return reply_topic.rpartition("/")[2], cbor2.loads(reply) if cbor else json.loads(reply)

    def certificate(self) -> dict[str, Any]:
        """Ask for keys and a certificate."""
        ending, reply = self.ask(self.flows.create, "$aws/certificates/create/json", {})
        assert ending == "accepted"
        return reply

    def provision(
        self, token: object, parameters: object = None, *, name: str = "fleet", form: str = "json"
    ) -> tuple[str, dict[str, Any]]:
        """Ask to be provisioned."""
        body = {"certificateOwnershipToken": token, "parameters": parameters}
        return self.ask(self.flows.provision, f"$aws/provisioning-templates/{name}/provision/{form}", body)

    def enrol(self, **parameters: str) -> dict[str, Any]:
        """Ask for a certificate and be provisioned; answer both replies together."""
        got = self.certificate()
        ending, reply = self.provision(got["certificateOwnershipToken"], parameters)
        assert ending == "accepted", reply
        return {**got, **reply}

    def status(self, certificate_id: str) -> str | None:
        with self.store.tx() as tx:
            certificate = self.registry.certificate_store.get(tx, CALLER.account, certificate_id)
        return None if certificate is None else certificate.status.value

    @staticmethod
    def request(values: dict[str, Any]) -> Request:
        return Request(values)

    def dump(self) -> list[str]:
        """Answer everything in the database."""
        return contents(self.registry)
