"""Writes events down, in the transaction of the change that they tell of; `follow_ups` sends them.

What is switched on is held in memory, so that a change in an account that wants no events costs one look into a dict:
it is read at the start, and replaced by the committed EventsConfigured of each change before that is answered.
Spec: AWS IoT developer guide, "Registry events". Times are milliseconds.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.events import Event, EventsConfigured
from hedgerow.services.iot.registry_events.follow_ups import EVENT
from hedgerow.services.iot.registry_events.model import Configuration, Kind
from hedgerow.store import Tx

TOPICS: Final = "$aws/events/"
Message = dict[str, Any]


class Thing(Protocol):
    """What events tell of a thing."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def version(self) -> int: ...


class Propagating(Protocol):
    """What a thing type adds to publications."""

    def shown(self) -> dict[str, str]:
        """Answer it as AWS writes it."""
        ...


class ThingType(Protocol):
    """What events tell of a thing type."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def searchable(self) -> Sequence[str]: ...
    @property
    def deprecated_at(self) -> float | None: ...
    @property
    def propagating(self) -> Sequence[Propagating]: ...


class Group(Protocol):
    """What events tell of a thing group."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def description(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def dynamic(self) -> bool: ...


class Things(Protocol):
    """What events need of things."""

    def ids_of(self, tx: Tx, account: str, names: Sequence[str]) -> Mapping[str, str]:
        """Answer the ids of those things that are there, by name."""
        ...


