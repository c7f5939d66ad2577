"""Dynamic thing groups: who is in them follows the index."""

from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.groups.model import GROUPS_OF_A_THING
from tests.support.indexing import IndexBench
from tests.support.registry import Registry
from tests.support.store import CALLER, OTHER_ACCOUNT

ON = {"thingIndexingMode": "REGISTRY_AND_SHADOW"}


@pytest.fixture
def bench() -> IndexBench:
    bench = IndexBench()
    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=ON)
    bench.settle()
    return bench


def thing(bench: IndexBench, name: str, **attributes: str) -> None:
    bench.thing(name, attributePayload={"attributes": attributes})
    bench.settle()


def make(bench: IndexBench, name: str, query: str) -> Any:
    made = bench.call("CreateDynamicThingGroup", thingGroupName=name, queryString=query)
    bench.settle()
    return made


def members(bench: IndexBench, name: str) -> list[str]:
    return list(bench.registry_call("ListThingsInThingGroup", thingGroupName=name, maxResults=250)["things"])


def status(bench: IndexBench, name: str) -> str:
    return str(bench.registry_call("DescribeThingGroup", thingGroupName=name)["status"])


def refused(bench: IndexBench, operation: str, **named: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        (bench.call if ("iot", operation) in bench.tables.operations else bench.registry_call)(operation, **named)
    return caught.value


@pytest.mark.parametrize("change", ["CreateDynamicThingGroup", "UpdateDynamicThingGroup"])
def test_a_thing_that_is_deleted_before_the_index_knows_joins_no_group(bench: IndexBench, change: str) -> None:
    thing(bench, "a", site="south")
    asked: dict[str, Any] = {"thingGroupName": "g", "queryString": "attributes.site:south"}
    if change == "UpdateDynamicThingGroup":
        make(bench, "g", "attributes.site:north")
        asked["thingGroupProperties"] = {}

    bench.call(change, **asked)
    bench.registry_call("DeleteThing", thingName="a")
    bench.settle()

    assert members(bench, "g") == []
    thing(bench, "a", site="north")  # another one
    assert members(bench, "g") == []


@pytest.mark.spec("JB-30")
def test_a_new_group_takes_in_what_its_query_finds(bench: IndexBench) -> None:
    for number in range(120):
        bench.thing(f"t{number:03}", attributePayload={"attributes": {"site": "north" if number % 3 else "south"}})
    bench.settle()

    made = bench.call("CreateDynamicThingGroup", thingGroupName="south", queryString="attributes.site:south")
    building = status(bench, "south")
    bench.settle()

    assert (made["indexName"], made["queryString"], made["queryVersion"]) == (
        "AWS_Things",
        "attributes.site:south",
        "2017-09-30",
    )
    assert (building, status(bench, "south")) == ("BUILDING", "ACTIVE")
    assert members(bench, "south") == [f"t{number:03}" for number in range(0, 120, 3)]


@pytest.mark.spec("JB-30")
def test_things_come_and_go_as_they_change(bench: IndexBench) -> None:
    make(bench, "hot", "shadow.reported.celsius > 60 AND attributes.site:north")
    thing(bench, "a", site="north")
    before = members(bench, "hot")
    bench.shadow("a", {"reported": {"celsius": 71}})
    bench.settle()
    hot = members(bench, "hot")
    bench.shadow("a", {"reported": {"celsius": 20}})
    bench.settle()
    cool = members(bench, "hot")
    bench.shadow("a", {"reported": {"celsius": 99}})
    bench.settle()
    bench.registry_call("DeleteThing", thingName="a")
    bench.settle()

    assert (before, hot, cool, members(bench, "hot")) == ([], ["a"], [], [])


def test_a_new_query_decides_anew(bench: IndexBench) -> None:
    thing(bench, "a", site="north")
    thing(bench, "b", site="south")
    make(bench, "g", "attributes.site:north")

    answer = bench.call(
        "UpdateDynamicThingGroup", thingGroupName="g", thingGroupProperties={}, queryString="attributes.site:south"
    )
    rebuilding = status(bench, "g")
    bench.settle()

    assert (answer, rebuilding, status(bench, "g")) == ({"version": 2}, "REBUILDING", "ACTIVE")
    assert members(bench, "g") == ["b"]


def test_a_group_that_asks_for_itself_comes_to_rest(bench: IndexBench) -> None:
    thing(bench, "a")
    make(bench, "odd", "NOT thingGroupNames:odd")

    assert members(bench, "odd") == ["a"]
    assert bench.waiting() == 0


def test_a_dynamic_group_is_found_by_its_members_and_static_groups_count(bench: IndexBench) -> None:
    thing(bench, "a")
    bench.group("pumps")
    bench.registry_call("AddThingToThingGroup", thingName="a", thingGroupName="pumps")
    make(bench, "dyn", "thingGroupNames:pumps")

    found = bench.call("SearchIndex", queryString="thingGroupNames:dyn")["things"]
    assert found[0]["thingGroupNames"] == ["dyn", "pumps"]


def test_a_thing_is_in_ten_groups_at_most_and_the_older_win(bench: IndexBench) -> None:
    for number in range(GROUPS_OF_A_THING + 1):
        make(bench, f"g{number:02}", "thingName:a")
    thing(bench, "a")

    full = members(bench, "g10")
    bench.group("static")
    no_room = refused(bench, "AddThingToThingGroup", thingName="a", thingGroupName="static")
    bench.registry_call("AddThingToThingGroup", thingName="a", thingGroupName="static", overrideDynamicGroups=True)
    bench.settle()

    assert (full, no_room.code) == ([], "InvalidRequestException")
    assert (members(bench, "static"), members(bench, "g09")) == (["a"], [])
    bench.registry_call("RemoveThingFromThingGroup", thingName="a", thingGroupName="static")
    bench.settle()
    assert members(bench, "g09") == ["a"]


def test_when_the_index_is_built_anew_members_stay_right(bench: IndexBench) -> None:
    thing(bench, "a", site="north")
    make(bench, "g", "attributes.site:north")

    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration={"thingIndexingMode": "OFF"})
    bench.settle()
    kept = members(bench, "g")
    bench.registry_call("UpdateThing", thingName="a", attributePayload={"attributes": {"site": "south"}})
    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=ON)
    bench.settle()

    assert (kept, members(bench, "g")) == (["a"], [])


