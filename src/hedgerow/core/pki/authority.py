"""The two hierarchies of certificates, which never meet: one for servers, one for devices.

The server authority's root is the only thing that a device trusts; it signs nothing but server certificates. The device
authority signs client certificates and is known to our listeners only. A certificate that a device asked for, with
whatever name in it, can therefore never pass for a server.
"""

import datetime
import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hedgerow.base.errors import HedgerowError
from hedgerow.core.pki.keys import KeyKind, new_key, private_pem, read_private_key
from hedgerow.core.pki.reading import BadKey, PrivateKey, PublicKey, moment, pem_of, read_certificate, usable_key
from hedgerow.core.policy.patterns import matches, tokens

AWS_ISSUER: Final = "Amazon Web Services O=Amazon.com Inc. L=Seattle ST=Washington C=US"
"""What AWS writes, as one organizational unit, into the issuer of its device certificates."""

DEVICE_SUBJECT: Final = "AWS IoT Certificate"
ROOTS_END: Final = datetime.datetime(2099, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
LEAVES_END: Final = datetime.datetime(2049, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
BACKDATED_S: Final = 120.0
_LONGEST_CSR: Final = 4096
_REQUEST: Final = re.compile(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----")
_GOOD_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})


class BadRequest(HedgerowError):
    """A certificate signing request that is not signed; the message says why."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate and its key. The key never appears in a repr or a log."""

    certificate: x509.Certificate
    key: PrivateKey

    @property
    def pem(self) -> str:
        """The certificate."""
        return pem_of(self.certificate)

    @property
    def key_pem(self) -> str:
        """The private key, to be sealed or written with mode 600."""
        return private_pem(self.key)

    def __repr__(self) -> str:
        return f"<Authority {self.certificate.subject.rfc4514_string()}>"


def read_authority(pem: str | bytes, key_pem: str | bytes) -> Authority:
    """Read a CA as it was written; raise BadCertificate or BadKey when the parts are broken or do not fit."""
    certificate, key = read_certificate(pem), read_private_key(key_pem)
    if certificate.public_key() != key.public_key():
        raise BadKey("the private key does not belong to the CA certificate")
    return Authority(certificate, key)


def new_server_authority(now: float, *, name: str = "Hedgerow server CA", kind: KeyKind = "p256") -> Authority:
    """Make the root that server certificates are signed with: what devices have as their CA file."""
    return _root(now, _common_name(name), kind)


def new_device_authority(now: float, *, issuer: str = AWS_ISSUER, kind: KeyKind = "rsa2048") -> Authority:
    """Make the root that client certificates are signed with. `issuer` is its one organizational unit."""
    return _root(now, x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, issuer)]), kind)


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _root(now: float, name: x509.Name, kind: KeyKind) -> Authority:
    key = new_key(kind)
    public = key.public_key()
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = _builder(name, name, public, now, ROOTS_END)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue_server(
    authority: Authority, key: PublicKey, names: Sequence[str], now: float, *, until: float | None = None
) -> str:
    """Issue a server certificate for host names (`*.` allowed) and IP addresses; answer its PEM."""
    alternatives = [_general_name(name) for name in names]
    if not alternatives:
        raise BadRequest("a server certificate needs at least one name")
    subject = _common_name(names[0]) if len(names[0]) <= 64 else x509.Name([])
    usage = _usage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPublicKey))
    builder = _leaf(authority, subject, key, now, until)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not list(subject))
    return pem_of(builder.sign(authority.key, hashes.SHA256()))


def issue_device(
    authority: Authority,
    key: PublicKey,
    now: float,
    *,
    subject: x509.Name | None = None,
    common_name: str = "",
    end: float | None = None,
) -> str:
    """Issue a client certificate for a key; answer its PEM. Without a subject it gets AWS's, without an end AWS's."""
    builder = _leaf(authority, subject or _common_name(common_name or DEVICE_SUBJECT), key, now, end)
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    return pem_of(builder.sign(authority.key, hashes.SHA256()))


