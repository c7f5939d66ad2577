import json

import pytest
from sqlalchemy import text

from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iot.errors import InvalidRequest, VersionConflict
from hedgerow.services.iot.groups.errors import (
    GroupExists,
    GroupHasChildren,
    GroupNotFound,
    SameTree,
    ThingNotFound,
)
from tests.support.registry import Registry, arn_of, group_arn
from tests.support.store import CALLER, OTHER_ACCOUNT


def told(registry: Registry) -> list[dict[str, object]]:
    """Answer what the follow-ups about memberships say, in order."""
    with registry.store.engine.begin() as connection:
        rows = connection.execute(text("select body from follow_up where kind = 'thing-group-membership' order by seq"))
        return [json.loads(row.body) for row in rows]


def things_in(registry: Registry, group: str, **more: object) -> list[str]:
    request = {"thingGroupName": group, **more}
    return list(registry.store.run(registry.groups.list_things_in_thing_group, request).response["things"])


@pytest.mark.spec("JB-30")
def test_a_nested_group_names_the_way_to_its_root(registry: Registry) -> None:
    registry.group("world")
    registry.group("europe", parentGroupName="world")
    registry.group("germany", parentGroupName="europe")

    described = registry.store.run(registry.groups.describe_thing_group, {"thingGroupName": "germany"}).response

    assert described["thingGroupMetadata"] == {
        "creationDate": registry.store.clock.now(),
        "parentGroupName": "europe",
        "rootToParentThingGroups": [
            {"groupName": "world", "groupArn": group_arn("world")},
            {"groupName": "europe", "groupArn": group_arn("europe")},
        ],
    }


@pytest.mark.spec("BS-13")
def test_the_same_group_again_is_the_same_and_another_of_the_name_is_refused(registry: Registry) -> None:
    first = registry.group("sites", thingGroupProperties={"thingGroupDescription": "radios"})

    assert registry.group("sites", thingGroupProperties={"thingGroupDescription": "radios"}) == first
    with pytest.raises(GroupExists, match="already exists in current account with different properties"):
        registry.group("sites", thingGroupProperties={"thingGroupDescription": "others"})


def test_a_parent_that_is_not_there_is_refused(registry: Registry) -> None:
    with pytest.raises(GroupNotFound, match="ThingGroup 123456789012:none not found"):
        registry.group("sites", parentGroupName="none")


def test_an_eighth_level_is_refused(registry: Registry) -> None:
    registry.group("level-1")
    for level in range(2, 8):
        registry.group(f"level-{level}", parentGroupName=f"level-{level - 1}")

    with pytest.raises(InvalidRequest, match="7 groups deep"):
        registry.group("level-8", parentGroupName="level-7")


@pytest.mark.spec("JB-30")
def test_members_of_groups_below_are_listed_when_asked_for(registry: Registry) -> None:
    registry.group("world")
    registry.group("europe", parentGroupName="world")
    registry.thing("a")
    registry.thing("b")
    registry.join("a", "world")
    registry.join("b", "europe")

    assert things_in(registry, "world") == ["a"]
    assert things_in(registry, "world", recursive=True) == ["a", "b"]
    assert things_in(registry, "europe", recursive=True) == ["b"]


def test_joining_and_leaving_is_told_once_each(registry: Registry) -> None:
    registry.group("sites")
    registry.thing("a")

    registry.join("a", "sites")
    registry.join("a", "sites")
    for _ in range(2):
        registry.store.run(registry.groups.remove_thing_from_thing_group, {"thingName": "a", "thingGroupName": "sites"})

    assert told(registry) == [
        {"thing": "a", "group": "sites", "joined": True},
        {"thing": "a", "group": "sites", "joined": False},
    ]


def test_joining_regrants_the_certificates_of_the_thing(registry: Registry) -> None:
    registry.group("sites")
    registry.thing("a")
    certificate = registry.certificate()
    registry.attach("a", certificate)

    answer = registry.join("a", "sites")

    assert answer.events == (AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id})),)


def test_names_and_arns_are_both_understood(registry: Registry) -> None:
    registry.group("sites")
    registry.thing("a")

    registry.store.run(
        registry.groups.add_thing_to_thing_group,
        {"thingGroupArn": group_arn("sites"), "thingArn": "arn:aws:iot:eu-central-1:123456789012:thing/a"},
    )

    assert things_in(registry, "sites") == ["a"]


def test_a_name_and_an_arn_that_differ_are_refused(registry: Registry) -> None:
    registry.group("sites")
    registry.thing("a")

    with pytest.raises(InvalidRequest, match="different"):
        registry.store.run(
            registry.groups.add_thing_to_thing_group,
            {"thingGroupName": "other", "thingGroupArn": group_arn("sites"), "thingName": "a"},
        )


