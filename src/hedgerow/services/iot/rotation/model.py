"""What a rotation is: an old certificate, the new one, and until when the device must have come back with it."""

import hashlib
from dataclasses import dataclass
from typing import Final

OVERLAP_S: Final = 86_400.0
"""How long both are good. A device that has not come back by then keeps the old one."""
OVER: Final = "iot.rotation-over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """A rotation that is not confirmed yet. `request` tells a repeated call from another one."""

    old: str
    new: str
    request: str
    at: float

    @property
    def ends_at(self) -> float:
        """When it is over, in seconds since 1970."""
        return self.at + OVERLAP_S


def digest_of(signing_request: str) -> str:
    """Answer what stands for a signing request."""
    return hashlib.sha256(signing_request.encode()).hexdigest()
