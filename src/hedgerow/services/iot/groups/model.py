"""A thing group: a static one is a node of a tree that does not change its shape, a dynamic one has a query.

Spec: parent and name stand from creation on; a tree is 7 groups deep, a group has 100 children at most; a thing is in
10 groups at most and never in two of one tree. A dynamic group stands by itself; where there is room for one only, the
older one gets the thing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from hedgerow.services.iot.errors import InvalidRequest, VersionConflict

NAME: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_ATTRIBUTE: Final = re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}")
_VALUE: Final = re.compile(r"[a-zA-Z0-9_.,@/:#=\[\]-]{0,800}")

DEPTH: Final = 7
CHILDREN: Final = 100
GROUPS_OF_A_THING: Final = 10
ATTRIBUTES: Final = 50
DYNAMIC_GROUPS: Final = 100
INDEX: Final = "AWS_Things"
QUERY_VERSION: Final = "2017-09-30"


class Status(Enum):
    """How far the membership of a dynamic group is decided."""

    ACTIVE = "ACTIVE"
    BUILDING = "BUILDING"
    REBUILDING = "REBUILDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingGroup:
    """One thing group. `line` names the groups from the root down to its parent; a dynamic one has `query`."""

    name: str
    id: str
    line: tuple[str, ...]
    description: str | None
    attributes: Mapping[str, str]
    version: int
    created_at: float
    query: str | None = None
    status: Status | None = None

    @property
    def dynamic(self) -> bool:
        """Whether a query says who is in it."""
        return self.query is not None

    @property
    def parent(self) -> str | None:
        """The group above, None for a root."""
        return self.line[-1] if self.line else None

    @property
    def root(self) -> str:
        """The top of the tree that it belongs to."""
        return self.line[0] if self.line else self.name

    def line_below(self) -> tuple[str, ...]:
        """Answer the line of a child; raise InvalidRequest when there can be none here."""
        if self.dynamic:
            raise InvalidRequest(f"Thing group {self.name} is dynamic: it has no groups below it")
        if len(self.line) + 2 > DEPTH:
            raise InvalidRequest(f"A hierarchy of thing groups may be {DEPTH} groups deep at most")
        return (*self.line, self.name)

    def expect(self, version: int | None) -> None:
        """Raise VersionConflict unless this is the version that the caller expects (None: any)."""
        if version is not None and version != self.version:
            raise VersionConflict(f"thing group {self.name}", expected=version, version=self.version)

    def changed(self, *, description: str | None, attributes: Mapping[str, str] | None, merge: bool) -> "ThingGroup":
        """Answer the next version; what is None stays as it was."""
        new = dict(self.attributes) if attributes is None or merge else {}
        new.update(attributes or {})
        return replace(
            self,
            description=self.description if description is None else description,
            attributes=checked_attributes(new),
            version=self.version + 1,
        )


def checked_name(name: str) -> str:
    """Answer the name; raise InvalidRequest when it is none."""
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(f"thingGroupName {name!r} must be 1 to 128 characters of a-z A-Z 0-9 : _ -")
    return name


def checked_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Answer the attributes that stay (empty values go); raise InvalidRequest for what may not be stored."""
    kept = {name: value for name, value in attributes.items() if value}
    if len(kept) > ATTRIBUTES:
        raise InvalidRequest(f"A thing group may have {ATTRIBUTES} attributes at most, not {len(kept)}")
    for name, value in kept.items():
        if _ATTRIBUTE.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise InvalidRequest(f"Attribute {name!r} of a thing group has a name or value with other characters")
    return kept
