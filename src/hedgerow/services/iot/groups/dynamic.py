"""Dynamic thing groups: a query over the fleet's index says which things are in them.

Membership follows the index: whenever what is known of a thing changes, every dynamic group of the account is asked
about it again; a new or changed query is asked about everything that is indexed. What membership of dynamic groups adds
to a thing is not looked at, so no group can chase itself.
Spec: AWS IoT developer guide, "Dynamic thing groups": no hierarchy, no policies, 5 terms, 100 groups, 10 of one thing.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.fleetquery import DYNAMIC_GROUP_TERMS, Field, InvalidQuery, Node, finds, parse, places_in
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded
from hedgerow.services.iot.groups.errors import GroupExists, GroupNotFound, QueryRefused
from hedgerow.services.iot.groups.model import (
    DYNAMIC_GROUPS,
    GROUPS_OF_A_THING,
    INDEX,
    QUERY_VERSION,
    Status,
    ThingGroup,
    checked_attributes,
    checked_name,
)
from hedgerow.services.iot.groups.operations import properties_of, query_of
from hedgerow.services.iot.groups.store import GroupStore
from hedgerow.services.iot.principals import GROUP
from hedgerow.store import Answer, FollowUp, Tx

BUILD: Final = "dynamic-group-build"
AT_ONCE: Final = 50
"""Documents that a build looks at in one transaction."""
NAMES: Final = "thingGroupNames"


class Index(Protocol):
    """The index of things."""

    def things_on(self, tx: Tx, account: str) -> bool:
        """Tell whether the account indexes its things."""
        ...

    def places_of(self, tx: Tx, account: str) -> frozenset[str]:
        """Answer the fields of things whose locations are indexed."""
        ...

    def page(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[tuple[str, Sequence[Field]]]:
        """Answer name and values of indexed things by name, those after `after`."""
        ...


class Things(Protocol):
    """What dynamic groups ask about things."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing of that name."""
        ...


class DynamicGroupOperations:
    """The operations on dynamic thing groups."""

    def __init__(self, *, groups: GroupStore, index: Index, ids: Ids) -> None:
        self._groups = groups
        self._index = index
        self._ids = ids

    def create_dynamic_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, query = checked_name(request["thingGroupName"]), _query(request)
        description, given, _ = properties_of(request.get("thingGroupProperties"))
        attributes = checked_attributes(given or {})
        group = self._groups.get(tx, caller.account, name)
        if group is None:
            self._needs_index(tx, caller, query)
            if len(self._groups.dynamic(tx, caller.account)) >= DYNAMIC_GROUPS:
                raise LimitExceeded(f"There are {DYNAMIC_GROUPS} dynamic thing groups already, which is the most")
            group = ThingGroup(
                name=name,
                id=self._ids.uuid(),
                line=(),
                description=description,
                attributes=attributes,
                version=1,
                created_at=tx.now,
                query=query,
                status=Status.BUILDING,
            )
            self._groups.add(tx, caller.account, group)
            _build(tx, caller.account, group)
        elif (group.query, group.description, group.attributes) != (query, description, attributes):
            raise GroupExists(name, group_id=group.id, group_arn=_arn(caller, name))
        made = {"thingGroupName": name, "thingGroupArn": _arn(caller, name), "thingGroupId": group.id}
        return Answer({**made, **query_of(group)})

    def update_dynamic_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        group = self._get(tx, caller, request["thingGroupName"])
        group.expect(request.get("expectedVersion"))
        description, attributes, merge = properties_of(request["thingGroupProperties"])
        changed = group.changed(description=description, attributes=attributes, merge=merge)
        query = _query(request) if "queryString" in request else _checked(request, group.query or "")
        if query != group.query:
            self._needs_index(tx, caller, query)
            changed = replace(changed, query=query, status=Status.REBUILDING)
            _build(tx, caller.account, changed)
        self._groups.put(tx, caller.account, changed)
        return Answer({"version": changed.version})

    def delete_dynamic_thing_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, expected = request["thingGroupName"], request.get("expectedVersion")
        if self._groups.get(tx, caller.account, name) is None:  # AWS answers success
            return Answer({})
        self._get(tx, caller, name).expect(expected)
        self._groups.remove(tx, caller.account, name)
        return Answer({})

    def _needs_index(self, tx: Tx, caller: Caller, query: str) -> None:
        if not self._index.things_on(tx, caller.account):
            raise InvalidRequest(
                "Dynamic thing groups need the index of things: turn it on with UpdateIndexingConfiguration"
            )
        unknown = sorted(places_in(_tree(query)) - self._index.places_of(tx, caller.account))
        if unknown:
            raise QueryRefused(f"Invalid query: {unknown[0]} is no indexed location: name it in filter.geoLocations")

    def _get(self, tx: Tx, caller: Caller, name: str) -> ThingGroup:
        group = self._groups.get(tx, caller.account, name)
        if group is None:
            raise GroupNotFound(caller.account, name)
        if not group.dynamic:
            raise InvalidRequest(f"Thing group {name} is not dynamic: use the operations on static groups")
        return group


