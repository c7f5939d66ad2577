"""A role alias: the name by which devices ask for a role's credentials, so that the role can be changed behind it."""

import re
from dataclasses import dataclass, replace
from typing import Final

from hedgerow.services.iot.errors import InvalidRequest

NAME: Final = re.compile(r"[\w=,@-]{1,128}", re.ASCII)
MOST: Final = 100
DEFAULT_DURATION_S: Final = 3600
SHORTEST_S: Final = 900
LONGEST_S: Final = 43200


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAlias:
    """One role alias."""

    name: str
    role_arn: str
    duration_s: int
    created_at: float
    updated_at: float

    def changed(self, *, role_arn: str | None, duration_s: int | None, now: float) -> "RoleAlias":
        """Answer it with another role or duration; None leaves what is there."""
        duration = self.duration_s if duration_s is None else checked_duration(duration_s)
        return replace(self, role_arn=role_arn or self.role_arn, duration_s=duration, updated_at=now)


def checked_name(name: str) -> str:
    """Answer the name; raise InvalidRequest when it is none."""
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(f"roleAlias {name!r} must be 1 to 128 characters of word characters and = , @ -")
    return name


def checked_duration(seconds: int) -> int:
    """Answer the duration; raise InvalidRequest when it is out of bounds."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise InvalidRequest(f"credentialDurationSeconds must be from {SHORTEST_S} to {LONGEST_S}, not {seconds}")
    return seconds