@pytest.mark.parametrize(
    ("operation", "named", "words"),
    [
        ("AddThingToThingGroup", {"thingName": "a", "thingGroupName": "g"}, "its query says which things"),
        ("RemoveThingFromThingGroup", {"thingName": "a", "thingGroupName": "g"}, "its query says which things"),
        ("UpdateThingGroup", {"thingGroupName": "g", "thingGroupProperties": {}}, "use UpdateDynamicThingGroup"),
        ("DeleteThingGroup", {"thingGroupName": "g"}, "use DeleteDynamicThingGroup"),
        ("CreateThingGroup", {"thingGroupName": "c", "parentGroupName": "g"}, "no groups below it"),
        ("DeleteDynamicThingGroup", {"thingGroupName": "s"}, "is not dynamic"),
        ("UpdateDynamicThingGroup", {"thingGroupName": "s", "thingGroupProperties": {}}, "is not dynamic"),
        ("CreateDynamicThingGroup", {"thingGroupName": "x", "queryString": "a b c d e f"}, "6 terms; 5 are allowed"),
        ("CreateDynamicThingGroup", {"thingGroupName": "x", "queryString": "("}, "Invalid query"),
        ("CreateDynamicThingGroup", {"thingGroupName": "x", "queryString": "*", "indexName": "y"}, "AWS_Things"),
        ("CreateDynamicThingGroup", {"thingGroupName": "g", "queryString": "*"}, "already exists"),
        ("CreateDynamicThingGroup", {"thingGroupName": "s", "queryString": "*"}, "already exists"),
        ("CreateThingGroup", {"thingGroupName": "g"}, "already exists"),
        (
            "UpdateDynamicThingGroup",
            {"thingGroupName": "g", "thingGroupProperties": {}, "expectedVersion": 7},
            "at version 1",
        ),
    ],
)
def test_what_goes_with_the_other_kind_is_refused(
    bench: IndexBench, operation: str, named: dict[str, Any], words: str
) -> None:
    thing(bench, "a")
    bench.group("s")
    make(bench, "g", "thingName:a")

    error = refused(bench, operation, **named)

    assert words in str(error)
    assert members(bench, "g") == ["a"]


def test_without_an_index_there_are_no_dynamic_groups() -> None:
    error = refused(IndexBench(), "CreateDynamicThingGroup", thingGroupName="g", queryString="*")

    assert "UpdateIndexingConfiguration" in str(error)


def test_the_same_again_is_the_same_group_and_deleting_is_idempotent(bench: IndexBench) -> None:
    first, again = make(bench, "g", "thingName:a"), make(bench, "g", "thingName:a")
    bench.call("DeleteDynamicThingGroup", thingGroupName="g")
    bench.settle()

    assert first["thingGroupId"] == again["thingGroupId"]
    assert bench.call("DeleteDynamicThingGroup", thingGroupName="g") == {}
    assert refused(bench, "DescribeThingGroup", thingGroupName="g").code == "ResourceNotFoundException"


def test_two_accounts_do_not_meet(bench: IndexBench) -> None:
    bench.call("UpdateIndexingConfiguration", OTHER_ACCOUNT, thingIndexingConfiguration=ON)
    bench.thing("a")
    bench.thing("a", caller=OTHER_ACCOUNT)
    make(bench, "g", "thingName:a")
    bench.registry_call("DeleteThing", OTHER_ACCOUNT, thingName="a")
    bench.settle()

    assert members(bench, "g") == ["a"]


def test_no_policy_is_attached_to_a_dynamic_group() -> None:
    registry, bench = Registry(), IndexBench()
    registry.store = bench.store
    bench.call("UpdateIndexingConfiguration", thingIndexingConfiguration=ON)
    bench.settle()
    arn = make(bench, "g", "*")["thingGroupArn"]
    registry.policy("p")

    with pytest.raises(ServiceError, match="policies cannot be attached"):
        bench.store.run(registry.attachments.attach_policy, {"policyName": "p", "target": arn}, caller=CALLER)
