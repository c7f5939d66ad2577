"""The operations on static thing groups and on who is in groups.

Deleting a group takes its policies off and its members out; dynamic groups are made in `dynamic.py`. A change of
membership names the certificates of the thing in AuthorisationChanged, because group policies count for them.
Spec: AWS IoT registry (CreateThingGroup …); idempotent where every property is the same.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged, Event
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.groups.errors import GroupExists, GroupHasChildren, GroupNotFound, SameTree, ThingNotFound
from hedgerow.services.iot.groups.model import (
    CHILDREN,
    GROUPS_OF_A_THING,
    INDEX,
    QUERY_VERSION,
    ThingGroup,
    checked_attributes,
    checked_name,
)
from hedgerow.services.iot.groups.store import GroupStore
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.principals import GROUP, own_resource
from hedgerow.store import Answer, Tx


class Things(Protocol):
    """What groups need of things."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing of that name."""
        ...

    def principals_of_all(self, tx: Tx, account: str, things: Sequence[str]) -> frozenset[str]:
        """Answer the certificates that speak for any of the things."""
        ...


class Policies(Protocol):
    """What groups need of policies."""

    def detach_all(self, tx: Tx, account: str, target: str) -> None:
        """Take every policy off the target (`thinggroup/<name>`)."""
        ...


