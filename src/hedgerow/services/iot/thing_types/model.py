"""A thing type, what it adds to its things' publications, and when it may go.

Spec: a type is deprecated first, and nothing new may take it then; five minutes later it may be deleted, once nothing
has it. "Adding propagating attributes for message enrichment" for what it adds.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hedgerow.services.iot.errors import InvalidRequest

NAME: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")
_ATTRIBUTE: Final = re.compile(r"[a-zA-Z0-9_.,@/:#-]{1,128}")
SEARCHABLE_ATTRIBUTES: Final = 3
PROPAGATING_ATTRIBUTES: Final = 20
CLIENT_ID: Final = "iot:ClientId"
THING_NAME: Final = "iot:Thing.ThingName"
DELETE_AFTER_DEPRECATION_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Propagating:
    """A user property that each publication of a thing's device gets. Exactly one of the two says its value."""

    key: str
    thing_attribute: str | None = None
    connection_attribute: str | None = None

    def shown(self) -> dict[str, str]:
        """Answer it as AWS writes it."""
        value = (
            {"thingAttribute": self.thing_attribute}
            if self.thing_attribute is not None
            else {"connectionAttribute": self.connection_attribute or ""}
        )
        return {"userPropertyKey": self.key, **value}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingType:
    """A named set of attributes that things have in common."""

    name: str
    id: str
    description: str | None
    searchable: tuple[str, ...]
    created_at: float
    deprecated_at: float | None = None
    propagating: tuple[Propagating, ...] = ()

    def enrichment(self, thing: str, attributes: Mapping[str, str], client_id: str) -> tuple[tuple[str, str], ...]:
        """Answer the user properties for a thing's device: those whose value there is, in the type's order."""
        connection = {CLIENT_ID: client_id, THING_NAME: thing}
        found = []
        for each in self.propagating:
            if each.thing_attribute is not None:
                value = attributes.get(each.thing_attribute)
            else:
                value = connection.get(each.connection_attribute or "")
            if value is not None:
                found.append((each.key, value))
        return tuple(found)

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


def checked_propagating(given: Sequence[Mapping[str, str]]) -> tuple[Propagating, ...]:
    """Answer the propagating attributes; raise InvalidRequest for what cannot be one."""
    if len(given) > PROPAGATING_ATTRIBUTES:
        raise InvalidRequest(f"A thing type may have {PROPAGATING_ATTRIBUTES} propagating attributes at most")
    found = []
    for each in given:
        key, attribute = each.get("userPropertyKey", ""), each.get("thingAttribute")
        connection = each.get("connectionAttribute")
        if not key:
            raise InvalidRequest("propagatingAttributes: a userPropertyKey is missing")
        if (attribute is None) == (connection is None):
            raise InvalidRequest(f"propagatingAttributes: {key} has either a thingAttribute or a connectionAttribute")
        if connection is not None and connection not in (CLIENT_ID, THING_NAME):
            raise InvalidRequest(f"propagatingAttributes: {connection} is not one of {CLIENT_ID}, {THING_NAME}")
        found.append(Propagating(key=key, thing_attribute=attribute, connection_attribute=connection))
    return tuple(found)
