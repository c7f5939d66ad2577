"""JSON web tokens of identity providers, read and checked. Pure: text and keys in, claims or a refusal out."""

from hedgerow.core.jwt.claims import Claims, Early, Expired, check_times, read_claims
from hedgerow.core.jwt.keys import Key, UnusableKeys, read_keys
from hedgerow.core.jwt.token import BadSignature, InvalidToken, Token, UnknownKey, read_token, verify

__all__ = [
    "BadSignature",
    "Claims",
    "Early",
    "Expired",
    "InvalidToken",
    "Key",
    "Token",
    "UnknownKey",
    "UnusableKeys",
    "check_times",
    "read_claims",
    "read_keys",
    "read_token",
    "verify",
]
