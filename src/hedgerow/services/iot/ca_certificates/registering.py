"""What a device's first connection with a certificate of a registered CA sets off: registration, or provisioning.

The certificate is registered PENDING_ACTIVATION, and this connection is refused. Then, by the CA:

- without a template (JITR) an event says so, and all connections are refused until somebody activates the certificate;
  the event is sent again at each of them.
- with a template (JITP) thing, policies and attachments are made in the same transaction, and the next connection is
  let in. When that fails nothing of it is done: the certificate stays PENDING_ACTIVATION, a line in the log says why,
  and the next connection tries again. No event is sent: who listens for those activates what was announced.

A certificate that is expired, or whose CA is INACTIVE, expired, or does not allow it, is not registered, and the record
of attempts says why: whoever shows it has its key, and the CA's owner made it.

A CA in DEFAULT mode speaks for its account whatever name the device connects to; one in SNI_ONLY mode, which proves
nothing, only when the device names the account (`<account>.<host>`).
Spec: AWS IoT just-in-time registration and provisioning; `$aws/events/certificates/registered/<caCertificateId>`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography import x509

from hedgerow.base.errors import ServiceError
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core import pki
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import Published
from hedgerow.services.iot.ca_certificates.errors import NotProvisioned
from hedgerow.services.iot.ca_certificates.model import CaCertificate, Provisioning
from hedgerow.services.iot.ca_certificates.store import CaCertificateStore
from hedgerow.services.iot.lanes import enrolment
from hedgerow.store import Answer, Run, Tx

TOPIC: Final = "$aws/events/certificates/registered/"
_ACCOUNT_HOST: Final = re.compile(r"([0-9]{12})\.")
TOLD: Final = 16_384
"""Certificates that were turned away and are remembered; of those before them the next attempt is recorded again."""
_log = get_logger("services.iot.just_in_time")


class Entered(Protocol):
    """A certificate in the registry."""

    @property
    def waits_for_activation(self) -> bool:
        """Whether it was registered just in time and nobody has activated it."""
        ...

    @property
    def created_at(self) -> float:
        """When it was registered."""
        ...


class Certificates(Protocol):
    """What registering needs of certificates."""

    def find(self, tx: Tx, account: str, certificate_id: str) -> Entered | None:
        """Answer the account's certificate, or None."""
        ...

    def enter_of_ca(self, tx: Tx, caller: Caller, pem: str, *, ca_id: str, sni_only: bool) -> None:
        """Write a certificate of the CA into the registry, PENDING_ACTIVATION. Raises a ServiceError for a bad one."""
        ...


class Provisioner(Protocol):
    """Provisions devices by templates."""

    def provision(self, tx: Tx, caller: Caller, by: Provisioning, certificate: x509.Certificate) -> Answer:
        """Provision the device of this certificate, which is registered and PENDING_ACTIVATION.

        Raises NotProvisioned; then the transaction must not be committed.
        """
        ...

    def registered(self, tx: Tx, caller: Caller, certificate: x509.Certificate) -> None:
        """Write down that a certificate was registered, whose device somebody else provisions."""
        ...

    def failed(self, tx: Tx, caller: Caller, certificate: x509.Certificate, why: NotProvisioned) -> Answer:
        """Write down that this did not succeed."""
        ...

    def turned_away(
        self, tx: Tx, caller: Caller, certificate: x509.Certificate, why: str, *, provisions: bool
    ) -> Answer:
        """Write down that the certificate of a CA, which provisions its devices or has them announced, was refused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Whose device a certificate is by its CA, and why that does not let it in."""

    account: str
    ca: CaCertificate
    why_not: str | None


