"""ProvisionDevice: a key where the caller has none, the template, the signature; then one transaction.

A private key is answered once and kept nowhere.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.hedgerow.devices.errors import InvalidShadow
from hedgerow.services.hedgerow.devices.model import Wanted
from hedgerow.services.hedgerow.devices.operations import DeviceOperations, May
from hedgerow.store import Answer, Run, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRequest:
    """A new key and the signing request for it, all PEM. The private key is secret: hand it on, never store or log."""

    private_key_pem: str
    public_key_pem: str
    signing_request_pem: str

    def __repr__(self) -> str:
        return "NewRequest(…)"


class Keys(Protocol):
    """Makes keys. Off the loop, with a deadline."""

    async def request(self) -> NewRequest:
        """Make an RSA 2048 key and a signing request for it."""
        ...


class Preparing(Protocol):
    """Fills templates in and signs."""

    async def prepare(self, body: str, parameters: Mapping[str, str]) -> Any:
        """Answer what `Registering.register` takes; raises ServiceErrors."""
        ...


class Callers(Protocol):
    """What callers may do."""

    async def may(self, caller: Caller) -> May:
        """Answer what tells whether the caller may do an action to a resource."""
        ...


class Attempts(Protocol):
    """The record of how devices come in."""

    def note(self, tx: Tx, caller: Caller, *, way: str, why_not: str, device: str) -> None:
        """Write down that a device did not come in, and why."""
        ...


class DeviceFlows:
    """The operation. One that succeeds is written down by the registration, one that fails is here."""

    def __init__(
        self,
        *,
        run: Run,
        devices: DeviceOperations,
        keys: Keys,
        preparing: Preparing,
        callers: Callers,
        attempts: Attempts,
    ) -> None:
        self._attempts = attempts
        self._run = run
        self._devices = devices
        self._keys = keys
        self._preparing = preparing
        self._callers = callers

    async def provision_device(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        token = request.get("clientToken")
        wanted = Wanted.of(request, _state(request.get("shadow")))
        earlier = await self._run.read(lambda tx: self._devices.earlier(tx, caller.account, token, wanted))
        if earlier is not None:
            return earlier
        try:
            return await self._made(wanted, caller, token)
        except ServiceError as error:
            await self._run.write(self._noting(wanted, caller, f"{error.code}: {error.message}"))
            raise

    async def _made(self, wanted: Wanted, caller: Caller, token: str | None) -> Mapping[str, Any]:
        key = await self._keys.request() if wanted.signing_request is None else None
        signing_request = wanted.signing_request if key is None else key.signing_request_pem
        prepared = await self._preparing.prepare(wanted.template(), {"Request": signing_request or ""})
        may = await self._callers.may(caller)
        answer = await self._run.write(
            lambda tx: self._devices.make(tx, wanted, prepared, caller, token=token, may=may)
        )
        keys = {} if key is None else {"publicKey": key.public_key_pem, "privateKey": key.private_key_pem}
        return {**answer.response, **keys}

    def _noting(self, wanted: Wanted, caller: Caller, why: str) -> Callable[[Tx], Answer]:
        def note(tx: Tx) -> Answer:
            self._attempts.note(tx, caller, way="OPERATOR", why_not=why, device=wanted.thing)
            return Answer()

        return note


def _state(text: str | None) -> Mapping[str, Any] | None:
    if text is None:
        return None
    try:
        state = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidShadow from error
    if not isinstance(state, dict):
        raise InvalidShadow
    return state
