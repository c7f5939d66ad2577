"""Who this edge is: its key, which never leaves the machine, its certificate and its thing name.

Leaves to others: how the certificate is got (`provisioning.py`). The key file is mode 600 and on the medium before its
public half is told to anybody.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hedgerow.base.files import Files
from hedgerow.edge.pkcs11.uri import KeyPlace, place_of
from hedgerow.edge.trouble import Trouble

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from hedgerow.edge.pkcs11.token import TokenKey

    Key = EllipticCurvePrivateKey | RSAPrivateKey | TokenKey

SUBJECT: Final = "Hedgerow edge"  # a constant: the cloud names the thing, and no certificate looks like a host's


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What enrolment gave, as it is remembered."""

    thing_name: str
    certificate: Path
    private_key: KeyPlace
    certificate_id: str = ""

    def as_values(self) -> dict[str, Any]:
        return {each.name: str(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Identity":
        return cls(
            thing_name=values["thing_name"],
            certificate=Path(values["certificate"]),
            private_key=place_of(values["private_key"]),
            certificate_id=values.get("certificate_id", ""),
        )


def key_at(path: Path, files: Files) -> "Key":
    """Answer the key in the file; make it there when there is none. Blocks. Raise Trouble when it cannot be used."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    found = _maybe_key(path)
    if found is not None:
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    data = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.make_folder(path.parent)
    files.write_durably(path, data, mode=0o600)
    return key


def key_in(path: Path) -> "Key":
    """Answer the key in the file. Blocks. Raise Trouble when it cannot be used."""
    found = _maybe_key(path)
    if found is None:
        raise Trouble(f"there is no private key {path}", permanent=True)
    return found


def _maybe_key(path: Path) -> "Key | None":
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Trouble(f"cannot read the private key {path}: {error.strerror}", permanent=True) from error
    return key_of(data, str(path))


def key_of(data: bytes, name: str) -> "Key":
    """Answer the key that the PEM holds; raise Trouble, naming where it is from, when it cannot be used."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        loaded = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Trouble(f"{name} holds no private key that can be used", permanent=True) from error
    if not isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Trouble(f"the key in {name} is neither an elliptic curve nor an RSA key", permanent=True)
    return loaded


def request_for(key: "Key") -> str:
    """Answer the certificate signing request (PEM) for the key. Blocks. Raise Trouble when a token does not sign."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT)])
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        from hedgerow.edge.pkcs11.request import request_with

        return request_with(key, name)
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode("ascii")


def fits(certificate_pem: str, key: "Key") -> bool:
    """Tell whether the certificate is for this key."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        public = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return bool(public == key.public_key())


def expired_on(path: Path, now: float) -> str | None:
    """Answer the day on which the certificate in the file expired, None when it has not or cannot be read. Blocks."""
    from datetime import UTC, datetime

    end = ends_at(path)
    return None if end is None or end >= now else datetime.fromtimestamp(end, UTC).date().isoformat()


def ends_at(path: Path) -> float | None:
    """Answer when the certificate in the file ends, in seconds since 1970; None when it cannot be read. Blocks."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError):
        return None
