"""A signed token: its three parts, and whether one of the provider's keys has signed it.

The token says which algorithm, never which key material: `jwk`, `jku`, `x5c` … in the header count for nothing, and an
algorithm that is not in the list (`none`, the symmetric ones) is no signature. Spec: RFC 7515, RFC 7518 section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from hedgerow.core.jwt.encoding import InvalidToken, from_base64url, read_object
from hedgerow.core.jwt.keys import Key

LONGEST: Final = 20_000  # characters, as STS takes them
MOST_TRIED: Final = 16  # keys, for a token that names none
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final = {"ES256": ("secp256r1", 32), "ES384": ("secp384r1", 48), "ES512": ("secp521r1", 66)}

__all__ = ["BadSignature", "InvalidToken", "Token", "UnknownKey", "read_token", "verify"]


class BadSignature(InvalidToken):
    """None of the keys has signed this."""


class UnknownKey(BadSignature):
    """The token names a key that is not among these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token that was taken apart. Nothing in it is believed yet."""

    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def read_token(text: str) -> Token:
    """Take a token apart; raise InvalidToken when it is none, or is signed in a way that proves nothing."""
    if len(text) > LONGEST or not text.isascii():
        raise InvalidToken("the token is too long, or not ASCII")
    parts = text.split(".")
    if len(parts) != 3:
        raise InvalidToken("a signed token has three parts")
    header, claims, signature = (from_base64url(part) for part in parts)
    head = read_object(header)
    algorithm, key_id = head.get("alg"), head.get("kid")
    if not isinstance(algorithm, str) or algorithm not in _VERIFIERS:
        raise InvalidToken("the signature's algorithm is none that proves anything here")
    if "crit" in head or (key_id is not None and not isinstance(key_id, str)):
        raise InvalidToken("the header asks for what is not known here")
    return Token(
        algorithm=algorithm,
        key_id=key_id,
        claims=read_object(claims),
        signed=text.rpartition(".")[0].encode("ascii"),
        signature=signature,
    )


def verify(token: Token, keys: Sequence[Key]) -> None:
    """Raise BadSignature unless one of the keys signed the token; UnknownKey when it names none of them."""
    named = [key for key in keys if token.key_id is None or key.id == token.key_id]
    if not named:
        raise UnknownKey("the provider has no key of the name that the token gives")
    fitting = [key for key in named if key.algorithm in (None, token.algorithm)]
    if not any(_VERIFIERS[token.algorithm](key.public, token) for key in fitting[:MOST_TRIED]):
        raise BadSignature("the signature is not the provider's")


def _rsa(public: object, token: Token) -> bool:
    if not isinstance(public, rsa.RSAPublicKey):
        return False
    digest = _HASHES[token.algorithm[2:]]
    pads: padding.AsymmetricPadding = padding.PKCS1v15()
    if token.algorithm.startswith("PS"):
        pads = padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)
    return _holds(lambda: public.verify(token.signature, token.signed, pads, digest))


def _ec(public: object, token: Token) -> bool:
    curve, size = _CURVES[token.algorithm]
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != curve:
        return False
    if len(token.signature) != 2 * size:
        return False
    r, s = (int.from_bytes(half, "big") for half in (token.signature[:size], token.signature[size:]))
    signature = utils.encode_dss_signature(r, s)
    return _holds(lambda: public.verify(signature, token.signed, ec.ECDSA(_HASHES[token.algorithm[2:]])))


def _holds(check: Callable[[], None]) -> bool:
    try:
        check()
    except (InvalidSignature, ValueError):
        return False
    return True


_VERIFIERS: Final[Mapping[str, Callable[[object, Token], bool]]] = {
    **{f"{family}{size}": _rsa for family in ("RS", "PS") for size in _HASHES},
    **dict.fromkeys(_CURVES, _ec),
}
