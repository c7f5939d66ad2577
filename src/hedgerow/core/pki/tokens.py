"""Tokens that an authorizer's clients show: who signed them. RSA PKCS #1 v1.5 with SHA-256."""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hedgerow.core.pki.reading import BadKey, usable_key


def token_key(pem: str) -> rsa.RSAPublicKey:
    """Read the public key in a PEM text; raise BadKey unless it is RSA and strong enough."""
    try:
        key = serialization.load_pem_public_key(pem.encode("utf-8", "replace"))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey("this is no PEM public key") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKey("a token's key must be RSA")
    usable_key(key)
    return key


def signed_token(key_pem: str, token: bytes, signature: bytes) -> bool:
    """Tell whether the key (see `token_key`) signed the token."""
    try:
        token_key(key_pem).verify(signature, token, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