class RegistryEvents:
    """Told of changes by the stores of the registry and by jobs. What is switched on is all that it holds."""

    def __init__(self, *, things: Things, ids: Ids, region: str) -> None:
        self._things = things
        self._ids = ids
        self.region = region
        self._enabled: dict[str, frozenset[str]] = {}

    def load(self, configurations: Mapping[str, Configuration]) -> None:
        """Begin with these."""
        self._enabled = {
            account: frozenset(kind.value for kind in one.enabled) for account, one in configurations.items()
        }

    def on_committed(self, event: Event) -> None:
        """Take notice of a change of what is switched on; every other event is no concern of this."""
        if isinstance(event, EventsConfigured):
            self._enabled[event.account] = event.kinds

    def wants(self, account: str, *kinds: str) -> bool:
        """Tell whether the account has any of these kinds switched on."""
        enabled = self._enabled.get(account)
        return enabled is not None and not enabled.isdisjoint(kinds)

    def tell(self, tx: Tx, account: str, key: str, topic: str, message: Mapping[str, Any]) -> None:
        """Write an event of another subject down, with an id; those with the same key are sent in order."""
        self._write(tx, account, key, topic, {"eventId": self._ids.uuid(), **message})

    def _write(self, tx: Tx, account: str, key: str, topic: str, message: Mapping[str, Any]) -> None:
        body = {"topic": TOPICS + topic, "message": message}
        tx.follow_up(EVENT, account=account, key=key, body=body)

    def wants_things(self, account: str) -> bool:
        """Tell whether `thing_changed` has anything to do."""
        return self.wants(account, Kind.THING.value, Kind.THING_TYPE_ASSOCIATION.value)

    def thing_changed(self, tx: Tx, account: str, before: Thing | None, after: Thing | None) -> None:
        """A thing was made (nothing before), changed or deleted (nothing after)."""
        thing = after or before
        if thing is None:
            return
        key = f"thing/{thing.name}"
        if self.wants(account, Kind.THING.value):
            message = self._head(tx, account, "THING_EVENT", _what(before, after)) | {
                "thingId": thing.id,
                "thingName": thing.name,
                "versionNumber": thing.version,
                "thingTypeName": thing.type,
                "attributes": dict(thing.attributes),
            }
            self._write(tx, account, key, f"thing/{thing.name}/{_what(before, after)}", message)
        old, new = (None if one is None else one.type for one in (before, after))
        if old != new and self.wants(account, Kind.THING_TYPE_ASSOCIATION.value):
            for kind, operation in ((old, "removed"), (new, "added")):
                if kind is not None:
                    self._association(tx, account, thing, kind, operation)

    def _association(self, tx: Tx, account: str, thing: Thing, kind: str, operation: str) -> None:
        message = self._head(tx, account, "THING_TYPE_ASSOCIATION_EVENT", operation) | {
            "thingId": thing.id,
            "thingName": thing.name,
            "thingTypeName": kind,
        }
        topic = f"thingTypeAssociation/thing/{thing.name}/thingType/{kind}/{operation}"
        self._write(tx, account, f"thing/{thing.name}", topic, message)

    def wants_types(self, account: str) -> bool:
        """Tell whether `type_changed` has anything to do."""
        return self.wants(account, Kind.THING_TYPE.value)

    def type_changed(self, tx: Tx, account: str, before: ThingType | None, after: ThingType | None) -> None:
        """A thing type was made, changed (also: deprecated, or not any more) or deleted."""
        kind = after or before
        if kind is None:
            return
        operation = _what(before, after)
        message = self._head(tx, account, "THING_TYPE_EVENT", operation) | {
            "thingTypeId": kind.id,
            "thingTypeName": kind.name,
            "isDeprecated": kind.deprecated_at is not None,
            "deprecationDate": None if kind.deprecated_at is None else int(kind.deprecated_at * 1000),
            "searchableAttributes": list(kind.searchable),
            "propagatingAttributes": [each.shown() for each in kind.propagating],
            "description": kind.description,
        }
        self._write(tx, account, f"type/{kind.name}", f"thingType/{kind.name}/{operation}", message)

    def wants_groups(self, account: str) -> bool:
        """Tell whether `group_changed` has anything to do."""
        return self.wants(account, Kind.THING_GROUP.value, Kind.THING_GROUP_HIERARCHY.value)

    def group_changed(
        self, tx: Tx, account: str, before: Group | None, after: Group | None, line: Sequence[Group]
    ) -> None:
        """A thing group was made, changed or deleted; `line` are the groups above it from the root down."""
        group = after or before
        if group is None or (before is not None and after is not None and before.version == after.version):
            return
        parent = line[-1] if line else None
        operation = _what(before, after)
        if self.wants(account, Kind.THING_GROUP.value):
            message = self._head(tx, account, "THING_GROUP_EVENT", operation) | {
                "thingGroupId": group.id,
                "thingGroupName": group.name,
                "versionNumber": group.version,
                "parentGroupName": parent and parent.name,
                "parentGroupId": parent and parent.id,
                "description": group.description,
                "rootToParentThingGroups": [
                    {"groupArn": self._arn(account, f"thinggroup/{above.name}"), "groupId": above.id} for above in line
                ],
                "attributes": dict(group.attributes),
                "dynamicGroupMappingId": group.id if group.dynamic else None,
            }
            self._write(tx, account, f"group/{group.name}", f"thingGroup/{group.name}/{operation}", message)
        if parent is not None and operation != "updated" and self.wants(account, Kind.THING_GROUP_HIERARCHY.value):
            self._hierarchy(tx, account, parent, group, "added" if operation == "created" else "removed")

    def _hierarchy(self, tx: Tx, account: str, parent: Group, child: Group, operation: str) -> None:
        message = self._head(tx, account, "THING_GROUP_HIERARCHY_EVENT", operation) | {
            "thingGroupId": parent.id,
            "thingGroupName": parent.name,
            "childGroupId": child.id,
            "childGroupName": child.name,
        }
        topic = f"thingGroupHierarchy/thingGroup/{parent.name}/childThingGroup/{child.name}/{operation}"
        self._write(tx, account, f"group/{child.name}", topic, message)

    def wants_members(self, account: str) -> bool:
        """Tell whether `members_moved` has anything to do."""
        return self.wants(account, Kind.THING_GROUP_MEMBERSHIP.value)

    def members_moved(self, tx: Tx, account: str, group: Group, things: Sequence[str], *, joined: bool) -> None:
        """Things have joined the group, or left it."""
        operation = "added" if joined else "removed"
        rows = []
        for thing, thing_id in self._things.ids_of(tx, account, things).items():
            message = self._head(tx, account, "THING_GROUP_MEMBERSHIP_EVENT", operation) | {
                "groupArn": self._arn(account, f"thinggroup/{group.name}"),
                "groupId": group.id,
                "thingArn": self._arn(account, f"thing/{thing}"),
                "thingId": thing_id,
                "membershipId": _membership(group.id, thing_id),
            }
            topic = f"thingGroupMembership/thingGroup/{group.name}/thing/{thing}/{operation}"
            rows.append((f"thing/{thing}", {"topic": TOPICS + topic, "message": message}))
        tx.follow_up_many(EVENT, account=account, rows=rows)

    def _head(self, tx: Tx, account: str, kind: str, operation: str) -> Message:
        return {
            "eventType": kind,
            "eventId": self._ids.uuid(),
            "timestamp": int(tx.now * 1000),
            "operation": operation.upper(),
            "accountId": account,
        }

    def _arn(self, account: str, resource: str) -> str:
        return arn("iot", self.region, account, resource)


def _what(before: object | None, after: object | None) -> str:
    return "created" if before is None else "deleted" if after is None else "updated"


def _membership(group: str, thing: str) -> str:
    """Answer the same id when the thing joins and when it leaves."""
    digest = hashlib.sha256(f"{group}/{thing}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
