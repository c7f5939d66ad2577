"""One attempt of a device to get its identity: by which way, from where, and how it ended. Nothing secret is in it.

A token, a key, a signing request or a parameter is never part of it, only the name that the device asked for.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

KEPT_S: Final = 90 * 86400.0
MOST: Final = 10_000  # of an account, that went well, and as many that did not; a new one takes the oldest's place
LONGEST_REASON: Final = 500
LONGEST_NAME: Final = 128


class Way(Enum):
    """How the device came."""

    CLAIM = "CLAIM"
    TRUSTED_USER = "TRUSTED_USER"
    JITP = "JITP"
    JITR = "JITR"
    OPERATOR = "OPERATOR"
    BULK = "BULK"
    VENDING = "VENDING"


class Outcome(Enum):
    """How the attempt ended."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt."""

    at: float
    way: Way
    outcome: Outcome
    reason: str | None = None
    device: str | None = None  # the thing, or the name that was asked for
    certificate_id: str | None = None  # of the device
    template: str | None = None
    principal: str | None = None  # who asked: a claim, an operator, AWS IoT itself
    client_id: str | None = None
    address: str | None = None

    def told(self) -> dict[str, Any]:
        """Answer it as ListOnboardingAttempts and events tell it."""
        written = {
            "at": self.at,
            "way": self.way.value,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "device": self.device,
            "certificateId": self.certificate_id,
            "templateName": self.template,
            "principal": self.principal,
            "clientId": self.client_id,
            "address": self.address,
        }
        return {name: value for name, value in written.items() if value is not None}


def shortened(text: str | None, most: int) -> str | None:
    """Answer a text that fits, printable."""
    if text is None:
        return None
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
