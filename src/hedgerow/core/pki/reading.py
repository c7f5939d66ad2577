"""Certificates and keys, read and described. PEM goes in with clear errors; nothing here decides about trust."""

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hedgerow.base.errors import HedgerowError

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

CURVES: Final[Mapping[str, str]] = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
SMALLEST_RSA: Final = 2048
LARGEST_RSA: Final = 8192
_LARGEST_PEM: Final = 65536


class BadCertificate(HedgerowError):
    """What was given is no certificate, or none that can be used; the message says why."""


class BadKey(HedgerowError):
    """A key that cannot be read, or that is too weak; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a certificate says."""

    id: str  # SHA-256 of the DER, lower case hex
    subject: str
    issuer: str
    common_names: tuple[str, ...]
    serial: int
    not_before: float
    not_after: float
    key: str  # "RSA 2048", "EC P-256"
    is_ca: bool
    dns_names: tuple[str, ...]


def read_certificate(pem: str | bytes) -> x509.Certificate:
    """Read the one certificate in a PEM text; raise BadCertificate when there is none, or more than one."""
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    if len(data) > _LARGEST_PEM:
        raise BadCertificate("the certificate is longer than 64 KiB")
    if data.count(b"-----BEGIN CERTIFICATE-----") != 1:
        raise BadCertificate("expected exactly one PEM block that begins with -----BEGIN CERTIFICATE-----")
    try:
        return _checked(x509.load_pem_x509_certificate(data))
    except (ValueError, x509.InvalidVersion) as error:
        raise BadCertificate(f"the certificate cannot be read: {error}") from error


def read_der(der: bytes) -> x509.Certificate:
    """Read a DER certificate; raise BadCertificate when it is none."""
    try:
        return _checked(x509.load_der_x509_certificate(der))
    except (ValueError, x509.InvalidVersion) as error:
        raise BadCertificate(f"the certificate cannot be read: {error}") from error


