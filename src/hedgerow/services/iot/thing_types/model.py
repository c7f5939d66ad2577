"""A thing type, and when it may go.

Spec: a type is deprecated first, and nothing new may take it then; five minutes later it may be deleted, once nothing
has it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hedgerow.services.iot.errors import InvalidRequest

NAME: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_ATTRIBUTE: Final = re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}")
SEARCHABLE_ATTRIBUTES: Final = 3
DELETE_AFTER_DEPRECATION_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingType:
    """A named set of attributes that things have in common."""

    name: str
    id: str
    description: str | None
    searchable: tuple[str, ...]
    created_at: float
    deprecated_at: float | None = None

    def may_be_deleted(self, now: float) -> bool:
        """Tell whether it has been deprecated for long enough."""
        return self.deprecated_at is not None and now - self.deprecated_at >= DELETE_AFTER_DEPRECATION_S


def checked_name(name: str) -> str:
    """Answer the name; raise InvalidRequest when it is none."""
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(f"thingTypeName {name!r} must be 1 to 128 characters of a-z A-Z 0-9 : _ -")
    return name


def checked_searchable(names: Sequence[str]) -> tuple[str, ...]:
    """Answer the names of the attributes that can be searched; raise InvalidRequest when there are too many."""
    if len(names) > SEARCHABLE_ATTRIBUTES:
        raise InvalidRequest(f"A thing type may have {SEARCHABLE_ATTRIBUTES} searchable attributes at most")
    for name in names:
        if _ATTRIBUTE.fullmatch(name) is None:
            raise InvalidRequest(f"searchableAttributes: {name!r} is no attribute name")
    return tuple(names)
