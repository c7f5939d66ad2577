"""What an index knows of things and groups, read from the subjects that own it, of many things at once.

Shadows: `desired`, `reported`, `delta` and `metadata` of the classic shadow, those of named ones below `name`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from hedgerow.core.fleetquery import Field, maybe_place, paths, vector
from hedgerow.core.shadow import Shadow, delta
from hedgerow.services.iot.fleet_index.model import OFF, REGISTRY_VERSION, Document, Setup, path_of
from hedgerow.store import Tx


class ThingLike(Protocol):
    """A thing, as the registry has it."""

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def version(self) -> int: ...


class GroupLike(Protocol):
    """A thing group, as the registry has it. `line` names the groups above it, from the root down."""

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def line(self) -> tuple[str, ...]: ...
    @property
    def description(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def version(self) -> int: ...


class Things(Protocol):
    """The things of an account."""

    def some(self, tx: Tx, account: str, names: Sequence[str]) -> Mapping[str, ThingLike]:
        """Answer those of the things that there are, by name."""
        ...

    def list(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[ThingLike]:
        """Answer things by name, those after `after`."""
        ...


class Groups(Protocol):
    """The thing groups of an account."""

    def get(self, tx: Tx, account: str, name: str) -> GroupLike | None: ...

    def list(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[GroupLike]:
        """Answer groups by name, those after `after`."""
        ...

    def groups_of_some(self, tx: Tx, account: str, things: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Answer the groups that each of the things is directly in, by name."""
        ...


class Billing(Protocol):
    """The billing groups of an account."""

    def of_some(self, tx: Tx, account: str, things: Sequence[str]) -> Mapping[str, str]:
        """Answer the billing group of each of the things that is in one."""
        ...


class Shadows(Protocol):
    """The shadows of an account's things."""

    def live_some(
        self, tx: Tx, account: str, things: Sequence[str], names: Sequence[str]
    ) -> Mapping[tuple[str, str], tuple[Shadow, float]]:
        """Answer by thing and name those of the shadows that there are ("" is the classic one), and since when so."""
        ...


class Connectivity(Protocol):
    """Whether things are connected."""

    def of_some(self, tx: Tx, account: str, things: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Answer the members of AWS's ThingConnectivity, and its version, of the things of which something is known."""
        ...


class Followers(Protocol):
    """Who goes by what is indexed of a thing."""

    def follow(self, tx: Tx, account: str, changed: Sequence[tuple[str, Sequence[Field]]]) -> None:
        """What is indexed of these things has changed."""
        ...


class Sources:
    """The subjects that the documents of things are made of."""

    def __init__(
        self, *, things: Things, groups: Groups, billing: Billing, shadows: Shadows, connectivity: Connectivity
    ) -> None:
        self._things = things
        self._groups = groups
        self._billing = billing
        self._shadows = shadows
        self._connectivity = connectivity

    def documents(self, tx: Tx, account: str, setup: Setup, names: Sequence[str]) -> Sequence[Document]:
        """Answer what the index is to know of those of the things that there are."""
        found = self._things.some(tx, account, names)
        there = list(found)
        groups = self._groups.groups_of_some(tx, account, there)
        billing = self._billing.of_some(tx, account, there)
        wanted = setup.shadows()
        shadows = self._shadows.live_some(tx, account, there, wanted)
        indexed = setup.connectivity != OFF
        connectivity = self._connectivity.of_some(tx, account, there) if indexed else {}
        documents = []
        for name, thing in found.items():
            body = _registered(thing)
            member_of = _with_billing(groups.get(name, ()), billing.get(name))
            if member_of:
                body["thingGroupNames"] = member_of
            if thing.attributes:
                body["attributes"] = dict(thing.attributes)
            shadow = _shadows({each: shadows[name, each] for each in wanted if (name, each) in shadows})
            if shadow:
                body["shadow"] = shadow
            hidden = _hidden(thing, setup, body)
            if indexed:
                known = dict(connectivity.get(name) or {"connected": False})
                if "version" in known:
                    hidden["connectivity.version"] = known.pop("version")
                body["connectivity"] = known
            documents.append(Document(name=name, body=body, hidden=hidden))
        return documents


def _registered(thing: ThingLike) -> dict[str, Any]:
    body: dict[str, Any] = {"thingName": thing.name, "thingId": thing.id}
    if thing.type is not None:
        body["thingTypeName"] = thing.type
    return body


def _hidden(thing: ThingLike, setup: Setup, body: Mapping[str, Any]) -> dict[str, Any]:
    hidden: dict[str, Any] = {REGISTRY_VERSION: thing.version}
    shadow = body.get("shadow", {})
    if "version" in shadow:
        hidden[path_of("shadow.version")] = shadow["version"]
    for name, one in shadow.get("name", {}).items():
        hidden[path_of(f"shadow.name.{name}.version")] = one["version"]
    for field, order in setup.places:
        for value in _at(body, field):
            place = maybe_place(value, order)
            if place is not None:
                hidden |= dict(zip(paths(field), vector(place), strict=True))
                break
    return hidden


def _at(value: Any, path: str) -> Iterator[Any]:
    """Answer what stands at a dotted path; names may have dots of their own."""
    if not isinstance(value, Mapping):
        return
    if path in value:
        yield value[path]
    for at in (at for at, char in enumerate(path) if char == "."):
        if path[:at] in value:
            yield from _at(value[path[:at]], path[at + 1 :])


def _with_billing(groups: Sequence[str], billing: str | None) -> list[str]:
    """AWS lists the billing group among the groups."""
    return [*groups, billing] if billing is not None and billing not in groups else list(groups)


def group_document(group: GroupLike) -> Document:
    """Answer what the index is to know of the group."""
    body: dict[str, Any] = {"thingGroupName": group.name, "thingGroupId": group.id}
    if group.description:
        body["thingGroupDescription"] = group.description
    if group.attributes:
        body["attributes"] = dict(group.attributes)
    if group.line:
        body["parentGroupNames"] = list(group.line)
    hidden: dict[str, Any] = {REGISTRY_VERSION: group.version}
    if group.description:
        hidden["description"] = group.description
    return Document(name=group.name, body=body, hidden=hidden)


def _shadows(shadows: Mapping[str, tuple[Shadow, float]]) -> dict[str, Any]:
    found = _shown(*shadows[""]) if "" in shadows else {}
    named = {name: _shown(*shadow) for name, shadow in shadows.items() if name}
    return {**found, "name": named} if named else found


def _shown(shadow: Shadow, since: float) -> dict[str, Any]:
    state, (differences, _) = shadow.state, delta(shadow)
    shown: dict[str, Any] = {section: state[section] for section in ("desired", "reported") if section in state}
    if differences:
        shown["delta"] = differences
    shown |= {"metadata": dict(shadow.metadata), "hasDelta": bool(differences), "version": shadow.version}
    return {**shown, "timestamp": int(since)}
