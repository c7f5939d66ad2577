"""A device asks the vending machine for a certificate: `POST /vending`, signed by nobody.

What it is told says no more than it needs; why it was refused is in the record of attempts. Its key never leaves it.
The certificate is signed outside of the transaction in which everything else happens, all of it or nothing.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.base.log import get_logger
from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.core.request import Request
from hedgerow.services.iot.vending.errors import NotAccepted, TooMany, Unfit
from hedgerow.services.iot.vending.model import (
    MOST_OF_ADDRESS,
    MOST_PENDING,
    PENDING_S,
    RETRY_S,
    Decision,
    Device,
    Secrets,
    State,
    Throttles,
    device_of,
    neighbourhood,
)
from hedgerow.services.iot.vending.store import OVER, VendingStore
from hedgerow.store import Answer, Run, Tx

TOPIC: Final = "hedgerow/vending/pending"
"""Where the account is told, once, of a device that waits. A rule makes a notification of it."""
WAITING: Final[Mapping[str, Any]] = {"status": "PENDING", "retryAfterSeconds": RETRY_S}

_log = get_logger("services.iot.vending")


class Accounts(Protocol):
    """The accounts of the cloud."""

    def exists(self, tx: Tx, account: str) -> bool:
        """Tell whether there is such an account."""
        ...


class Authority(Protocol):
    """Signs device certificates. Off the loop, with a deadline."""

    async def sign(self, signing_request_pem: str) -> str:
        """Answer the PEM of a certificate for the request's key; raises a ServiceError that says why not."""
        ...


