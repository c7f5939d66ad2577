"""Key pairs: made, written and read. Making one takes tens of milliseconds: not inside a transaction or on a loop."""

from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hedgerow.core.pki.reading import BadKey, PrivateKey, PublicKey

KeyKind = Literal["rsa2048", "p256"]


def new_key(kind: KeyKind) -> PrivateKey:
    """Make a key pair."""
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: PrivateKey) -> str:
    """Answer the private key as PEM without a password: `BEGIN RSA PRIVATE KEY` or `BEGIN EC PRIVATE KEY`."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode("ascii")


def public_pem(key: PrivateKey | PublicKey) -> str:
    """Answer the public key as PEM: `BEGIN PUBLIC KEY`."""
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(
        "ascii"
    )


def read_private_key(pem: str | bytes) -> PrivateKey:
    """Read a private key without a password; raise BadKey when it is none. The key is never part of the message."""
    data = pem.encode("utf-8", "replace") if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("this is no PEM private key without a password") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise BadKey("a private key must be RSA or EC")
    return key