class DynamicMembers:
    """Keeps things in the groups whose queries find them. All of it may run twice."""

    def __init__(self, *, groups: GroupStore, index: Index, things: Things) -> None:
        self._groups = groups
        self._index = index
        self._things = things

    def follow(self, tx: Tx, account: str, changed: Sequence[tuple[str, Sequence[Field]]]) -> None:
        """What is indexed of these things has changed."""
        groups = self._groups.dynamic(tx, account)
        if groups:
            self._decide(tx, account, changed, groups, groups)

    def on_build(self, tx: Tx, row: FollowUp) -> Answer:
        """Handler of `dynamic-group-build`: ask one group about the next things."""
        account, after = row.account, row.body["after"]
        group = self._groups.get(tx, account, row.key)
        if group is None or group.query != row.body["query"] or group.id != row.body["id"]:
            return Answer()  # deleted, or another query has a build of its own
        everyone = self._groups.dynamic(tx, account)
        page = self._index.page(tx, account, after=after, limit=AT_ONCE)
        self._decide(tx, account, page, everyone, (group,))
        if len(page) == AT_ONCE:
            _build(tx, account, group, after=page[-1][0])
        else:
            self._groups.put(tx, account, replace(group, status=Status.ACTIVE))
        return Answer()

    def _decide(
        self,
        tx: Tx,
        account: str,
        things: Sequence[tuple[str, Sequence[Field]]],
        everyone: Sequence[ThingGroup],
        groups: Sequence[ThingGroup],
    ) -> None:
        dynamic = {group.name.lower() for group in everyone}
        members = self._groups.groups_of_some(tx, account, [thing for thing, _ in things])
        for thing, fields in things:
            seen = [field for field in fields if field.path != NAMES or field.text not in dynamic]
            inside = set(members.get(thing, ()))
            for group in groups:
                wanted = finds(_tree(group.query or ""), seen)
                if wanted and group.name not in inside and len(inside) < GROUPS_OF_A_THING:
                    if not self._things.exists(tx, account, thing):
                        break  # deleted, and about to leave the index
                    self._groups.join(tx, account, group, thing)
                    inside.add(group.name)
                elif not wanted and group.name in inside:
                    self._groups.leave(tx, account, group.name, thing)
                    inside.discard(group.name)


def _build(tx: Tx, account: str, group: ThingGroup, *, after: str = "") -> None:
    body = {"id": group.id, "query": group.query, "after": after}
    tx.follow_up(BUILD, account=account, key=group.name, body=body)


def _query(request: Request) -> str:
    return _checked(request, request["queryString"])


def _checked(request: Request, query: str) -> str:
    """Answer the query; raise for an index, a version or a query that there cannot be."""
    for member, only in (("indexName", INDEX), ("queryVersion", QUERY_VERSION)):
        if request.get(member) not in (None, only):
            raise InvalidRequest(f"{member} {request.get(member)} is not known; there is {only}")
    try:
        parse(query, terms=DYNAMIC_GROUP_TERMS)
    except InvalidQuery as error:
        raise QueryRefused(f"Invalid query: {error}") from error
    return query


@lru_cache(maxsize=1024)
def _tree(query: str) -> Node:
    return parse(query)


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, GROUP + name)
