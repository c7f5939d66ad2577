"""A CA certificate that an account registered: what it must be, and which changes are legal.

Its id is the SHA-256 of its DER. In DEFAULT mode the owner proved that it has the CA's key, and no other account has
the CA in that mode; in SNI_ONLY mode nothing is proved, and devices name the account by the server name.
With a `Provisioning` (registrationConfig) its devices are provisioned by a template when they first connect.
Spec: AWS IoT RegisterCACertificate, UpdateCACertificate; 10 CA certificates of one subject in an account.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from hedgerow.core import pki
from hedgerow.services.iot.ca_certificates.errors import CaValidation, RegistrationCodeValidation

SAME_SUBJECT: Final = 10


class CaStatus(Enum):
    """Whether certificates of the CA may be registered. Those that are registered do not depend on it."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class CaMode(Enum):
    """Whether the account proved that it has the CA's key."""

    DEFAULT = "DEFAULT"
    SNI_ONLY = "SNI_ONLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioning:
    """By which template: one of the account's by its name, or a body with the role whose rights are used."""

    template: str | None
    body: str | None
    role_arn: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaCertificate:
    """One CA certificate of an account."""

    id: str
    pem: str
    subject: str  # `pki.name_key` of the subject
    status: CaStatus
    mode: CaMode
    auto_registration: bool
    generation: str
    version: int
    not_before: float
    not_after: float
    created_at: float
    updated_at: float
    provisioning: Provisioning | None = None

    @property
    def active(self) -> bool:
        """Whether certificates of it may be registered."""
        return self.status is CaStatus.ACTIVE

    @property
    def sni_only(self) -> bool:
        """Whether the account did not prove that it has the CA's key."""
        return self.mode is CaMode.SNI_ONLY

    def changed(
        self, *, status: CaStatus, auto_registration: bool, provisioning: Provisioning | None, now: float
    ) -> "CaCertificate":
        """Answer it with another status and another answer to unknown certificates."""
        return replace(
            self,
            status=status,
            auto_registration=auto_registration,
            provisioning=provisioning,
            version=self.version + 1,
            updated_at=now,
        )

    def objection_to(self, certificate: x509.Certificate, *, now: float) -> str | None:
        """Say why this certificate, which the CA signed, is not to be registered now; None when it is."""
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now > end.timestamp():
            return f"the device's certificate expired {end:%Y-%m-%dT%H:%M:%SZ}"
        if now < begin.timestamp():
            return f"the device's certificate begins {begin:%Y-%m-%dT%H:%M:%SZ}"
        if not self.active:
            return f"its CA certificate {self.id} is INACTIVE"
        if now > self.not_after:
            return f"its CA certificate {self.id} has expired"
        if not self.auto_registration:
            return f"its CA certificate {self.id} does not allow auto registration"
        return None

    def signed(self, certificate: x509.Certificate) -> bool:
        """Tell whether the CA itself signed the certificate."""
        return pki.is_signed_by(certificate, pki.read_certificate(self.pem))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedCa:
    """What the registry reads in a CA certificate."""

    certificate: x509.Certificate
    id: str
    pem: str
    subject: str
    not_before: float
    not_after: float


def parsed_ca(pem: str, *, now: float) -> ParsedCa:
    """Read the one CA certificate in the text; raises CaValidation when it is none, weak, or not valid now."""
    try:
        certificate = pki.read_certificate(pem)
        pki.checked_signature(certificate)
        pki.usable_key(certificate.public_key())
        said = pki.describe(certificate)
    except (pki.BadCertificate, pki.BadKey) as error:
        raise CaValidation(f"The CA certificate cannot be used: {error}") from error
    if not said.is_ca:
        raise CaValidation("The CA certificate cannot be used: its basic constraints do not say CA:TRUE")
    if not list(certificate.subject):
        raise CaValidation("The CA certificate cannot be used: it has no subject")
    if not _may_sign(certificate):
        raise CaValidation("The CA certificate cannot be used: its key usage does not allow signing certificates")
    if now > said.not_after:
        raise CaValidation("The CA certificate cannot be used: it has expired")
    if now < said.not_before:
        raise CaValidation("The CA certificate cannot be used: it is not valid yet")
    return ParsedCa(
        certificate=certificate,
        id=said.id,
        pem=pki.pem_of(certificate),
        subject=pki.name_key(certificate.subject),
        not_before=said.not_before,
        not_after=said.not_after,
    )


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def verify(ca: ParsedCa, verification_pem: str, code: str | None) -> None:
    """Check that the verification certificate is signed by the CA and bears the registration code as common name.

    Raises CaValidation or RegistrationCodeValidation.
    """
    try:
        certificate = pki.read_certificate(verification_pem)
        pki.checked_signature(certificate)
    except pki.BadCertificate as error:
        raise CaValidation(f"The verification certificate cannot be used: {error}") from error
    names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if code is None or names != [code]:
        raise RegistrationCodeValidation(
            "The common name of the verification certificate is not what GetRegistrationCode answers"
        )
    if not pki.is_signed_by(certificate, ca.certificate):
        raise CaValidation("The verification certificate is not signed by the CA certificate")