def test_a_thing_is_in_one_group_of_a_tree_only(registry: Registry) -> None:
    registry.group("world")
    registry.group("europe", parentGroupName="world")
    registry.thing("a")
    registry.join("a", "world")

    with pytest.raises(SameTree, match="already in world"):
        registry.join("a", "europe")


def test_an_eleventh_group_is_refused(registry: Registry) -> None:
    registry.thing("a")
    for number in range(11):
        registry.group(f"group-{number}")
    for number in range(10):
        registry.join("a", f"group-{number}")

    with pytest.raises(InvalidRequest, match="10 thing groups"):
        registry.join("a", "group-10")


def test_what_is_not_there_cannot_join_or_be_joined(registry: Registry) -> None:
    registry.group("sites")
    registry.thing("a")

    with pytest.raises(ThingNotFound):
        registry.join("none", "sites")
    with pytest.raises(GroupNotFound):
        registry.join("a", "none")


def test_several_groups_are_changed_in_one_call(registry: Registry) -> None:
    for name in ("old", "new"):
        registry.group(name)
    registry.thing("a")
    registry.join("a", "old")

    registry.store.run(
        registry.groups.update_thing_groups_for_thing,
        {"thingName": "a", "thingGroupsToAdd": ["new"], "thingGroupsToRemove": ["old"]},
    )

    listed = registry.store.run(registry.groups.list_thing_groups_for_thing, {"thingName": "a"}).response
    assert listed["thingGroups"] == [{"groupName": "new", "groupArn": group_arn("new")}]


def test_a_group_with_children_stays(registry: Registry) -> None:
    registry.group("world")
    registry.group("europe", parentGroupName="world")

    with pytest.raises(GroupHasChildren):
        registry.store.run(registry.groups.delete_thing_group, {"thingGroupName": "world"})


def test_a_deleted_group_lets_its_things_go_and_takes_its_policies_off(registry: Registry) -> None:
    registry.group("sites")
    registry.thing("a")
    certificate = registry.certificate()
    registry.attach("a", certificate)
    registry.join("a", "sites")
    registry.policy("p")
    registry.store.run(registry.attachments.attach_policy, {"policyName": "p", "target": group_arn("sites")})

    answer = registry.store.run(registry.groups.delete_thing_group, {"thingGroupName": "sites"})

    assert told(registry)[-1] == {"thing": "a", "group": "sites", "joined": False}
    assert answer.events == (AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id})),)
    targets = registry.store.run(registry.attachments.list_targets_for_policy, {"policyName": "p"})
    assert targets.response["targets"] == []
    registry.group("sites")
    assert things_in(registry, "sites") == []


def test_deleting_a_group_that_is_not_there_succeeds(registry: Registry) -> None:
    assert registry.store.run(registry.groups.delete_thing_group, {"thingGroupName": "none"}).response == {}


def test_an_update_rejects_a_stale_version(registry: Registry) -> None:
    registry.group("sites")
    properties = {"attributePayload": {"attributes": {"a": "1"}}}

    updated = registry.store.run(
        registry.groups.update_thing_group,
        {"thingGroupName": "sites", "thingGroupProperties": properties, "expectedVersion": 1},
    )
    with pytest.raises(VersionConflict):
        registry.store.run(
            registry.groups.update_thing_group,
            {"thingGroupName": "sites", "thingGroupProperties": properties, "expectedVersion": 1},
        )

    assert updated.response == {"version": 2}


def test_groups_are_listed_by_parent_level_and_start_of_name(registry: Registry) -> None:
    registry.group("world")
    registry.group("europe", parentGroupName="world")
    registry.group("germany", parentGroupName="europe")
    registry.group("elsewhere", OTHER_ACCOUNT)

    def names(**request: object) -> list[str]:
        listed = registry.store.run(registry.groups.list_thing_groups, request).response["thingGroups"]
        return [group["groupName"] for group in listed]

    assert names() == ["europe", "germany", "world"]
    assert names(recursive=False) == ["world"]
    assert names(parentGroup="world") == ["europe"]
    assert names(parentGroup="world", recursive=True) == ["europe", "germany"]
    assert names(namePrefixFilter="e") == ["europe"]


def test_a_thing_of_another_account_cannot_join(registry: Registry) -> None:
    registry.group("sites")
    registry.thing("theirs", OTHER_ACCOUNT)

    with pytest.raises(ThingNotFound):
        registry.join("theirs", "sites")


def test_the_arn_of_a_certificate_is_no_thing(registry: Registry) -> None:
    registry.group("sites")
    certificate = registry.certificate()

    with pytest.raises(InvalidRequest, match="another kind"):
        registry.store.run(
            registry.groups.add_thing_to_thing_group,
            {"thingGroupName": "sites", "thingArn": arn_of(certificate)},
        )
