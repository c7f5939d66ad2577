"""Just-in-time registration: what a device's first connection with a certificate of a registered CA sets off.

The certificate is registered PENDING_ACTIVATION and an event says so; this connection and all that follow are refused
until somebody activates it. The event is sent again at each of them.
A CA in DEFAULT mode speaks for its account whatever name the device connects to; one in SNI_ONLY mode, which proves
nothing, only when the device names the account (`<account>.<host>`).
Spec: AWS IoT just-in-time registration; `$aws/events/certificates/registered/<caCertificateId>`.
"""

import json
import re
from typing import Final, Protocol

from cryptography import x509

from hedgerow.core import pki
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import Published
from hedgerow.services.iot.ca_certificates.model import CaCertificate
from hedgerow.services.iot.ca_certificates.store import CaCertificateStore
from hedgerow.store import Answer, Tx

TOPIC: Final = "$aws/events/certificates/registered/"
_ACCOUNT_HOST: Final = re.compile(r"([0-9]{12})\.")


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


class JustInTimeRegistration:
    """Registers unknown certificates of active CAs that allow it."""

    def __init__(self, *, cas: CaCertificateStore, certificates: Certificates, region: str) -> None:
        self._cas = cas
        self._certificates = certificates
        self._region = region

    def ca_of(self, tx: Tx, der: bytes, server_name: str | None) -> tuple[str, CaCertificate] | None:
        """Answer (account, CA) when a connection with this certificate is to be registered or announced, else None."""
        try:
            certificate = pki.read_der(der)
        except pki.BadCertificate:
            return None
        named = _ACCOUNT_HOST.match(server_name or "")
        for account, ca in self._cas.anywhere(tx, pki.name_key(certificate.issuer)):
            speaks = not ca.sni_only if named is None else account == named[1]
            if speaks and ca.active and ca.auto_registration and tx.now <= ca.not_after and ca.signed(certificate):
                found = self._certificates.find(tx, account, pki.certificate_id(certificate))
                return (account, ca) if found is None or found.waits_for_activation else None
        return None

    def register(self, tx: Tx, der: bytes, server_name: str | None, source_ip: str) -> Answer:
        """Register the certificate, unless it is there and waits, and announce it."""
        home = self.ca_of(tx, der, server_name)
        if home is None:
            return Answer({})
        account, ca = home
        certificate = pki.read_der(der)
        found = self._certificates.find(tx, account, pki.certificate_id(certificate))
        if found is None:
            self._enter(tx, account, ca, certificate)
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

    def _enter(self, tx: Tx, account: str, ca: CaCertificate, certificate: x509.Certificate) -> None:
        caller = Caller(
            account=account,
            region=self._region,
            principal="iot.amazonaws.com",
            kind=Kind.SERVICE,
            request_id="",
        )
        self._certificates.enter_of_ca(tx, caller, pki.pem_of(certificate), ca_id=ca.id, sni_only=ca.sni_only)