class Certificates(Protocol):
    """The certificates that were issued."""

    def in_use(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether a device may connect with it, now or soon."""
        ...


class Registrar(Protocol):
    """Registers one device by a provisioning template."""

    def register(
        self, tx: Tx, caller: Caller, *, pem: str, template: str, parameters: Mapping[str, str]
    ) -> tuple[str, Mapping[str, Any], Answer]:
        """Do all of it; answer the certificate's id, what the device is told, and what it lets happen.

        Raises a HedgerowError, and then the transaction must not be committed.
        """
        ...


class Attempts(Protocol):
    """The record of how devices got their identity."""

    def note(
        self,
        tx: Tx,
        caller: Caller,
        *,
        way: str,
        why_not: str | None = None,
        device: str | None = None,
        certificate_id: str | None = None,
        template: str | None = None,
    ) -> None:
        """Write down how an attempt ended: well, or `why_not`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What a device said."""

    caller: Caller
    serial: str
    token: str  # keyed hash
    key: str  # SHA-256 of its public key
    request: str

    @property
    def name(self) -> str:
        """The device, of all accounts."""
        return device_of(self.caller.account, self.serial)

    @property
    def neighbourhood(self) -> str:
        """From where it asks."""
        return neighbourhood(self.caller.source_ip)


class VendingFlows:
    """What devices ask of the vending machine."""

    def __init__(
        self,
        *,
        run: Run,
        devices: VendingStore,
        accounts: Accounts,
        certificates: Certificates,
        first_account: str,
        secrets: Secrets,
        throttles: Throttles,
        authority: Authority,
        registrar: Registrar,
        attempts: Attempts,
    ) -> None:
        self._run = run
        self._devices = devices
        self._accounts = accounts
        self._certificates = certificates
        self._first_account = first_account
        self._secrets = secrets
        self._throttles = throttles
        self._authority = authority
        self._registrar = registrar
        self._attempts = attempts

    async def request_certificate(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        serial, token = request["serialNumber"], request["token"]
        signing_request = request["certificateSigningRequest"]
        account = request.get("accountId") or self._first_account
        asked = _Asked(
            caller=_of(caller, account),
            serial=serial,
            token=self._secrets.hashed(account, serial, token),
            key="",
            request=signing_request,
        )
        try:
            return await self._heard(asked)
        except TooMany as error:
            await self._turned_away(asked, error.why)
            raise

    async def _heard(self, asked: _Asked) -> Mapping[str, Any]:
        if not self._throttles.admits(asked.caller.source_ip or "", asked.name):
            raise TooMany("its address asks too often")
        if self._throttles.guessing.exhausted(asked.name):
            raise TooMany("too many wrong tokens were shown for it")
        try:
            asked = replace(asked, key=_key_of(asked.request))
        except Unfit as error:
            await self._unfit(asked, error)
            raise
        decision, why, device = await self._run.read(lambda tx: self._decided(tx, asked))
        if decision is Decision.WAIT and device is None:
            return (await self._run.write(lambda tx: self._waiting(tx, asked))).response
        if decision is Decision.ISSUE:
            return await self._issued(asked)
        return await self._answered(asked, decision, why, device)

    def _decided(self, tx: Tx, asked: _Asked) -> tuple[Decision, str, Device | None]:
        """Answer what the device gets, and why where that is nothing."""
        account = asked.caller.account
        if not self._accounts.exists(tx, account):
            raise NotAccepted
        device = self._devices.get(tx, account, asked.serial)
        if device is None:
            return Decision.WAIT, "", None
        decision, why = device.decide(asked.token, asked.key, now=tx.now)
        if decision is Decision.AGAIN and not self._certificates.in_use(tx, account, device.certificate_id or ""):
            return Decision.REFUSE, "its certificate was deactivated, and it was not approved again", device
        return decision, why, device

    async def _answered(self, asked: _Asked, decision: Decision, why: str, device: Device | None) -> Mapping[str, Any]:
        if decision is Decision.WAIT or device is None:
            return WAITING
        if decision is Decision.AGAIN:
            return device.reply or {}

        known = device.shows(asked.token)
        if not known:
            self._throttles.guessing.admits(asked.name)

        def note(tx: Tx) -> Answer:
            self._attempts.note(tx, asked.caller, way="VENDING", why_not=why, device=asked.serial)
            return Answer()

        if self._throttles.noting.admits(f"{asked.name} {device.state.value} {known} {asked.neighbourhood}"):
            await self._run.write(note)
        raise NotAccepted

    async def _turned_away(self, asked: _Asked, why: str) -> None:
        """Write down, once in a while, that devices are not heard at all."""

        def note(tx: Tx) -> Answer:
            if self._accounts.exists(tx, asked.caller.account):
                words = f"Too many requests: {why}; others like it are not written down for a while"
                self._attempts.note(tx, asked.caller, way="VENDING", why_not=words, device=asked.serial)
            return Answer()

        if self._throttles.noting.admits(f"{asked.caller.account} {why} {asked.neighbourhood}"):
            await self._run.write(note)

    async def _unfit(self, asked: _Asked, error: ServiceError) -> None:
        """Write down what is wrong with the signing request of a device that is known and shows its token."""
        device = await self._run.read(lambda tx: self._devices.get(tx, asked.caller.account, asked.serial))
        if device is None:
            return
        if not device.shows(asked.token):
            self._throttles.guessing.admits(asked.name)
            return

        def note(tx: Tx) -> Answer:
            self._attempts.note(tx, asked.caller, way="VENDING", why_not=error.message, device=asked.serial)
            return Answer()

        if self._throttles.noting.admits(f"{asked.name} unfit {asked.neighbourhood}"):
            await self._run.write(note)

    def _waiting(self, tx: Tx, asked: _Asked) -> Answer:
        """Write down that an unknown device waits, and say so once."""
        account = asked.caller.account
        if self._devices.get(tx, account, asked.serial) is not None:
            return Answer(WAITING)  # it asked twice at once
        there = [neighbourhood(address) for address in self._devices.pending(tx, account)]
        if len(there) >= MOST_PENDING or there.count(asked.neighbourhood) >= MOST_OF_ADDRESS:
            raise TooMany("too many devices wait, or too many of its address: decide about them")
        waiting = Device(
            serial=asked.serial,
            state=State.PENDING,
            token=asked.token,
            requested_at=tx.now,
            address=asked.caller.source_ip,
            expires_at=tx.now + PENDING_S,
        )
        self._devices.put(tx, account, waiting)
        tx.follow_up(OVER, account=account, key=asked.serial, body={}, due_at=tx.now + PENDING_S)
        news = {"serialNumber": asked.serial, "address": asked.caller.source_ip, "timestamp": int(tx.now * 1000)}
        told = Published(account=account, topic=TOPIC, payload=json.dumps(news).encode())
        return Answer(WAITING, events=(told,))

    async def _issued(self, asked: _Asked) -> Mapping[str, Any]:
        try:
            pem = await self._authority.sign(asked.request)
        except ServiceError as error:
            await self._unfit(asked, error)
            raise Unfit(error.message) from error
        try:
            return (await self._run.write(lambda tx: self._registered(tx, asked, pem))).response
        except NotAccepted:
            raise
        except HedgerowError as error:
            why = str(error)

            def note(tx: Tx) -> Answer:
                self._attempts.note(tx, asked.caller, way="VENDING", why_not=why, device=asked.serial)
                return Answer()

            await self._run.write(note)
            fields = {"account": asked.caller.account, "device": asked.serial, "cause": why}
            _log.warning("an approved device could not be registered", extra={"fields": fields})
            raise NotAccepted from error

    def _registered(self, tx: Tx, asked: _Asked, pem: str) -> Answer:
        account = asked.caller.account
        device = self._devices.get(tx, account, asked.serial)
        decision = Decision.REFUSE if device is None else device.decide(asked.token, asked.key, now=tx.now)[0]
        if device is not None and decision is Decision.AGAIN:
            return Answer(device.reply or {})  # it asked twice at once
        if device is None or decision is not Decision.ISSUE:
            raise NotAccepted
        template, parameters = device.template or "", device.parameters or {}
        certificate_id, reply, done = self._registrar.register(
            tx, asked.caller, pem=pem, template=template, parameters=parameters
        )
        answer = {"status": "ISSUED", "certificateId": certificate_id, **reply}
        self._devices.put(tx, account, device.issued(key=asked.key, certificate_id=certificate_id, reply=answer))
        self._attempts.note(
            tx, asked.caller, way="VENDING", device=asked.serial, certificate_id=certificate_id, template=template
        )
        return Answer(answer, events=done.events)


def _of(caller: Caller, account: str) -> Caller:
    return Caller(
        account=account,
        region=caller.region,
        principal="anonymous",
        kind=caller.kind,
        request_id=caller.request_id,
        source_ip=caller.source_ip,
        secure=caller.secure,
    )


def _key_of(signing_request: str) -> str:
    """Answer the SHA-256 of the request's public key; raise Unfit for what is no request, or has a weak key."""
    try:
        public = pki.read_csr(signing_request).public_key()
    except pki.BadRequest as error:
        raise Unfit(f"The certificate signing request cannot be used: {error}") from error
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
