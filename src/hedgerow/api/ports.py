"""What the HTTP shell needs of the cloud: who holds a key or certificate, and what they may do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """An access key as it was issued. Temporary ones have a session token and an end."""

    account: str
    principal: str  # ARN
    kind: Kind
    secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None  # seconds since the epoch


class Decision(Protocol):
    """The answer to "may they?"."""

    @property
    def allowed(self) -> bool:
        """Say whether the action is allowed."""
        ...

    def explain(self) -> str:
        """Answer why, in one sentence that may be shown to the caller."""
        ...


class Grants(Protocol):
    """Everything that one caller may do."""

    @property
    def context_keys(self) -> frozenset[str]:
        """The condition keys, as written, that are asked of the context."""
        ...

    def decide(self, action: str, resource: str, context: Context) -> Decision:
        """Decide on `iot:CreateThing` on an ARN; `context` has condition keys such as `aws:SourceIp`."""
        ...


class Observer(Protocol):
    """Hears how calls were answered, once they got as far as having parameters."""

    def answered(
        self, service: str, operation: str, caller: Caller, params: Mapping[str, Any], error: ServiceError | None
    ) -> None:
        """A call was answered; `error` says with which error. Never waits."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A request that neither a signature nor a certificate speaks for."""

    headers: Mapping[str, str] = field(repr=False)
    query: str = field(repr=False)  # as it came
    server_name: str | None  # SNI
    source_ip: str | None
    secure: bool
    request_id: str


class Doorkeeper(Protocol):
    """Lets in whom a custom authorizer speaks for."""

    async def let_in(self, stranger: Stranger) -> tuple[Caller, Grants] | None:
        """Answer who it is and what it may do; None where nobody is let in so. Raises ServiceError when refused."""
        ...

    async def vouch(self, stranger: Stranger, der: bytes, caller: Caller) -> Grants:
        """Answer what a caller with this certificate may do where an authorizer is asked, too. Raises ServiceError."""
        ...


class Directory(Protocol):
    """Knows keys, certificates and grants. Called for every request: answers from memory where it can."""

    async def access_key(self, access_key_id: str) -> AccessKey | None:
        """Answer an active access key, None when there is none of that id (unknown, inactive, deleted)."""
        ...

    async def grants(self, caller: Caller) -> Grants:
        """Answer what the caller may do, as of now."""
        ...

    async def whole_arn(self, resource: str) -> str:
        """Answer an ARN as policies name it: users, roles and groups of IAM with their paths; others as they are."""
        ...

    async def facts_of(self, account: str, resource: str) -> Context:
        """Answer the condition keys that a resource of the account gives: its tags, what bounds it.

        Asked only where policies look at such keys.
        """
        ...

    async def certificate(self, der: bytes, server_name: str | None, source_ip: str | None) -> Caller:
        """Answer whom a client certificate speaks for; raise a ServiceError that says why it is not usable.

        The handshake proved possession of the key. The caller's `request_id` is set by the shell.
        """
        ...
