"""Clients that neither a certificate nor a signature speaks for: whose they are, and what authorizers say of them.

The account is the one whose domain configuration has the server name, or that it begins with (`<12 digits>.<host>`),
else the first one of the cloud. Without TLS there is no server name: then the Host header stands for it. A function is
shown neither what describes the body of a request nor what concerns the way there, so that what it said of one request
may be good for another.
"""

import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hedgerow.api.ports import Grants, Stranger
from hedgerow.base.clock import Clock
from hedgerow.base.errors import ServiceError
from hedgerow.base.log import get_logger
from hedgerow.cloud.domains import Domains
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import Dialect, compile_policies
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted, Vouched
from hedgerow.gateway.websocket import host_name
from hedgerow.services.iot.authorizers import Attempt, CustomAuthentication, LetIn, NotLetIn

log = get_logger("custom_authentication")

_PASSING: Final = frozenset(
    {"connection", "content-length", "date", "expect", "keep-alive", "te", "trailer", "transfer-encoding"}
)


class Unauthorized(ServiceError):
    """No authorizer let the client in; the log says why."""

    code = "UnauthorizedException"
    status = 401

    def __init__(self) -> None:
        super().__init__("The custom authorizer did not let this client in.")


def authorizer_names(policies: Sequence[str]) -> tuple[str, ...]:
    """Answer what explanations call an authorizer's policies, which have no names."""
    return tuple(f"policy {number} of the custom authorizer" for number in range(1, len(policies) + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Answers for them. It holds nothing of its own."""

    authentication: CustomAuthentication
    first_account: str
    clock: Clock
    region: str
    domains: Domains

    def account(self, server_name: str | None) -> str:
        """Answer whose authorizers are asked about who comes to this name."""
        return self.domains.account(server_name) or self.first_account

    async def is_open(self, server_name: str | None) -> bool:
        """Tell whether anybody may come in there by an authorizer."""
        return await self.authentication.is_open(self.account(server_name))

    async def admit(self, question: Admit, variables: dict[str, str]) -> Admitted | NotAdmitted:
        """Answer a CONNECT; `variables` are those that every client of its kind has."""
        account = self.account(question.server_name)
        try:
            let_in = await self.authentication.ask(account, self._at(question.server_name, _attempt(question)))
        except NotLetIn as error:
            return NotAdmitted(reason=error.word, detail=error.detail, account=account)
        now = self.clock.now()
        return Admitted(
            account=account,
            principal=let_in.principal,
            policies=let_in.policies,
            names=authorizer_names(let_in.policies),
            dialect=Dialect.IOT.value,
            variables=variables,
            ends_at=now + let_in.disconnect_after_s,
            fixed=True,
            refresh_at=None if let_in.refresh_after_s is None else now + let_in.refresh_after_s,
        )

    async def vouch(self, question: Admit, der: bytes, admitted: Admitted) -> Vouched | NotAdmitted:
        """Answer what an authorizer says of a client that has a certificate, too."""
        attempt = _with_certificate(_attempt(question), der, admitted.principal)
        try:
            let_in = await self.authentication.ask(admitted.account, self._at(question.server_name, attempt))
        except NotLetIn as error:
            return NotAdmitted(reason=error.word, detail=error.detail, account=admitted.account)
        now = self.clock.now()
        return Vouched(
            policies=let_in.policies,
            ends_at=now + let_in.disconnect_after_s,
            refresh_at=None if let_in.refresh_after_s is None else now + let_in.refresh_after_s,
        )

    def _at(self, server_name: str | None, attempt: Attempt) -> Attempt:
        """Answer the attempt with what a domain configuration says about authorizers."""
        domain = self.domains.find(server_name)
        if domain is None or domain.authorizer is None:
            return attempt
        return replace(attempt, default_name=domain.authorizer, may_name=domain.override)

    async def policies(self, stranger: Stranger, der: bytes, caller: Caller) -> tuple[str, ...]:
        """Answer what an authorizer adds to the policies of a certificate, for a request. Raises Unauthorized."""
        attempt = _with_certificate(self._requested(stranger), der, caller.certificate_id or "")
        return (await self._asked(stranger, caller.account, attempt)).policies

    async def let_in(self, stranger: Stranger) -> tuple[Caller, Grants] | None:
        """Answer an HTTP request of the data plane. Raises Unauthorized when it is refused."""
        name = _name(stranger)
        account = self.account(name)
        if not await self.authentication.is_open(account):
            return None
        let_in = await self._asked(stranger, account, self._requested(stranger))
        caller = Caller(
            account=account,
            region=self.region,
            principal=let_in.principal,
            kind=Kind.CUSTOM,
            request_id=stranger.request_id,
            source_ip=stranger.source_ip,
            secure=stranger.secure,
        )
        variables = {} if name is None else {"iot:DomainName": name}
        return caller, compile_policies(let_in.policies, dialect=Dialect.IOT, variables=variables)

    def _requested(self, stranger: Stranger) -> Attempt:
        return Attempt(
            connection_id=stranger.request_id,
            secure=stranger.secure,
            server_name=_name(stranger),
            headers={key: value for key, value in stranger.headers.items() if key not in _PASSING},
            query=stranger.query,
        )

    async def _asked(self, stranger: Stranger, account: str, attempt: Attempt) -> LetIn:
        try:
            return await self.authentication.ask(account, self._at(attempt.server_name, attempt))
        except NotLetIn as error:
            fields = {"account": account, "peer": stranger.source_ip, "request_id": stranger.request_id}
            log.warning("not let in", extra={"fields": fields | {"reason": error.word, "detail": error.detail}})
            raise Unauthorized from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorkeeper:
    """Implements `api.ports.Doorkeeper`; `grants` are a certificate's with further policies."""

    strangers: Strangers
    grants: Callable[[Caller, Sequence[str]], Awaitable[Grants]]

    async def let_in(self, stranger: Stranger) -> tuple[Caller, Grants] | None:
        return await self.strangers.let_in(stranger)

    async def vouch(self, stranger: Stranger, der: bytes, caller: Caller) -> Grants:
        return await self.grants(caller, await self.strangers.policies(stranger, der, caller))


def _name(stranger: Stranger) -> str | None:
    return stranger.server_name if stranger.secure else host_name(stranger.headers.get("host", ""))


def _with_certificate(attempt: Attempt, der: bytes, certificate_id: str) -> Attempt:
    return replace(attempt, certificate_pem=ssl.DER_cert_to_PEM_cert(der), certificate_id=certificate_id)


def _attempt(question: Admit) -> Attempt:
    upgrade = question.upgrade
    return Attempt(
        connection_id=question.connection_id,
        secure=upgrade is None or upgrade.secure,
        server_name=question.server_name,
        headers=None if upgrade is None else upgrade.headers,
        query="" if upgrade is None else upgrade.query,
        client_id="" if question.assigned else question.client_id,
        username=question.username,
        password=question.password,
    )