def _checked(certificate: x509.Certificate) -> x509.Certificate:
    """Touch what cryptography reads late, so that a broken certificate fails here and not somewhere else."""
    try:
        _ = (certificate.subject, certificate.issuer, certificate.extensions, certificate.not_valid_after_utc)
        _ = certificate.public_key()
        policy_variables(certificate)
    except (
        TypeError,
        ValueError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise BadCertificate(f"the certificate cannot be read: {error}") from error
    return certificate


def pem_of(certificate: x509.Certificate) -> str:
    """Answer the PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")


def der_of(certificate: x509.Certificate) -> bytes:
    """Answer the DER bytes."""
    return certificate.public_bytes(serialization.Encoding.DER)


def certificate_id(certificate: x509.Certificate | str | bytes) -> str:
    """Answer the certificate id: the SHA-256 of the DER, lower case hex. Bytes may be DER or PEM."""
    if isinstance(certificate, x509.Certificate):
        return hashlib.sha256(der_of(certificate)).hexdigest()
    if isinstance(certificate, str) or certificate.lstrip().startswith(b"-----"):
        return hashlib.sha256(der_of(read_certificate(certificate))).hexdigest()
    return hashlib.sha256(certificate).hexdigest()


def describe(certificate: x509.Certificate | str | bytes) -> Description:
    """Describe a certificate, given as such, as PEM text or as DER bytes; raise BadCertificate when it is none."""
    found = _read(certificate)
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Description(
        id=hashlib.sha256(der_of(found)).hexdigest(),
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        common_names=tuple(str(name.value) for name in names),
        serial=found.serial_number,
        not_before=found.not_valid_before_utc.timestamp(),
        not_after=found.not_valid_after_utc.timestamp(),
        key=key_kind(found.public_key()),
        is_ca=is_ca(found),
        dns_names=_dns_names(found),
    )


def _read(certificate: x509.Certificate | str | bytes) -> x509.Certificate:
    if isinstance(certificate, x509.Certificate):
        return certificate
    if isinstance(certificate, str) or certificate.lstrip().startswith(b"-----"):
        return read_certificate(certificate)
    return read_der(certificate)


def is_ca(certificate: x509.Certificate) -> bool:
    """Tell whether basicConstraints says CA:true."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Tell whether the authority's key signed the certificate and the names fit. Dates are not looked at."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def key_kind(key: object) -> str:
    """Answer `RSA 2048`, `EC P-256` …; for other kinds the name of the algorithm."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return f"EC {CURVES.get(key.curve.name, key.curve.name)}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def usable_key(key: object) -> PublicKey:
    """Answer the key when devices may have such a one; raise BadKey otherwise."""
    if isinstance(key, rsa.RSAPublicKey):
        if not SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
            raise BadKey(f"an RSA key must have {SMALLEST_RSA} to {LARGEST_RSA} bits, this one has {key.key_size}")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if key.curve.name not in CURVES:
            raise BadKey(f"an EC key must be on P-256, P-384 or P-521, this one is on {key.curve.name}")
        return key
    raise BadKey(f"a key must be RSA or EC, this one is {key_kind(key)}")


_ATTRIBUTES: Final = {
    NameOID.DN_QUALIFIER: "DistinguishedNameQualifier",
    NameOID.COUNTRY_NAME: "Country",
    NameOID.ORGANIZATION_NAME: "Organization",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OrganizationalUnit",
    NameOID.STATE_OR_PROVINCE_NAME: "State",
    NameOID.COMMON_NAME: "CommonName",
    NameOID.SERIAL_NUMBER: "SerialNumber",
    NameOID.TITLE: "Title",
    NameOID.SURNAME: "Surname",
    NameOID.GIVEN_NAME: "GivenName",
    NameOID.INITIALS: "Initials",
    NameOID.PSEUDONYM: "Pseudonym",
    NameOID.GENERATION_QUALIFIER: "GenerationQualifier",
}
_ALTERNATIVES: Final[Mapping[type[x509.GeneralName], str]] = {
    x509.RFC822Name: "RFC822Name",
    x509.DNSName: "DNSName",
    x509.DirectoryName: "DirectoryName",
    x509.UniformResourceIdentifier: "UniformResourceIdentifier",
    x509.IPAddress: "IPAddress",
}
_USABLE_VALUES: Final = 5  # of an attribute that occurs more often


def policy_variables(certificate: x509.Certificate) -> dict[str, str]:
    """Answer the policy variables of a certificate: `iot:Certificate.Subject.CommonName` and so on.

    A second value of an attribute is `….CommonName.1`. The serial number is decimal.
    """
    found = {"iot:Certificate.SerialNumber": str(certificate.serial_number)}
    for attribute in certificate.subject:
        _add(found, "iot:Certificate.Subject.", _ATTRIBUTES.get(attribute.oid), attribute.value)
    for attribute in certificate.issuer:
        _add(found, "iot:Certificate.Issuer.", _ATTRIBUTES.get(attribute.oid), attribute.value)
    for extension in certificate.extensions:
        names = extension.value
        if isinstance(names, x509.SubjectAlternativeName):
            _add_alternatives(found, "iot:Certificate.Subject.AlternativeName.", names)
        elif isinstance(names, x509.IssuerAlternativeName):
            _add_alternatives(found, "iot:Certificate.Issuer.AlternativeName.", names)
    return found


def policy_variables_of(pem: str) -> dict[str, str]:
    """Answer the same for a PEM text that `read_certificate` has found right before, as every registered one."""
    return policy_variables(x509.load_pem_x509_certificate(pem.encode("ascii")))


def _add(found: dict[str, str], start: str, word: str | None, value: str | bytes) -> None:
    """Put in a value under the first of the names that is free; what has too many values loses the last."""
    if word is None:
        return
    name = start + word
    if name not in found:
        found[name] = str(value)
        return
    for index in range(1, _USABLE_VALUES):
        if f"{name}.{index}" not in found:
            found[f"{name}.{index}"] = str(value)
            return


def _add_alternatives(
    found: dict[str, str], start: str, names: x509.SubjectAlternativeName | x509.IssuerAlternativeName
) -> None:
    for name in names:
        word = _ALTERNATIVES.get(type(name))
        if word is not None:
            value = name.value.rfc4514_string() if isinstance(name, x509.DirectoryName) else name.value
            _add(found, start, word, str(value))


def _dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            return tuple(extension.value.get_values_for_type(x509.DNSName))
    return ()


def moment(seconds: float) -> datetime.datetime:
    """Answer seconds since the epoch as X.509 writes them: UTC, whole seconds."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
