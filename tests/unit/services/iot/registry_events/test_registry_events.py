"""Registry events: what is switched on, and what is written down for which change."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select

from hedgerow.base.errors import NotImplementedYet
from hedgerow.cloud.registry_events import watched_stores
from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.registry_events import (
    EVENT,
    EventConfigurationOperations,
    EventConfigurationStore,
    EventFollowUps,
    Kind,
    RegistryEvents,
)
from hedgerow.services.iot.things import ThingStore
from hedgerow.store import FollowUp
from hedgerow.store.tx import follow_ups
from tests.support.clock import FakeIds
from tests.support.registry import Registry
from tests.support.store import CALLER, OTHER_ACCOUNT

EVERYTHING = [kind.value for kind in Kind if kind is not Kind.POLICY]
ARN = "arn:aws:iot:eu-central-1:123456789012:"


class EventBench(Registry):
    """The registry whose stores tell of changes."""

    def __init__(self) -> None:
        self.telling = RegistryEvents(things=ThingStore(), ids=FakeIds(), region=CALLER.region)
        stores = watched_stores(self.telling)
        super().__init__(things=stores.things, types=stores.types, groups=stores.groups)
        self.configurations = EventConfigurationOperations(store=EventConfigurationStore())

    def switch(self, *kinds: str, on: bool = True, caller: Caller = CALLER) -> None:
        wanted = {"eventConfigurations": {kind: {"Enabled": on} for kind in kinds}}
        for event in self.store.run(self.configurations.update_event_configurations, wanted, caller).events:
            self.telling.on_committed(event)

    def described(self, caller: Caller = CALLER) -> dict[str, Any]:
        return dict(self.store.run(self.configurations.describe_event_configurations, {}, caller).response)

    def told(self, account: str = CALLER.account) -> list[tuple[str, dict[str, Any]]]:
        """Answer topic and message of all events that were written down, in order."""
        chosen = select(follow_ups).where(follow_ups.c.kind == EVENT, follow_ups.c.account == account)
        with self.store.tx() as tx:
            bodies = [json.loads(row.body) for row in tx.all(chosen.order_by(follow_ups.c.seq))]
        return [(body["topic"].removeprefix("$aws/events/"), body["message"]) for body in bodies]

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.told()]


@pytest.fixture
def bench() -> EventBench:
    return EventBench()


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """Answer a message without what is new each time."""
    return {name: value for name, value in message.items() if name not in ("eventId", "timestamp", "membershipId")}


def test_everything_is_off_in_a_new_account_and_nothing_is_told(bench: EventBench) -> None:
    bench.thing("lamp")

    assert bench.described() == {"eventConfigurations": {kind.value: {"Enabled": False} for kind in Kind}}
    assert bench.told() == []


def test_an_update_changes_only_the_kinds_that_it_names(bench: EventBench) -> None:
    bench.switch("THING", "JOB")
    first = bench.described()
    bench.store.clock.advance(10)
    bench.switch("JOB", on=False)

    second = bench.described()
    assert {name for name, one in first["eventConfigurations"].items() if one["Enabled"]} == {"THING", "JOB"}
    assert {name for name, one in second["eventConfigurations"].items() if one["Enabled"]} == {"THING"}
    assert second["creationDate"] == first["creationDate"]
    assert second["lastModifiedDate"] == first["lastModifiedDate"] + 10


def test_events_of_policies_are_refused_by_name_and_nothing_changes(bench: EventBench) -> None:
    with pytest.raises(NotImplementedYet, match="POLICY"):
        bench.switch("THING", "POLICY")

    assert bench.described() == {"eventConfigurations": {kind.value: {"Enabled": False} for kind in Kind}}
    bench.switch("POLICY", on=False)


def test_an_unknown_kind_is_refused(bench: EventBench) -> None:
    with pytest.raises(InvalidRequest, match="TEAPOT"):
        bench.switch("TEAPOT")


def test_a_thing_is_told_of_when_it_is_made_changed_and_deleted(bench: EventBench) -> None:
    bench.switch("THING")

    made = bench.thing("lamp", attributePayload={"attributes": {"serial": "1"}})
    bench.thing("lamp", attributePayload={"attributes": {"serial": "1"}})  # the same again changes nothing
    bench.store.run(
        bench.things.update_thing, {"thingName": "lamp", "attributePayload": {"attributes": {"serial": "2"}}}
    )
    bench.store.run(bench.things.delete_thing, {"thingName": "lamp"})

    head = {"eventType": "THING_EVENT", "accountId": CALLER.account, "thingId": made["thingId"], "thingName": "lamp"}
    assert [(topic, plain(message)) for topic, message in bench.told()] == [
        (
            f"thing/lamp/{operation.lower()}",
            {
                **head,
                "operation": operation,
                "versionNumber": version,
                "thingTypeName": None,
                "attributes": {"serial": serial},
            },
        )
        for operation, version, serial in (("CREATED", 1, "1"), ("UPDATED", 2, "2"), ("DELETED", 2, "2"))
    ]
    first = bench.told()[0][1]
    assert first["timestamp"] == int(bench.store.clock.now() * 1000)
    assert len({message["eventId"] for _, message in bench.told()}) == 3


def test_a_thing_that_takes_another_type_leaves_one_and_joins_the_other(bench: EventBench) -> None:
    for name in ("radio", "lamp"):
        bench.store.run(bench.types.create_thing_type, {"thingTypeName": name})
    bench.switch("THING_TYPE_ASSOCIATION")

    made = bench.thing("one", thingTypeName="radio")
    bench.store.run(bench.things.update_thing, {"thingName": "one", "thingTypeName": "lamp"})
    bench.store.run(bench.things.update_thing, {"thingName": "one", "attributePayload": {"attributes": {"a": "b"}}})
    bench.store.run(bench.things.delete_thing, {"thingName": "one"})

    base = "thingTypeAssociation/thing/one/thingType"
    assert bench.topics() == [
        f"{base}/{rest}" for rest in ("radio/added", "radio/removed", "lamp/added", "lamp/removed")
    ]
    assert plain(bench.told()[0][1]) == {
        "eventType": "THING_TYPE_ASSOCIATION_EVENT",
        "operation": "ADDED",
        "accountId": CALLER.account,
        "thingId": made["thingId"],
        "thingName": "one",
        "thingTypeName": "radio",
    }


def test_a_thing_type_is_told_of_also_when_it_is_deprecated(bench: EventBench) -> None:
    bench.switch("THING_TYPE")
    key = {"userPropertyKey": "site", "thingAttribute": "site"}
    described = {
        "thingTypeDescription": "loud",
        "searchableAttributes": ["band"],
        "mqtt5Configuration": {"propagatingAttributes": [key]},
    }

    bench.store.run(bench.types.create_thing_type, {"thingTypeName": "radio", "thingTypeProperties": described})
    bench.store.run(bench.types.deprecate_thing_type, {"thingTypeName": "radio"})
    bench.store.clock.advance(300)
    bench.store.run(bench.types.delete_thing_type, {"thingTypeName": "radio"})

    assert bench.topics() == [f"thingType/radio/{word}" for word in ("created", "updated", "deleted")]
    created, updated, _ = (plain(message) for _, message in bench.told())
    assert created.pop("thingTypeId")
    assert created == {
        "eventType": "THING_TYPE_EVENT",
        "operation": "CREATED",
        "accountId": CALLER.account,
        "thingTypeName": "radio",
        "isDeprecated": False,
        "deprecationDate": None,
        "searchableAttributes": ["band"],
        "propagatingAttributes": [key],
        "description": "loud",
    }
    assert (updated["isDeprecated"], updated["deprecationDate"]) == (True, int(bench.told()[1][1]["timestamp"]))


def test_a_group_tells_its_line_and_its_place_below_the_parent(bench: EventBench) -> None:
    bench.switch("THING_GROUP", "THING_GROUP_HIERARCHY")

    world, europe = bench.group("world"), bench.group("europe", parentGroupName="world")
    changed = {"thingGroupDescription": "old", "attributePayload": {"attributes": {"a": "1"}}}
    bench.store.run(bench.groups.update_thing_group, {"thingGroupName": "europe", "thingGroupProperties": changed})
    bench.store.run(bench.groups.delete_thing_group, {"thingGroupName": "europe"})

    below = "thingGroupHierarchy/thingGroup/world/childThingGroup/europe"
    assert bench.topics() == [
        "thingGroup/world/created",
        "thingGroup/europe/created",
        f"{below}/added",
        "thingGroup/europe/updated",
        "thingGroup/europe/deleted",
        f"{below}/removed",
    ]
    assert plain(bench.told()[3][1]) == {
        "eventType": "THING_GROUP_EVENT",
        "operation": "UPDATED",
        "accountId": CALLER.account,
        "thingGroupId": europe["thingGroupId"],
        "thingGroupName": "europe",
        "versionNumber": 2,
        "parentGroupName": "world",
        "parentGroupId": world["thingGroupId"],
        "description": "old",
        "rootToParentThingGroups": [{"groupArn": f"{ARN}thinggroup/world", "groupId": world["thingGroupId"]}],
        "attributes": {"a": "1"},
        "dynamicGroupMappingId": None,
    }
    assert plain(bench.told()[2][1]) == {
        "eventType": "THING_GROUP_HIERARCHY_EVENT",
        "operation": "ADDED",
        "accountId": CALLER.account,
        "thingGroupId": world["thingGroupId"],
        "thingGroupName": "world",
        "childGroupId": europe["thingGroupId"],
        "childGroupName": "europe",
    }


def test_a_membership_is_told_of_from_joining_to_the_end_of_the_thing(bench: EventBench) -> None:
    bench.switch("THING_GROUP_MEMBERSHIP")
    group, thing = bench.group("sites"), bench.thing("lamp")
    pair = {"thingName": "lamp", "thingGroupName": "sites"}

    bench.store.run(bench.groups.add_thing_to_thing_group, pair)
    bench.store.run(bench.things.delete_thing, {"thingName": "lamp"})

    (joined_on, joined), (left_on, left) = bench.told()
    assert (joined_on, left_on) == tuple(
        f"thingGroupMembership/thingGroup/sites/thing/lamp/{word}" for word in ("added", "removed")
    )
    assert plain(joined) == {
        "eventType": "THING_GROUP_MEMBERSHIP_EVENT",
        "operation": "ADDED",
        "accountId": CALLER.account,
        "groupArn": f"{ARN}thinggroup/sites",
        "groupId": group["thingGroupId"],
        "thingArn": f"{ARN}thing/lamp",
        "thingId": thing["thingId"],
    }
    assert left == {**joined, "operation": "REMOVED", "eventId": left["eventId"]}


def test_the_members_of_a_group_that_goes_leave_it_one_by_one(bench: EventBench) -> None:
    bench.group("sites")
    for name in ("a", "b"):
        bench.thing(name)
        bench.store.run(bench.groups.add_thing_to_thing_group, {"thingName": name, "thingGroupName": "sites"})
    bench.switch("THING_GROUP_MEMBERSHIP")

    bench.store.run(bench.groups.delete_thing_group, {"thingGroupName": "sites"})

    assert bench.topics() == [f"thingGroupMembership/thingGroup/sites/thing/{name}/removed" for name in ("a", "b")]


@pytest.mark.spec("AL-08")
def test_what_one_account_switches_on_tells_nothing_of_another(bench: EventBench) -> None:
    bench.switch(*EVERYTHING)

    bench.thing("lamp", OTHER_ACCOUNT)

    assert (bench.told(), bench.told(OTHER_ACCOUNT.account)) == ([], [])
    assert not bench.described(OTHER_ACCOUNT)["eventConfigurations"]["THING"]["Enabled"]


def test_what_was_switched_on_counts_after_a_restart(bench: EventBench) -> None:
    bench.switch("THING")
    again = RegistryEvents(things=ThingStore(), ids=FakeIds(), region=CALLER.region)

    with bench.store.tx() as tx:
        again.load(EventConfigurationStore().of_all(tx))

    assert again.wants(CALLER.account, "THING")
    assert not again.wants(CALLER.account, "JOB")
    assert not again.wants(OTHER_ACCOUNT.account, "THING")


def test_other_committed_events_change_nothing_that_is_switched_on(bench: EventBench) -> None:
    bench.switch("THING")

    bench.telling.on_committed(Published(account=CALLER.account, topic="a", payload=b""))

    assert bench.telling.wants_things(CALLER.account)


def test_an_event_is_published_as_it_was_written_down() -> None:
    class Messages:
        def __init__(self) -> None:
            self.sent: list[tuple[str, str, bytes]] = []

        async def publish(self, account: str, topic: str, payload: bytes) -> None:
            self.sent.append((account, topic, payload))

    messages = Messages()
    body = {"topic": "$aws/events/thing/a/created", "message": {"thingName": "a"}}
    row = FollowUp(seq=1, account=CALLER.account, kind=EVENT, key="thing/a", due_at=0.0, body=body)

    asyncio.run(EventFollowUps(messages=messages).on_event(row))

    assert messages.sent == [(CALLER.account, "$aws/events/thing/a/created", b'{"thingName":"a"}')]