class JustInTimeRegistration:
    """Registers unknown certificates of active CAs that allow it, and provisions their devices."""

    def __init__(
        self,
        *,
        cas: CaCertificateStore,
        certificates: Certificates,
        provisioner: Provisioner,
        region: str,
        ids: Ids,
    ) -> None:
        self._cas = cas
        self._certificates = certificates
        self._provisioner = provisioner
        self._region = region
        self._ids = ids

    def home_of(self, tx: Tx, der: bytes, server_name: str | None) -> Home | None:
        """Answer whose device it is when a connection with this certificate is to set anything off, else None."""
        try:
            certificate = pki.read_der(der)
        except pki.BadCertificate:
            return None
        named = _ACCOUNT_HOST.match(server_name or "")
        refused: Home | None = None
        for account, ca in self._cas.anywhere(tx, pki.name_key(certificate.issuer)):
            speaks = not ca.sni_only if named is None else account == named[1]
            if not speaks or not ca.signed(certificate):
                continue
            found = self._certificates.find(tx, account, pki.certificate_id(certificate))
            if found is not None and not found.waits_for_activation:
                return None
            home = Home(account=account, ca=ca, why_not=ca.objection_to(certificate, now=tx.now))
            if home.why_not is None:
                return home
            refused = refused or home
        return refused

    def register(self, tx: Tx, der: bytes, server_name: str | None, source_ip: str) -> Answer:
        """Register the certificate, unless it is there and waits; then provision its device, or announce it.

        Raises a ServiceError for a certificate that cannot be registered, NotProvisioned when that fails.
        """
        home = self.home_of(tx, der, server_name)
        if home is None or home.why_not is not None:
            return Answer({})
        account, ca = home.account, home.ca
        certificate, caller = pki.read_der(der), self._caller(account, source_ip)
        found = self._entered(tx, caller, ca, certificate)
        if ca.provisioning is not None:
            return self._provisioner.provision(tx, caller, ca.provisioning, certificate)
        if found is None:
            self._provisioner.registered(tx, caller, certificate)
        event = {
            "certificateId": pki.certificate_id(certificate),
            "caCertificateId": ca.id,
            "timestamp": int(tx.now * 1000),
            "certificateStatus": "PENDING_ACTIVATION",
            "awsAccountId": account,
            "certificateRegistrationTimestamp": None if found is None else str(int(found.created_at * 1000)),
            "sourceIp": source_ip,
        }
        message = Published(account=account, topic=TOPIC + ca.id, payload=json.dumps(event).encode())
        return Answer({}, events=(message,))

    def leave(self, tx: Tx, der: bytes, server_name: str | None, source_ip: str, why: NotProvisioned) -> Answer:
        """Register the certificate and no more, since its device could not be provisioned."""
        home = self.home_of(tx, der, server_name)
        if home is None or home.why_not is not None:
            return Answer({})
        certificate, caller = pki.read_der(der), self._caller(home.account, source_ip)
        self._entered(tx, caller, home.ca, certificate)
        return self._provisioner.failed(tx, caller, certificate, why)

    def turn_away(self, tx: Tx, home: Home, der: bytes, source_ip: str, why: str) -> Answer:
        """Write down that the certificate is not registered, and nothing else."""
        provisions = home.ca.provisioning is not None
        caller = self._caller(home.account, source_ip)
        return self._provisioner.turned_away(tx, caller, pki.read_der(der), why, provisions=provisions)

    def _entered(self, tx: Tx, caller: Caller, ca: CaCertificate, certificate: x509.Certificate) -> Entered | None:
        """Write the certificate into the registry; answer what was there before."""
        found = self._certificates.find(tx, caller.account, pki.certificate_id(certificate))
        if found is None:
            pem = pki.pem_of(certificate)
            self._certificates.enter_of_ca(tx, caller, pem, ca_id=ca.id, sni_only=ca.sni_only)
        return found

    def _caller(self, account: str, source_ip: str) -> Caller:
        return Caller(
            account=account,
            region=self._region,
            principal="iot.amazonaws.com",
            kind=Kind.SERVICE,
            request_id=self._ids.uuid(),
            source_ip=source_ip,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstConnection:
    """How the provisioning of a device that connected for the first time ended: well, or `why_not`."""

    account: str
    certificate_id: str
    address: str
    template: str | None
    why_not: NotProvisioned | None


Listener = Callable[[FirstConnection], None]


class JustInTimeFlows:
    """What happens beside a refused connection."""

    def __init__(self, *, run: Run, registration: JustInTimeRegistration) -> None:
        self._run = run
        self._registration = registration
        self._told: dict[tuple[str, str], str] = {}  # certificates that were turned away, and why
        self.listeners: tuple[Listener, ...] = ()
        """Told of every attempt to provision a device; they return at once."""

    async def refused(self, der: bytes, server_name: str | None, source_ip: str) -> None:
        """Take notice of a connection that was refused; the next with this certificate may be let in."""
        registration = self._registration
        home = await self._run.read(lambda tx: registration.home_of(tx, der, server_name))
        if home is None:
            return None
        if home.why_not is not None:
            return await self._turn_away(home, der, source_ip, home.why_not)
        fields = {
            "account": home.account,
            "ca": home.ca.id,
            "certificate": pki.certificate_id(der),
            "remote": source_ip,
        }
        try:
            await self._run.write(
                lambda tx: registration.register(tx, der, server_name, source_ip), lane=enrolment(home.account)
            )
        except ServiceError as error:
            _log.info("a certificate of a registered CA is not registered", extra={"fields": _with(fields, error)})
            await self._turn_away(home, der, source_ip, f"{error.code}: {error.message}")
        except NotProvisioned as error:
            why = error  # the name is gone after the block
            _log.warning("a device is not provisioned just in time", extra={"fields": _with(fields, error)})
            self._tell(home, der, source_ip, error)
            await self._run.write(
                lambda tx: registration.leave(tx, der, server_name, source_ip, why), lane=enrolment(home.account)
            )
        else:
            done = "registered" if home.ca.provisioning is None else "provisioned"
            self._told.pop((home.account, pki.certificate_id(der)), None)
            _log.info("first connection of a device of a registered CA", extra={"fields": {**fields, "done": done}})
            self._tell(home, der, source_ip, None)
        return None

    async def _turn_away(self, home: Home, der: bytes, source_ip: str, why: str) -> None:
        """Have it recorded, once for each reason: devices that are turned away come again every few seconds."""
        device = (home.account, pki.certificate_id(der))
        if self._told.get(device) == why:
            return
        while len(self._told) >= TOLD:
            self._told.pop(next(iter(self._told)))
        self._told[device] = why
        await self._run.write(
            lambda tx: self._registration.turn_away(tx, home, der, source_ip, why), lane=enrolment(home.account)
        )

    def _tell(self, home: Home, der: bytes, source_ip: str, why_not: NotProvisioned | None) -> None:
        by = home.ca.provisioning
        if by is not None:
            outcome = FirstConnection(
                account=home.account,
                certificate_id=pki.certificate_id(der),
                address=source_ip,
                template=by.template,
                why_not=why_not,
            )
            for tell in self.listeners:
                tell(outcome)


def _with(fields: dict[str, str], error: Exception) -> dict[str, str]:
    return {**fields, "cause": str(error)}
