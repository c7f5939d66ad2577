"""What an index knows of a thing or a group, read from the subjects that own it.

Shadows: `desired`, `reported`, `delta` and `metadata` of the classic shadow, those of named ones below `name`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hedgerow.core.fleetquery import Field
from hedgerow.core.shadow import Shadow, delta
from hedgerow.services.iot.fleet_index.model import Document, Setup
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

    def get(self, tx: Tx, account: str, name: str) -> ThingLike | None: ...

    def list(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[ThingLike]:
        """Answer things by name, those after `after`."""
        ...


class Groups(Protocol):
    """The thing groups of an account."""

    def get(self, tx: Tx, account: str, name: str) -> GroupLike | None: ...

    def list(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[GroupLike]:
        """Answer groups by name, those after `after`."""
        ...

    def groups_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is directly in, by name."""
        ...


class Billing(Protocol):
    """The billing groups of an account."""

    def of(self, tx: Tx, account: str, thing: str) -> str | None:
        """Answer the billing group that the thing is in."""
        ...


class Shadows(Protocol):
    """The shadows of an account's things."""

    def live(self, tx: Tx, account: str, thing: str, name: str) -> Shadow | None:
        """Answer the shadow ("" is the classic one), None when there is none or it was deleted."""
        ...


class Connectivity(Protocol):
    """Whether things are connected."""

    def of(self, tx: Tx, account: str, thing: str) -> Mapping[str, Any] | None:
        """Answer the members of AWS's ThingConnectivity, None when nothing is known."""
        ...


class Followers(Protocol):
    """Who goes by what is indexed of a thing."""

    def follow(self, tx: Tx, account: str, changed: Sequence[tuple[str, Sequence[Field]]]) -> None:
        """What is indexed of these things has changed."""
        ...


def thing_document(
    tx: Tx,
    account: str,
    thing: ThingLike,
    *,
    setup: Setup,
    groups: Groups,
    billing: Billing,
    shadows: Shadows,
    connectivity: Connectivity,
) -> Document:
    """Answer what the index is to know of the thing."""
    body: dict[str, Any] = {"thingName": thing.name, "thingId": thing.id}
    if thing.type is not None:
        body["thingTypeName"] = thing.type
    names = list(groups.groups_of(tx, account, thing.name))
    billed = billing.of(tx, account, thing.name)
    if billed is not None and billed not in names:
        names.append(billed)  # AWS lists it among the groups
    if names:
        body["thingGroupNames"] = names
    if thing.attributes:
        body["attributes"] = dict(thing.attributes)
    shadow = _shadows(tx, account, thing.name, setup, shadows)
    if shadow:
        body["shadow"] = shadow
    if setup.connectivity != "OFF":
        body["connectivity"] = dict(connectivity.of(tx, account, thing.name) or {"connected": False})
    return Document(name=thing.name, body=body, hidden={"registry": {"version": thing.version}})


def group_document(group: GroupLike) -> Document:
    """Answer what the index is to know of the group."""
    body: dict[str, Any] = {"thingGroupName": group.name, "thingGroupId": group.id}
    if group.description:
        body["thingGroupDescription"] = group.description
    if group.attributes:
        body["attributes"] = dict(group.attributes)
    if group.line:
        body["parentGroupNames"] = list(group.line)
    return Document(name=group.name, body=body, hidden={"registry": {"version": group.version}})


def _shadows(tx: Tx, account: str, thing: str, setup: Setup, shadows: Shadows) -> dict[str, Any]:
    found: dict[str, Any] = {}
    named: dict[str, Any] = {}
    for name in setup.shadows():
        shadow = shadows.live(tx, account, thing, name)
        if shadow is None:
            continue
        if name:
            named[name] = _shown(shadow)
        else:
            found = _shown(shadow)
    return {**found, "name": named} if named else found


def _shown(shadow: Shadow) -> dict[str, Any]:
    state, (differences, _) = shadow.state, delta(shadow)
    shown: dict[str, Any] = {section: state[section] for section in ("desired", "reported") if section in state}
    if differences:
        shown["delta"] = differences
    return {**shown, "metadata": dict(shadow.metadata), "hasDelta": bool(differences), "version": shadow.version}