class GroupOperations:
    """The operations on thing groups."""

    def __init__(self, *, groups: GroupStore, things: Things, policies: Policies, pages: Pages, ids: Ids) -> None:
        self._groups = groups
        self._things = things
        self._policies = policies
        self._pages = pages
        self._ids = ids

    def create_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, parent = checked_name(request["thingGroupName"]), request.get("parentGroupName")
        description, given, _ = properties_of(request.get("thingGroupProperties"))
        attributes = checked_attributes(given or {})
        group = self._groups.get(tx, caller.account, name)
        if group is None:
            group = ThingGroup(
                name=name,
                id=self._ids.uuid(),
                line=self._line_below(tx, caller, parent),
                description=description,
                attributes=attributes,
                version=1,
                created_at=tx.now,
            )
            self._groups.add(tx, caller.account, group)
        elif group.dynamic or (group.parent, group.description, group.attributes) != (parent, description, attributes):
            raise GroupExists(name, group_id=group.id, group_arn=_arn(caller, name))
        return Answer({"thingGroupName": name, "thingGroupArn": _arn(caller, name), "thingGroupId": group.id})

    def describe_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer(_described(caller, self._get(tx, caller, request["thingGroupName"])))

    def update_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group = _static(self._get(tx, caller, request["thingGroupName"]), "UpdateDynamicThingGroup")
        group.expect(request.get("expectedVersion"))
        description, attributes, merge = properties_of(request["thingGroupProperties"])
        changed = group.changed(description=description, attributes=attributes, merge=merge)
        self._groups.put(tx, caller.account, changed)
        return Answer({"version": changed.version})

    def delete_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, expected = request["thingGroupName"], request.get("expectedVersion")
        group = self._groups.get(tx, caller.account, name)
        if group is None:  # AWS answers success
            return Answer({})
        _static(group, "DeleteDynamicThingGroup").expect(expected)
        if self._groups.children(tx, caller.account, name):
            raise GroupHasChildren(name)
        events = self._regrant(tx, caller, self._groups.things_in(tx, caller.account, name))
        self._policies.detach_all(tx, caller.account, GROUP + name)
        self._groups.remove(tx, caller.account, name)
        return Answer({}, events=events)

    def list_thing_groups(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        parent, prefix = request.get("parentGroup"), request.get("namePrefixFilter") or ""
        recursive = request.get("recursive")
        recursive = parent is None if recursive is None else recursive
        if parent is not None:
            self._get(tx, caller, parent)
        page = self._pages.by_token(
            request, caller, "ListThingGroups", parent=parent, prefix=prefix, recursive=recursive
        )
        found = self._groups.list(
            tx,
            caller.account,
            after=page.after(),
            limit=page.limit,
            prefix=prefix,
            parent=parent,
            recursive=recursive,
        )
        return Answer(page.answer("thingGroups", found, key=lambda g: (g.name,), show=lambda g: _named(caller, g.name)))

    def add_thing_to_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing, group = self._pair(tx, request, caller)
        override = bool(request.get("overrideDynamicGroups"))
        return Answer({}, events=self._join(tx, caller, group, thing, override=override))

    def remove_thing_from_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing, group = self._pair(tx, request, caller)
        return Answer({}, events=self._leave(tx, caller, group, thing))

    def update_thing_groups_for_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = self._thing(tx, caller, request["thingName"])
        override = bool(request.get("overrideDynamicGroups"))
        events: list[Event] = []
        for name in request.take_all("thingGroupsToRemove") or ():
            events += self._leave(tx, caller, self._get(tx, caller, name), thing)
        for name in request.take_all("thingGroupsToAdd") or ():
            events += self._join(tx, caller, self._get(tx, caller, name), thing, override=override)
        return Answer({}, events=tuple(events))

    def list_things_in_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group, recursive = self._get(tx, caller, request["thingGroupName"]), bool(request.get("recursive"))
        page = self._pages.by_token(request, caller, "ListThingsInThingGroup", group=group.name, recursive=recursive)
        found = self._groups.things_in(
            tx, caller.account, group.name, recursive=recursive, after=page.after(), limit=page.limit
        )
        return Answer(page.answer("things", found, key=lambda name: (name,), show=lambda name: name))

    def list_thing_groups_for_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = self._thing(tx, caller, request["thingName"])
        page = self._pages.by_token(request, caller, "ListThingGroupsForThing", thing=thing)
        found = self._groups.memberships(tx, caller.account, thing, after=page.after(), limit=page.limit)
        return Answer(page.answer("thingGroups", found, key=lambda m: (m[0],), show=lambda m: _named(caller, m[0])))

    def _join(
        self, tx: Tx, caller: Caller, group: ThingGroup, thing: str, *, override: bool = False
    ) -> tuple[Event, ...]:
        """Let the thing in; with `override` its youngest dynamic group gives way where there is no room."""
        _by_hand(group)
        memberships = self._groups.memberships(tx, caller.account, thing)
        for other, root in memberships:
            if other == group.name:
                return ()
            if root == group.root:
                raise SameTree(thing, group.name, other)
        if len(memberships) >= GROUPS_OF_A_THING and not (override and self._give_way(tx, caller, thing)):
            raise InvalidRequest(f"Thing {thing} is already in {GROUPS_OF_A_THING} thing groups, which is the most")
        self._groups.join(tx, caller.account, group, thing)
        return self._regrant(tx, caller, (thing,))

    def _give_way(self, tx: Tx, caller: Caller, thing: str) -> bool:
        """Take the thing out of its youngest dynamic group; tell whether it was in any."""
        for group in reversed(self._groups.dynamic(tx, caller.account)):
            if self._groups.leave(tx, caller.account, group.name, thing):
                return True
        return False

    def _leave(self, tx: Tx, caller: Caller, group: ThingGroup, thing: str) -> tuple[Event, ...]:
        left = self._groups.leave(tx, caller.account, _by_hand(group).name, thing)
        return self._regrant(tx, caller, (thing,)) if left else ()

    def _line_below(self, tx: Tx, caller: Caller, parent: str | None) -> tuple[str, ...]:
        if parent is None:
            return ()
        if self._groups.children(tx, caller.account, parent) >= CHILDREN:
            raise InvalidRequest(f"Thing group {parent} has {CHILDREN} child groups already, which is the most")
        return self._get(tx, caller, parent).line_below()

    def _pair(self, tx: Tx, request: Request, caller: Caller) -> tuple[str, ThingGroup]:
        group = _name(request, caller, "thingGroup", GROUP)
        thing = _name(request, caller, "thing", "thing/")
        return self._thing(tx, caller, thing), self._get(tx, caller, group)

    def _get(self, tx: Tx, caller: Caller, name: str) -> ThingGroup:
        group = self._groups.get(tx, caller.account, name)
        if group is None:
            raise GroupNotFound(caller.account, name)
        return group

    def _thing(self, tx: Tx, caller: Caller, name: str) -> str:
        if not self._things.exists(tx, caller.account, name):
            raise ThingNotFound(name)
        return name

    def _regrant(self, tx: Tx, caller: Caller, things: Sequence[str]) -> tuple[Event, ...]:
        touched = self._things.principals_of_all(tx, caller.account, things)
        return (AuthorisationChanged(account=caller.account, principals=touched),) if touched else ()


def _name(request: Request, caller: Caller, member: str, kind: str) -> str:
    """Read `<member>Name` or `<member>Arn`; when both are given they must mean the same."""
    name, given = request.get(f"{member}Name"), request.get(f"{member}Arn")
    if given is not None:
        resource = own_resource(given, caller)
        if not resource.startswith(kind):
            raise InvalidRequest(f"{member}Arn: {given} is of another kind")
        if name not in (None, resource.removeprefix(kind)):
            raise InvalidRequest(f"{member}Name and {member}Arn name different resources")
        return resource.removeprefix(kind)
    if name is None:
        raise InvalidRequest(f"{member}Name or {member}Arn must be given")
    return str(name)


def properties_of(properties: Request | None) -> tuple[str | None, dict[str, str] | None, bool]:
    if properties is None:
        return None, None, False
    description, payload = properties.get("thingGroupDescription"), properties.get("attributePayload")
    if payload is None:
        return description, None, False
    return description, payload.take_all("attributes"), bool(payload.get("merge"))


def _static(group: ThingGroup, instead: str) -> ThingGroup:
    if group.dynamic:
        raise InvalidRequest(f"Thing group {group.name} is dynamic: use {instead}")
    return group


def _by_hand(group: ThingGroup) -> ThingGroup:
    if group.dynamic:
        raise InvalidRequest(f"Thing group {group.name} is dynamic: its query says which things are in it")
    return group


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, GROUP + name)


def _named(caller: Caller, name: str) -> dict[str, str]:
    return {"groupName": name, "groupArn": _arn(caller, name)}


def _described(caller: Caller, group: ThingGroup) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    if group.description is not None:
        properties["thingGroupDescription"] = group.description
    if group.attributes:
        properties["attributePayload"] = {"attributes": dict(group.attributes)}
    metadata: dict[str, Any] = {"creationDate": group.created_at}
    if group.parent is not None:
        metadata["parentGroupName"] = group.parent
        metadata["rootToParentThingGroups"] = [_named(caller, name) for name in group.line]
    shown = {
        "thingGroupName": group.name,
        "thingGroupId": group.id,
        "thingGroupArn": _arn(caller, group.name),
        "version": group.version,
        "thingGroupProperties": properties,
        "thingGroupMetadata": metadata,
    }
    if group.status is not None:
        shown |= {**query_of(group), "status": group.status.value}
    return shown


def query_of(group: ThingGroup) -> dict[str, Any]:
    """Answer what a dynamic group's query is, as AWS shows it."""
    return {"indexName": INDEX, "queryString": group.query, "queryVersion": QUERY_VERSION}
