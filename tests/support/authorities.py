"""CAs and certificates of every kind, good and bad, for tests; made by `cryptography`, without files."""

import datetime
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hedgerow.core import pki

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        """The certificate."""
        return pki.pem_of(self.certificate)

    @property
    def id(self) -> str:
        """Its id."""
        return pki.certificate_id(self.certificate)

    @property
    def der(self) -> bytes:
        """The bytes."""
        return pki.der_of(self.certificate)


def signed(
    common_name: str,
    by: Signed | None = None,
    *,
    ca: bool = False,
    key: Any = None,
    digest: Any = None,
    begin: datetime.datetime = BEGIN,
    end: datetime.datetime = END,
    more: tuple[x509.ExtensionType, ...] = (),
) -> Signed:
    """Make a certificate, signed by itself or by another."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder(
        subject_name=name,
        issuer_name=name if by is None else by.certificate.subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=begin,
        not_valid_after=end,
    )
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return Signed(builder.sign(key if by is None else by.key, digest or hashes.SHA256()), key)
