"""The two indexes of a fleet, how each is set up, and the documents in them.

Source: AWS IoT developer guide, "Fleet indexing"; AWS's managed fields.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from hedgerow.core.fleetquery import Field, fields_of

THINGS: Final = "AWS_Things"
GROUPS: Final = "AWS_ThingGroups"
INDEXES: Final = (THINGS, GROUPS)
OFF: Final = "OFF"
VERSION: Final = "2017-09-30"  # of the query language

REGISTRY_VERSION: Final = "registry.version"
ALIASES: Final = {
    "registry.thingTypeName": "thingTypeName",
    "registry.thingGroupNames": "thingGroupNames",
    "version": REGISTRY_VERSION,  # of a group
}
"""Managed fields that the documents have under another name."""
_SHADOW_VERSION: Final = re.compile(r"shadow(?:\.name\.[^.]+)?\.version")


def path_of(field: str) -> str:
    """Answer where the index has a field that is aggregated; versions of shadows are not found by their own name."""
    return f"registry.{field}" if _SHADOW_VERSION.fullmatch(field) else ALIASES.get(field, field)


class Status(Enum):
    """How an index stands."""

    ACTIVE = "ACTIVE"
    BUILDING = "BUILDING"
    REBUILDING = "REBUILDING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One index of an account as it was configured. `generation` grows with each change."""

    index: str
    mode: str = OFF  # REGISTRY, REGISTRY_AND_SHADOW; for groups ON
    connectivity: str = OFF  # STATUS
    named_shadows: tuple[str, ...] | None = None  # None: named shadows are not indexed
    custom: tuple[tuple[str, str], ...] = ()  # name and type (Number, String, Boolean)
    places: tuple[tuple[str, str], ...] = ()  # fields with locations, and which of LatLon and LonLat they are in
    sockets: bool = False  # GetThingConnectivityData may tell of addresses and ports
    status: Status = Status.ACTIVE
    generation: int = 0

    @property
    def on(self) -> bool:
        """Whether there is an index at all."""
        return self.mode != OFF

    def shadows(self) -> tuple[str, ...]:
        """Answer the names of the shadows that are indexed; "" is the classic one."""
        classic = ("",) if self.mode == "REGISTRY_AND_SHADOW" else ()
        return (*classic, *(self.named_shadows or ()))

    def about(self, shadow: str | None) -> bool:
        """Tell whether a change concerns the index: of the registry (None), or of the shadow of that name."""
        return self.on and (shadow is None or shadow in self.shadows())

    def next(self, new: "Setup") -> "Setup":
        """Answer the new setup, which has to be built first (or taken down); one that was built goes on answering."""
        built = self.on and self.status is not Status.BUILDING
        status = Status.ACTIVE if not new.on else Status.REBUILDING if built else Status.BUILDING
        return replace(new, status=status, generation=self.generation + 1)

    def managed(self) -> tuple[tuple[str, str], ...]:
        """Answer name and type of the fields that are there without being declared."""
        if not self.on:
            return ()
        if self.index == GROUPS:
            return _GROUP_FIELDS
        found = list(_THING_FIELDS)
        for name in self.shadows():
            shadow = f"shadow.name.{name}" if name else "shadow"
            found += [(f"{shadow}.hasDelta", "Boolean"), (f"{shadow}.version", "Number")]
        if self.connectivity != OFF:
            found += _CONNECTIVITY_FIELDS
        return tuple(found)

    def type_of(self, field: str) -> str | None:
        """Answer the type of a field that may be aggregated, None when it is neither managed nor declared."""
        return dict((*self.managed(), *self.custom)).get(field)

    @property
    def schema(self) -> str:
        """What DescribeIndex calls it."""
        if self.index == GROUPS:
            return "THING_GROUPS"
        if self.named_shadows is not None:
            return "MULTI_INDEXING_MODE"
        return f"{self.mode}_AND_CONNECTIVITY_STATUS" if self.connectivity != OFF else self.mode


_THING_FIELDS: Final = (
    ("thingName", "String"),
    ("thingId", "String"),
    ("registry.version", "Number"),
    ("registry.thingTypeName", "String"),
    ("registry.thingGroupNames", "String"),
)
_CONNECTIVITY_FIELDS: Final = (
    ("connectivity.connected", "Boolean"),
    ("connectivity.timestamp", "Number"),
    ("connectivity.disconnectReason", "String"),
    ("connectivity.version", "Number"),
)
_GROUP_FIELDS: Final = (
    ("thingGroupName", "String"),
    ("thingGroupId", "String"),
    ("thingGroupDescription", "String"),
    ("description", "String"),
    ("parentGroupNames", "String"),
    ("version", "Number"),
)


_SHOWN_ONLY: Final = ("version", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What is known of one thing or group. `body` is what SearchIndex answers, `hidden` is only aggregated."""

    name: str
    body: Mapping[str, Any]
    hidden: Mapping[str, Any]

    def fields(self) -> Sequence[Field]:
        """Answer the rows of the index, each once."""
        unversioned = _without_versions(self.body)
        found = [*fields_of(unversioned), *fields_of(self.hidden)]
        return list(dict.fromkeys(found))


def _without_versions(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Versions and times of shadows are shown, not searched."""
    shadow = body.get("shadow")
    if shadow is None:
        return body
    classic = {name: part for name, part in shadow.items() if name not in (*_SHOWN_ONLY, "name")}
    named = {
        name: {key: part for key, part in one.items() if key not in _SHOWN_ONLY}
        for name, one in shadow.get("name", {}).items()
    }
    return {**body, "shadow": {**classic, "name": named}}
