"""The claims of an identity token that Hedgerow looks at. Spec: OpenID Connect Core 1.0, section 2."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.core.jwt.encoding import InvalidToken

SKEW_S: Final = 60.0  # by which the provider's clock may be ahead
LONGEST_SUBJECT: Final = 255


class Expired(InvalidToken):
    """The token was good, until its end."""


class Early(InvalidToken):
    """The token is not good yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Who vouches for whom, to whom, and when."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]
    party: str | None  # `azp`: the client that asked for the token
    methods: tuple[str, ...]  # `amr`
    issued_at: float
    expires_at: float
    not_before: float | None

    def audience(self, clients: frozenset[str]) -> str | None:
        """Answer the client that the token is for, None when it is for none of these.

        A party that is named is the one that counts [OpenID Connect Core 3.1.3.7]; else the first of the audiences.
        """
        if self.party is not None:
            return self.party if self.party in clients else None
        return next((audience for audience in self.audiences if audience in clients), None)


def read_claims(claims: Mapping[str, Any]) -> Claims:
    """Read the claims; raise InvalidToken when one is missing or is not what it has to be."""
    issuer, subject = _text(claims, "iss"), _text(claims, "sub")
    if len(subject) > LONGEST_SUBJECT:
        raise InvalidToken(f"sub is longer than {LONGEST_SUBJECT} characters")
    return Claims(
        issuer=issuer,
        subject=subject,
        audiences=_texts(claims, "aud", required=True),
        party=_text(claims, "azp") if "azp" in claims else None,
        methods=_texts(claims, "amr"),
        issued_at=_moment(claims, "iat"),
        expires_at=_moment(claims, "exp"),
        not_before=_moment(claims, "nbf") if "nbf" in claims else None,
    )


def check_times(claims: Claims, now: float) -> None:
    """Raise Expired or Early unless the token is good now. The end is exact, the beginning may be some seconds off."""
    if now >= claims.expires_at:
        raise Expired(
            f"Token expired: current date/time {int(now)} must be before the expiration date/time "
            f"{int(claims.expires_at)}"
        )
    begins = max(claims.issued_at, claims.not_before or 0.0)
    if begins > now + SKEW_S:
        raise Early(f"the token is not good before {int(begins)}, and it is {int(now)}")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidToken(f"Missing a required claim: {name}" if value is None else f"{name} must be text")
    return value


def _texts(claims: Mapping[str, Any], name: str, *, required: bool = False) -> tuple[str, ...]:
    value = claims.get(name)
    if value is None and not required:
        return ()
    values = [value] if isinstance(value, str) else value
    if value is None or value == []:
        raise InvalidToken(f"Missing a required claim: {name}")
    if not isinstance(values, list) or not all(isinstance(each, str) and each for each in values):
        raise InvalidToken(f"{name} must be text or a list of texts")
    return tuple(values)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if value is None:
        raise InvalidToken(f"Missing a required claim: {name}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"{name} must be a number of seconds")
    try:
        seconds = float(value)
    except OverflowError:
        raise InvalidToken(f"{name} is no moment") from None
    if not math.isfinite(seconds) or not 0 <= seconds < 1e11:
        raise InvalidToken(f"{name} is no moment")
    return seconds
