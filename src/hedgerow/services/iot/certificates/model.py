"""A device certificate in the registry, and which changes of its status are legal.

The id is the SHA-256 of the certificate's DER. Making and signing certificates is the authority's business. A private
key of a device is never part of this.
Spec: certificate statuses; REVOKED and PENDING_TRANSFER are left by no UpdateCertificate. RSA keys of 2048 bits and
more, EC keys on P-256, P-384 and P-521, signatures with SHA-256, SHA-384 and SHA-512.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from cryptography import x509

from hedgerow.core import pki
from hedgerow.services.iot.certificates.errors import CertificateState, CertificateValidation
from hedgerow.services.iot.errors import InvalidRequest


class Status(Enum):
    """Whether the certificate may be used."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    REVOKED = "REVOKED"
    PENDING_TRANSFER = "PENDING_TRANSFER"
    PENDING_ACTIVATION = "PENDING_ACTIVATION"


class Mode(Enum):
    """Whether a device must name the endpoint (SNI) when it connects."""

    DEFAULT = "DEFAULT"
    SNI_ONLY = "SNI_ONLY"


SETTABLE: Final[Mapping[Status, frozenset[Status]]] = {
    Status.ACTIVE: frozenset({Status.ACTIVE, Status.INACTIVE, Status.REVOKED}),
    Status.INACTIVE: frozenset({Status.ACTIVE, Status.INACTIVE, Status.REVOKED}),
    Status.PENDING_ACTIVATION: frozenset({Status.ACTIVE, Status.INACTIVE, Status.REVOKED}),
    Status.REVOKED: frozenset({Status.REVOKED}),
    Status.PENDING_TRANSFER: frozenset(),
}
"""Which status UpdateCertificate may set, by the status that there is."""

_NOT_FOR_USERS: Final = frozenset({"PENDING_TRANSFER", "PENDING_ACTIVATION", "REGISTER_INACTIVE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The last transfer of a certificate, as the account sees it."""

    message: str | None
    at: float
    accepted_at: float | None = None
    rejected_at: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of an account."""

    id: str
    pem: str
    status: Status
    mode: Mode
    ca_id: str | None
    generation: str
    version: int
    not_before: float
    not_after: float
    created_at: float
    updated_at: float
    previous_owner: str | None = None
    transfer: Transfer | None = None

    @property
    def active(self) -> bool:
        """Whether it may be used (its dates are another question)."""
        return self.status is Status.ACTIVE

    @property
    def waits_for_activation(self) -> bool:
        """Whether it was registered at its first connection, by its CA, and nobody has activated it."""
        return self.status is Status.PENDING_ACTIVATION and self.ca_id is not None

    def with_status(self, status: Status, *, now: float) -> "Certificate":
        """Answer it with another status; raise CertificateState when that is not legal."""
        if status not in SETTABLE[self.status]:
            raise CertificateState(f"Certificate {self.id} is {self.status.value} and cannot become {status.value}")
        return self._become(status, now)

    def on_its_way(self, transfer: Transfer, *, now: float) -> "Certificate":
        """Answer it while it is offered to another account."""
        return replace(self._become(Status.PENDING_TRANSFER, now), transfer=transfer)

    def arrived(self, status: Status, *, now: float) -> "Certificate":
        """Answer it when the other account has accepted it."""
        transfer = None if self.transfer is None else replace(self.transfer, accepted_at=now)
        return replace(self._become(status, now), transfer=transfer)

    def stayed(self, *, rejected: bool, reason: str | None, now: float) -> "Certificate":
        """Answer it when the transfer was rejected or cancelled."""
        transfer = self.transfer
        if transfer is not None and rejected:
            transfer = replace(transfer, rejected_at=now, reason=reason)
        return replace(self._become(Status.INACTIVE, now), transfer=transfer)

    def _become(self, status: Status, now: float) -> "Certificate":
        return replace(self, status=status, version=self.version + 1, updated_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What the registry reads in a certificate."""

    certificate: x509.Certificate
    id: str
    pem: str
    not_before: float
    not_after: float


def parsed(pem: str) -> Parsed:
    """Read the one certificate in the text; raises CertificateValidation when there is none, more, or a weak one."""
    try:
        certificate = pki.read_certificate(pem)
        pki.checked_signature(certificate)
        pki.usable_key(certificate.public_key())
        said = pki.describe(certificate)
    except (pki.BadCertificate, pki.BadKey) as error:
        raise CertificateValidation(f"The certificate cannot be used: {error}") from error
    return Parsed(
        certificate=certificate,
        id=said.id,
        pem=pki.pem_of(certificate),
        not_before=said.not_before,
        not_after=said.not_after,
    )


def settable(status: str) -> Status:
    """Answer the status that a user wants to set; raise InvalidRequest for those that only we set."""
    if status in _NOT_FOR_USERS:
        raise InvalidRequest(f"Status {status} cannot be set by UpdateCertificate")
    return Status(status)


def registrable(status: str | None, *, active: bool = False) -> Status:
    """Answer the first status of a registered certificate; raise CertificateState for those that only we set."""
    if status is None:
        return Status.ACTIVE if active else Status.INACTIVE
    if status in _NOT_FOR_USERS:
        raise CertificateState(f"Not allowed to register certificate with {status} status")
    return Status(status)
