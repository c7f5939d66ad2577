"""A thing, its principals, and which changes to them are legal.

Spec: names, limits and rules of the registry; attribute values know no blanks; an empty value takes an attribute away.
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

ATTRIBUTES_WITH_TYPE: Final = 50
ATTRIBUTES_WITHOUT_TYPE: Final = 3
ATTRIBUTES_SIZE: Final = 47 * 1024  # bytes, names and values together


class Attachment(Enum):
    """How a principal belongs to a thing."""

    EXCLUSIVE = "EXCLUSIVE_THING"  # the principal has this thing and never another
    SHARED = "NON_EXCLUSIVE_THING"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingPrincipal:
    """One attachment. `principal` is a certificate id."""

    thing: str
    principal: str
    attachment: Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing of the registry."""

    name: str
    id: str
    type: str | None
    attributes: Mapping[str, str]
    version: int

    def expect(self, version: int | None) -> None:
        """Raise VersionConflict unless this is the version that the caller expects (None: any)."""
        if version is not None and version != self.version:
            raise VersionConflict(f"thing {self.name}", expected=version, version=self.version)

    def changed(
        self, *, attributes: Mapping[str, str] | None = None, merge: bool = False, type_name: str | None, bare: bool
    ) -> "Thing":
        """Answer the next version. `bare` takes the type away, `type_name` gives one; neither leaves it."""
        new = dict(self.attributes) if attributes is None or merge else {}
        new.update(attributes or {})
        kind = None if bare else type_name or self.type
        kept = checked_attributes(new, typed=kind is not None)
        return replace(self, attributes=kept, type=kind, version=self.version + 1)


def checked_name(name: str, what: str = "thingName") -> str:
    """Answer the name; raise InvalidRequest when it is none."""
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(f"{what} {name!r} must be 1 to 128 characters of a-z A-Z 0-9 : _ -")
    return name


def checked_attributes(attributes: Mapping[str, str], *, typed: bool) -> dict[str, str]:
    """Answer the attributes that stay (empty values go); raise InvalidRequest for what may not be stored."""
    kept = {name: value for name, value in attributes.items() if value}
    for name, value in kept.items():
        if _ATTRIBUTE.fullmatch(name) is None:
            raise InvalidRequest(f"Attribute name {name!r} may only hold a-z A-Z 0-9 _ . , @ / : # -, 128 at most")
        if _VALUE.fullmatch(value) is None:
            raise InvalidRequest(
                f"The value of attribute {name} may only hold a-z A-Z 0-9 _ . , @ / : # = [ ] -, 800 at most"
            )
    most = ATTRIBUTES_WITH_TYPE if typed else ATTRIBUTES_WITHOUT_TYPE
    if len(kept) > most:
        without = "" if typed else " without a thing type"
        raise InvalidRequest(f"A thing{without} may have {most} attributes at most, not {len(kept)}")
    if sum(len(name) + len(value) for name, value in kept.items()) > ATTRIBUTES_SIZE:
        raise InvalidRequest(f"The attributes of a thing may be {ATTRIBUTES_SIZE} bytes together at most")
    return kept
