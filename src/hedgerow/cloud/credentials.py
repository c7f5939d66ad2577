"""Whether a client certificate may be used: whose it is, its status, its dates. The same for HTTP and MQTT.

The handshake proved that the device has the key; OpenSSL does not look at dates. AWS's words for the reasons.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hedgerow.base.clock import Clock
from hedgerow.cloud.domains import Domains
from hedgerow.core import pki
from hedgerow.services.iot.ca_certificates import CaCertificateStore
from hedgerow.services.iot.certificates import Certificate, CertificateStore, Mode, Status
from hedgerow.store import Tx


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not: AWS's word, and a sentence for logs."""

    reason: str
    detail: str
    account: str | None = None  # whose certificate it is, where that is certain


@dataclass(frozen=True, slots=True)
class Owners:
    """Which accounts have a certificate, and the one to which it belongs by a proved CA, if there is one."""

    entries: Sequence[tuple[str, Certificate]]
    home: str | None = None

    @property
    def proved(self) -> bool:
        """Whether one of them proved that it is theirs; else a CA that is registered later may decide otherwise."""
        return any(certificate.mode is Mode.DEFAULT for _, certificate in self.entries)

    @classmethod
    def read(cls, tx: Tx, certificate_id: str, *, certificates: CertificateStore, cas: CaCertificateStore) -> "Owners":
        """Read them. Who registered a certificate in SNI_ONLY mode proved nothing: then the CAs are looked at."""
        found = cls(certificates.owners(tx, certificate_id))
        if not found.entries or found.proved:
            return found
        return replace(found, home=cas.proved_signer(tx, pki.read_certificate(found.entries[0][1].pem)))


class Credentials:
    """Decides about certificates."""

    def __init__(self, *, clock: Clock, domains: Domains) -> None:
        self._clock = clock
        self._domains = domains

    def choose(self, found: Owners, certificate_id: str, server_name: str | None) -> tuple[str, Certificate] | Refused:
        """Answer the account and its certificate. Where several accounts have it, the server name decides.

        Without an account in the server name the one counts where the certificate was issued, or whose CA it is by
        proof: what others register without any proof (SNI_ONLY) changes nothing for a device that names no account.
        """
        owners = found.entries
        if not owners:
            return Refused("DEVICE_CERTIFICATE_NOT_REGISTERED", f"no account has the certificate {certificate_id}")
        named = self._domains.account(server_name)
        if named is not None:
            owners = [(account, certificate) for account, certificate in owners if account == named]
            if not owners:
                detail = f"the server name {server_name} is of another account than the certificate {certificate_id}"
                return Refused("SNI_MISUSED", detail)
        else:
            proved = [owner for owner in owners if owner[1].mode is Mode.DEFAULT or owner[0] == found.home]
            if found.home is not None and not proved:
                detail = f"the certificate {certificate_id} is of another account's CA: connect to <account id>.<host>"
                return Refused("SNI_MISUSED", detail)
            owners = proved or owners
        if len(owners) > 1:
            detail = f"several accounts have the certificate {certificate_id}: connect to <account id>.<host>"
            return Refused("SNI_MISUSED", detail)
        account, certificate = owners[0]
        objection = self._objection(certificate)
        return (account, certificate) if objection is None else replace(objection, account=account)

    def _objection(self, certificate: Certificate) -> Refused | None:
        if certificate.status is Status.REVOKED:
            return Refused("DEVICE_CERTIFICATE_REVOKED", f"certificate {certificate.id} is revoked")
        if certificate.status is not Status.ACTIVE:
            detail = f"certificate {certificate.id} is {certificate.status.value}, not ACTIVE"
            return Refused("DEVICE_CERTIFICATE_INACTIVE", detail)
        now = self._clock.now()
        if now < certificate.not_before:
            return Refused("NOT_AUTHENTICATED", f"certificate {certificate.id} begins {_date(certificate.not_before)}")
        if now > certificate.not_after:
            return Refused("NOT_AUTHENTICATED", f"certificate {certificate.id} ended {_date(certificate.not_after)}")
        return None


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
