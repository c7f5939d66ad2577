"""A sign-in: a token that makes its bearer the one who asked for it, once, for ten minutes. Only its hash is kept."""

import hashlib
from dataclasses import dataclass
from typing import Final

LASTS_S: Final = 600.0
SESSION_S: Final = 43200.0
TOKEN_DIGITS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One sign-in that was not used yet."""

    account: str
    digest: str
    principal: str
    kind: str
    access_key_id: str
    expires_at: float


def digest_of(token: str) -> str:
    """Answer what is kept of a token. The token is random and long, so a plain hash is enough."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()
