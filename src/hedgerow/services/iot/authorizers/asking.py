"""Letting clients in by custom authorizers: which one is asked, whether it may be, and what it said.

Invocations are bounded per account, so that one account's slow functions are its own matter; who waits, waits for some
seconds. Nothing is remembered, but for HTTP with `enableCachingForHttp`: what a function said is good for requests
about which it would be told the very same, until `refreshAfterInSeconds` or a change of the authorizer.
Spec: AWS IoT custom authentication: the signature is verified before the function is invoked; 5 s per invocation.
"""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.core.arn import arn
from hedgerow.services.iot.authorizers.attempts import NAME, SIGNATURE, Attempt
from hedgerow.services.iot.authorizers.errors import InvalidResponse, NotLetIn
from hedgerow.services.iot.authorizers.model import INVOKED_WITHIN_S, Authorizer, checked_answer, event
from hedgerow.services.iot.authorizers.store import AuthorizerStore
from hedgerow.store import Run, Tx

AT_ONCE: Final = 32  # invocations of authorizers under way, per account
TURN_WITHIN_S: Final = 5.0  # before one of them begins
WAITING: Final = 1024  # that wait for their turn, per account; beyond it the client is refused
REMEMBERED: Final = 4096  # answers for HTTP; the one that was used longest ago goes first
LONGEST_S: Final = 86_400  # of a connection, unless the function says less


class Invoker(Protocol):
    """Invokes functions for AWS IoT."""

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        """Answer what the function returned; a ServiceError when it may not be invoked, else a HedgerowError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """What an authorizer's function said of a client that may come in."""

    principal: str
    policies: tuple[str, ...]
    disconnect_after_s: int
    refresh_after_s: int | None


class CustomAuthentication:
    """Asks authorizers about clients. Lives on the loop."""

    def __init__(self, *, run: Run, authorizers: AuthorizerStore, invoker: Invoker, clock: Clock, region: str) -> None:
        self._run = run
        self._authorizers = authorizers
        self._invoker = invoker
        self._region = region
        self._clock = clock
        self._turns: dict[str, _Turns] = {}
        self._remembered: OrderedDict[bytes, tuple[LetIn, float]] = OrderedDict()
        self._asked = self._failed = 0

    def statistics(self) -> dict[str, int]:
        """Answer the clients that wait or are asked about, what is remembered, and totals since the start."""
        return {
            "waiting": sum(turns.waiting for turns in self._turns.values()),
            "remembered": len(self._remembered),
            "asked": self._asked,
            "failed": self._failed,
        }

    async def is_open(self, account: str) -> bool:
        """Tell whether the account lets anybody in by an authorizer."""
        return await self._run.read(lambda tx: self._authorizers.count_active(tx, account) > 0)

    async def ask(self, account: str, attempt: Attempt) -> LetIn:
        """Answer what the account's authorizer says; raise NotLetIn with AWS's word and a sentence for logs."""
        authorizer = await self._run.read(lambda tx: self._chosen(tx, account, attempt))
        token = _verified(authorizer, attempt)
        asked = event(token=token, http=attempt.http(), mqtt=attempt.mqtt(), tls=attempt.tls())
        if not authorizer.caching_for_http or attempt.client_id is not None:
            return await self._said(account, authorizer, attempt, asked)
        key = _key(account, authorizer, asked)
        known = self._known(key)
        if known is None:
            known = await self._said(account, authorizer, attempt, asked)
            self._remember(key, known)
        return known

    def _known(self, key: bytes) -> LetIn | None:
        found = self._remembered.get(key)
        if found is None or found[1] <= self._clock.now():
            return None
        self._remembered.move_to_end(key)
        return found[0]

    def _remember(self, key: bytes, let_in: LetIn) -> None:
        if let_in.refresh_after_s is None:
            return
        good_s = min(let_in.refresh_after_s, let_in.disconnect_after_s)
        self._remembered[key] = (let_in, self._clock.now() + good_s)
        self._remembered.move_to_end(key)
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)

    async def _said(self, account: str, authorizer: Authorizer, attempt: Attempt, asked: dict[str, Any]) -> LetIn:
        payload = json.dumps({**asked, "connectionMetadata": {"id": attempt.connection_id}}).encode()
        self._asked += 1
        try:
            async with self._turn(account):
                said = await self._invoke(account, authorizer, payload)
                answer = checked_answer(said, certificate_id=attempt.certificate_id)
        except InvalidResponse as error:
            self._failed += 1
            raise _failed(authorizer, error.message) from error
        except NotLetIn:
            self._failed += 1
            raise
        if not answer["isAuthenticated"]:
            raise NotLetIn("NOT_AUTHENTICATED", f"the function of authorizer {authorizer.name} does not let it in")
        return LetIn(
            principal=answer["principalId"],
            policies=tuple(answer["policyDocuments"]),
            disconnect_after_s=answer.get("disconnectAfterInSeconds", LONGEST_S),
            refresh_after_s=answer.get("refreshAfterInSeconds"),
        )

    def _chosen(self, tx: Tx, account: str, attempt: Attempt) -> Authorizer:
        name = attempt.said(NAME) if attempt.may_name else None
        if name is None:
            name = attempt.default_name or self._authorizers.default(tx, account)
            if name is None:
                detail = f"the client names no custom authorizer, and account {account} has no default one"
                raise NotLetIn("NOT_AUTHENTICATED", detail)
        authorizer = self._authorizers.get(tx, account, name)
        if authorizer is None:
            raise NotLetIn("CUSTOM_AUTHORIZER_NOT_FOUND", f"account {account} has no authorizer {name[:128]!r}")
        if not authorizer.active:
            raise NotLetIn("CUSTOM_AUTHORIZER_NOT_FOUND", f"authorizer {name} is INACTIVE")
        return authorizer

    async def _invoke(self, account: str, authorizer: Authorizer, payload: bytes) -> bytes:
        try:
            async with asyncio.timeout(INVOKED_WITHIN_S):
                return await self._invoker.invoke(
                    account=account,
                    function_arn=authorizer.function_arn,
                    payload=payload,
                    source_arn=arn("iot", self._region, account, f"authorizer/{authorizer.name}"),
                )
        except TimeoutError as error:
            raise _failed(authorizer, f"it took longer than {INVOKED_WITHIN_S:g} s") from error
        except ServiceError as error:
            raise _failed(authorizer, error.message) from error
        except HedgerowError as error:
            raise _failed(authorizer, str(error)) from error

    @asynccontextmanager
    async def _turn(self, account: str) -> AsyncIterator[None]:
        turns = self._turns.setdefault(account, _Turns())
        if turns.waiting >= WAITING:
            raise NotLetIn("CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR", f"{WAITING} clients wait for authorizers")
        turns.waiting += 1
        try:
            await _acquire(turns.free)
            try:
                yield
            finally:
                turns.free.release()
        finally:
            turns.waiting -= 1
            if not turns.waiting:
                self._turns.pop(account, None)