def issue_from_csr(authority: Authority, csr: str | bytes, now: float, *, host_names: Iterable[str]) -> str:
    """Issue a client certificate with the request's key and subject; its extensions are dropped.

    Raises BadRequest when the request cannot be read, is not signed by its own key, has a key that is too weak, or has
    a common name that could stand for one of `host_names` (the names of this cloud's servers).
    """
    request = read_csr(csr)
    for attribute in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        taken = stands_for(str(attribute.value), host_names)
        if taken is not None:
            raise BadRequest(f"the common name {attribute.value!r} stands for the server name {taken}")
    return issue_device(authority, usable_key(request.public_key()), now, subject=request.subject)


def make_csr(key: PrivateKey, common_name: str) -> str:
    """Answer a PEM signing request for the key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def read_csr(csr: str | bytes) -> x509.CertificateSigningRequest:
    """Read a PEM certificate signing request; raise BadRequest unless its form, key and signature are right."""
    data = csr.encode("utf-8", "replace") if isinstance(csr, str) else csr
    if len(data) > _LONGEST_CSR:
        raise BadRequest(f"a certificate signing request has at most {_LONGEST_CSR} characters")
    blocks = len(_REQUEST.findall(data))
    if blocks > 1:
        raise BadRequest("there is more than one certificate signing request")
    if blocks == 0:
        raise BadRequest(
            "the certificate signing request cannot be read: expected a PEM block that begins with "
            "-----BEGIN CERTIFICATE REQUEST-----"
        )
    try:
        request = x509.load_pem_x509_csr(data)
        names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        signed = request.is_signature_valid
        usable_key(request.public_key())
        used = request.signature_hash_algorithm
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise BadRequest(f"the certificate signing request cannot be read: {error}") from error
    except BadKey as error:
        raise BadRequest(str(error)) from error
    if used is None or used.name not in _GOOD_HASHES:
        name = "no hash" if used is None else used.name
        raise BadRequest(f"the certificate signing request is signed with {name}: SHA-256, SHA-384 or SHA-512 are safe")
    if not signed:
        raise BadRequest("the certificate signing request is not signed by its own key")
    if any(not _printable(str(name.value)) for name in names):
        raise BadRequest("a common name must be printable text")
    return request


def stands_for(common_name: str, host_names: Iterable[str]) -> str | None:
    """Answer the host name that a common name equals or covers (by a wildcard on either side), or None."""
    asked = _plain_name(common_name)
    for host in host_names:
        own = _plain_name(host)
        if asked == own or _covers(asked, own) or _covers(own, asked):
            return host
    return None


def _covers(pattern: str, name: str) -> bool:
    return "*" in pattern and matches(tokens(pattern.replace("?", ""), variables=False), name)


def _plain_name(name: str) -> str:
    """Answer one form for all spellings of a host name or address."""
    text = unicodedata.normalize("NFKC", name).casefold().strip().rstrip(".").strip("[]")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        mapped = getattr(address, "ipv4_mapped", None)
        return str(mapped or address)
    try:
        return text.encode("idna").decode("ascii") if not text.isascii() else text
    except UnicodeError:
        return text


def _printable(text: str) -> bool:
    return bool(text) and text.isprintable()


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    try:
        return x509.DNSName(name if name.isascii() else name.encode("idna").decode("ascii"))
    except (UnicodeError, ValueError) as error:
        raise BadRequest(f"{name!r} is neither a host name nor an IP address") from error


def _leaf(
    authority: Authority, subject: x509.Name, key: PublicKey, now: float, end: float | None = None
) -> x509.CertificateBuilder:
    last = LEAVES_END if end is None else moment(end)
    builder = _builder(subject, authority.certificate.subject, key, now, last)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(issuer, critical=False)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: float, end: datetime.datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=moment(now - BACKDATED_S),
        not_valid_after=end,
    )


def _usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
