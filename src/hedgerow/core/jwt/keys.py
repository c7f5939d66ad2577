"""A provider's key set (JWKS): the public keys that can have signed a token.

Symmetric keys, private members and keys that are for something else are passed over: one odd key must not keep the
others from being used. Spec: RFC 7517, RFC 7518 section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hedgerow.core.jwt.encoding import InvalidToken, from_base64url, read_object

MOST_KEYS: Final = 100
SMALLEST_RSA: Final = 2048  # bits
LARGEST_RSA: Final = 8192  # bits; verification costs time
_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}


class UnusableKeys(InvalidToken):
    """The key set cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One public key of a provider."""

    id: str | None
    algorithm: str | None  # the only one that it is for, when it says so
    public: rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def read_keys(data: bytes) -> tuple[Key, ...]:
    """Read a key set; raise UnusableKeys when it is none, has too many keys, or none that can be used."""
    try:
        entries = read_object(data).get("keys")
    except InvalidToken as error:
        raise UnusableKeys(f"the key set is no JSON object: {error}") from error
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise UnusableKeys(f"the key set has no list of at most {MOST_KEYS} keys")
    keys = tuple(key for entry in entries if isinstance(entry, dict) and (key := _key(entry)) is not None)
    if not keys:
        raise UnusableKeys("the key set has no key that can be used")
    return keys


def _key(entry: Mapping[str, Any]) -> Key | None:
    if entry.get("use", "sig") != "sig" or "verify" not in _list(entry.get("key_ops", ["verify"])):
        return None
    try:
        public = {"RSA": _rsa, "EC": _ec}.get(str(entry.get("kty")), _none)(entry)
    except (InvalidToken, ValueError):
        return None
    if public is None:
        return None
    identifier, algorithm = entry.get("kid"), entry.get("alg")
    return Key(
        id=identifier if isinstance(identifier, str) else None,
        algorithm=algorithm if isinstance(algorithm, str) else None,
        public=public,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _none(_: Mapping[str, Any]) -> None:
    return None


def _rsa(entry: Mapping[str, Any]) -> rsa.RSAPublicKey | None:
    modulus, exponent = _number(entry, "n"), _number(entry, "e")
    if not SMALLEST_RSA <= modulus.bit_length() <= LARGEST_RSA or not 3 <= exponent < 2**32:
        return None
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _ec(entry: Mapping[str, Any]) -> ec.EllipticCurvePublicKey | None:
    curve = _CURVES.get(str(entry.get("crv")))
    if curve is None:
        return None
    return ec.EllipticCurvePublicNumbers(_number(entry, "x"), _number(entry, "y"), curve()).public_key()


def _number(entry: Mapping[str, Any], name: str) -> int:
    text = entry.get(name)
    if not isinstance(text, str) or not text:
        raise UnusableKeys(f"{name} is missing")
    return int.from_bytes(from_base64url(text), "big")