def _key(account: str, authorizer: Authorizer, asked: dict[str, Any]) -> bytes:
    """Answer what stands for all that decides: whose authorizer, how it is at the moment, what its function sees."""
    parts = (account, authorizer.name, authorizer.function_arn, authorizer.updated_at, asked)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()


async def _acquire(turns: asyncio.Semaphore) -> None:
    try:
        async with asyncio.timeout(TURN_WITHIN_S):
            await turns.acquire()
    except TimeoutError as error:
        detail = f"authorizers are asked about so many clients that {TURN_WITHIN_S:g} s were not enough to begin"
        raise NotLetIn("CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR", detail) from error


class _Turns:
    """One account's invocations: those under way, and all that wait or are under way."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0


def _verified(authorizer: Authorizer, attempt: Attempt) -> str | None:
    """Answer the token that the function is handed; raise NotLetIn when it is not signed as it must be."""
    if authorizer.signing_disabled:
        return None
    token, signature = attempt.said(authorizer.token_key_name or ""), attempt.said(SIGNATURE)
    if token is None or signature is None:
        missing = SIGNATURE if token is not None else f"the token in {authorizer.token_key_name}"
        detail = f"authorizer {authorizer.name} demands a signed token, and there is no {missing}"
        raise NotLetIn("CUSTOM_AUTHORIZER_PARAMETER_INVALID", detail)
    if not authorizer.signed(token, signature):
        detail = f"the signature is not one of the token by a key of authorizer {authorizer.name}"
        raise NotLetIn("SECURITY_TOKEN_SIGNATURE_MISMATCH", detail)
    return token


def _failed(authorizer: Authorizer, why: str) -> NotLetIn:
    detail = f"the function of authorizer {authorizer.name} gave no answer that counts: {why}"
    return NotLetIn("CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR", detail)
