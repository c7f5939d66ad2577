"""Identities and registry over one store in memory, with the directory and admission that the cloud makes of them."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from hedgerow.cloud.admission import Admission
from hedgerow.cloud.claimants import Claimants
from hedgerow.cloud.credentials import Credentials
from hedgerow.cloud.custom_authentication import Strangers
from hedgerow.cloud.directory import Directory, Readers
from hedgerow.cloud.domains import Domains
from hedgerow.cloud.just_in_time import JustInTimeProvisioner
from hedgerow.cloud.newcomers import Newcomers
from hedgerow.cloud.service_roles import ServiceRoles
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.authorizers import AuthorizerOperations, AuthorizerStore, CustomAuthentication
from hedgerow.services.iot.ca_certificates import JustInTimeFlows, JustInTimeRegistration
from hedgerow.store import Answer, Tx
from tests.support.iam import Iam
from tests.support.registry import Registry
from tests.support.store import CALLER, MemoryRun

T = TypeVar("T")


class Cloud:
    """Everything that authorisation reads, and what it answers."""

    def __init__(self) -> None:
        self.iam, self.registry = Iam(), Registry()
        self.store = self.iam.store = self.registry.store
        self.holders: dict[tuple[str, str], str] = {}  # whose sessions there are
        self.runner = CountingRun(self)
        self.readers = Readers(
            access_keys=self.iam.key_reader,
            sessions=self.iam.session_reader,
            users=self.iam.user_reader,
            groups=self.iam.group_reader,
            roles=self.iam.role_reader,
            entity_policies=self.iam.documents,
            standings=self.iam.standings,
            certificates=self.registry.certificate_store,
            cas=self.registry.ca_store,
            effective=self.registry.effective,
            things=self.registry.thing_store,
            types=self.registry.type_store,
            claims=self.registry.claim_reader,
        )
        self.domains = Domains()
        credentials = Credentials(clock=self.store.clock, domains=self.domains)
        self.newcomers = Newcomers(
            run=self.runner,
            enrolments=self.registry.enrolment_store,
            claims=self.registry.claim_reader,
            attempts=self.registry.attempts,
            region="eu-central-1",
        )
        self.directory = Directory(
            run=self.runner,
            credentials=credentials,
            readers=self.readers,
            newcomers=self.newcomers,
            region="eu-central-1",
        )
        service_roles = ServiceRoles(
            run=self.runner, roles=self.iam.role_reader, policies=self.iam.documents, region="eu-central-1"
        )
        self.just_in_time = JustInTimeFlows(
            run=self.runner,
            registration=JustInTimeRegistration(
                cas=self.registry.ca_store,
                certificates=self.registry.certificates,
                provisioner=JustInTimeProvisioner(
                    templates=self.registry.template_store,
                    registration=self.registry.registration(rights=service_roles),
                    attempts=self.registry.attempts,
                ),
                region="eu-central-1",
                ids=self.registry.ids,
            ),
        )
        self.function = Deciding()
        self.authorizers = AuthorizerOperations(authorizers=AuthorizerStore(), pages=self.registry.pages)
        self.strangers = Strangers(
            authentication=CustomAuthentication(
                run=self.runner,
                authorizers=AuthorizerStore(),
                invoker=self.function,
                clock=self.store.clock,
                region="eu-central-1",
            ),
            first_account=CALLER.account,
            clock=self.store.clock,
            region="eu-central-1",
            domains=self.domains,
        )
        self.admission = Admission(
            run=self.runner,
            credentials=credentials,
            readers=self.readers,
            just_in_time=self.just_in_time,
            strangers=self.strangers,
            claimants=Claimants(
                readers=self.readers,
                holder=lambda account, client_id: self.holders.get((account, client_id)),
                region="eu-central-1",
                clock=self.store.clock,
            ),
            domains=self.domains,
            region="eu-central-1",
            newcomers=self.newcomers,
        )

    def run(
        self,
        operation: Callable[[Tx, Request, Caller], Answer],
        request: Mapping[str, Any] | None = None,
        caller: Caller = CALLER,
    ) -> Mapping[str, Any]:
        """Run an operation and announce its events, as the cloud does."""
        answer = self.store.run(operation, request, caller)
        for event in answer.events:
            self.directory.announce(event)
            self.domains.announce(event)
        return answer.response


class Deciding:
    """The function of custom authorizers: answers what it is told to, remembers what it was asked."""

    def __init__(self) -> None:
        self.result: object = {"isAuthenticated": False}
        self.asked: list[dict[str, Any]] = []
        self.sources: list[str] = []

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        self.asked.append(json.loads(payload))
        self.sources.append(source_arn)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result if isinstance(self.result, bytes) else json.dumps(self.result).encode()


class CountingRun(MemoryRun):
    """Counts the reads, to see what is remembered; announces events as the runner does."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud.store)
        self._cloud = cloud
        self.reads = 0

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        answer = await super().write(operation, lane=lane)
        for event in answer.events:
            self._cloud.directory.announce(event)
        return answer

    async def read(self, query: Callable[[Tx], T]) -> T:
        self.reads += 1
        return await super().read(query)


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end."""
    return asyncio.run(coroutine)
