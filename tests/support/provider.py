"""An identity provider's keys and tokens, for tests."""

import functools
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from hedgerow.core.jwt.encoding import to_base64url

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


@functools.cache
def rsa_key(number: int = 1) -> rsa.RSAPrivateKey:
    """Answer a key; the same number gives the same key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def ec_key(curve: str = "P-256") -> ec.EllipticCurvePrivateKey:
    """Answer a key on the curve."""
    curves: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    return ec.generate_private_key(curves[curve])


def jwk(key: Private, key_id: str | None = "one", **more: Any) -> dict[str, Any]:
    """Answer the public half as key sets show it."""
    numbers = key.public_key().public_numbers()
    named = {} if key_id is None else {"kid": key_id}
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **named, **more}
    curve = {"secp256r1": ("P-256", 32), "secp384r1": ("P-384", 48), "secp521r1": ("P-521", 66)}
    name, size = curve[numbers.curve.name]
    return {"kty": "EC", "crv": name, "x": _number(numbers.x, size), "y": _number(numbers.y, size), **named, **more}


def key_set(*keys: Mapping[str, Any]) -> bytes:
    """Answer a JWKS."""
    return json.dumps({"keys": list(keys)}).encode()


def signed(claims: Mapping[str, Any], key: Private | None = None, algorithm: str = "RS256", **header: Any) -> str:
    """Answer a token with this header (`kid` is `one` unless given; None leaves it out)."""
    head = {"alg": algorithm, "typ": "JWT", "kid": "one", **header}
    head = {name: value for name, value in head.items() if value is not None}
    parts = ".".join(to_base64url(json.dumps(part).encode()) for part in (head, claims))
    return f"{parts}.{to_base64url(signature(parts.encode(), key or rsa_key(), algorithm))}"


def signature(data: bytes, key: Private, algorithm: str) -> bytes:
    """Sign as the algorithm says."""
    digest = HASHES[algorithm[2:]]
    if isinstance(key, rsa.RSAPrivateKey):
        pads: padding.AsymmetricPadding = padding.PKCS1v15()
        if algorithm.startswith("PS"):
            pads = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
        return key.sign(data, pads, digest)
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _number(value: int, size: int = 0) -> str:
    return to_base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
