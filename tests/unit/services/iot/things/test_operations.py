import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iot.errors import InvalidRequest, VersionConflict
from hedgerow.services.iot.things.errors import (
    PrincipalExclusive,
    PrincipalNotFound,
    ThingExists,
    ThingNotFound,
    ThingStillAttached,
    ThingTypeNotFound,
)
from tests.support.registry import Registry, arn_of
from tests.support.store import CALLER, OTHER_ACCOUNT


def describe(registry: Registry, name: str) -> dict[str, object]:
    return dict(registry.store.run(registry.things.describe_thing, {"thingName": name}).response)


@pytest.mark.spec("JB-28", "JB-38")
def test_a_thing_is_created_and_described_with_name_arn_and_version(registry: Registry) -> None:
    created = registry.thing("site-1", attributePayload={"attributes": {"serial": "4711"}})

    described = describe(registry, "site-1")
    assert created["thingArn"] == "arn:aws:iot:eu-central-1:123456789012:thing/site-1"
    assert described == {
        "defaultClientId": "site-1",
        "thingName": "site-1",
        "thingArn": created["thingArn"],
        "thingId": created["thingId"],
        "attributes": {"serial": "4711"},
        "version": 1,
    }


def test_creating_the_same_thing_again_answers_the_same_id(registry: Registry) -> None:
    first = registry.thing("site-1", attributePayload={"attributes": {"serial": "1"}})

    assert registry.thing("site-1", attributePayload={"attributes": {"serial": "1"}}) == first


def test_creating_it_with_other_attributes_is_refused_and_names_the_one_there(registry: Registry) -> None:
    first = registry.thing("site-1", attributePayload={"attributes": {"serial": "1"}})

    with pytest.raises(ThingExists) as caught:
        registry.thing("site-1", attributePayload={"attributes": {"serial": "2"}})

    assert caught.value.members == {"resourceId": first["thingId"], "resourceArn": first["thingArn"]}
    assert describe(registry, "site-1")["attributes"] == {"serial": "1"}


@pytest.mark.spec("AL-08")
def test_two_accounts_have_things_of_one_name(registry: Registry) -> None:
    mine = registry.thing("site-1")
    theirs = registry.thing("site-1", OTHER_ACCOUNT)

    registry.store.run(registry.things.delete_thing, {"thingName": "site-1"})

    assert mine["thingId"] != theirs["thingId"]
    seen = registry.store.run(registry.things.describe_thing, {"thingName": "site-1"}, OTHER_ACCOUNT)
    assert seen.response["thingId"] == theirs["thingId"]


def test_an_update_replaces_all_attributes_and_raises_the_version(registry: Registry) -> None:
    registry.thing("site-1", attributePayload={"attributes": {"a": "1", "b": "2"}})

    registry.store.run(
        registry.things.update_thing, {"thingName": "site-1", "attributePayload": {"attributes": {"c": "3"}}}
    )

    assert describe(registry, "site-1")["attributes"] == {"c": "3"}
    assert describe(registry, "site-1")["version"] == 2


@pytest.mark.spec("JB-28", "JB-71")
def test_a_merging_update_keeps_the_others_and_an_empty_value_takes_one_away(registry: Registry) -> None:
    registry.thing("site-1", attributePayload={"attributes": {"a": "1", "b": "2"}})

    registry.store.run(
        registry.things.update_thing,
        {"thingName": "site-1", "attributePayload": {"attributes": {"a": "", "c": "3"}, "merge": True}},
    )

    assert describe(registry, "site-1")["attributes"] == {"b": "2", "c": "3"}


@pytest.mark.spec("JB-28")
def test_an_update_rejects_a_stale_version_and_changes_nothing(registry: Registry) -> None:
    registry.thing("site-1", attributePayload={"attributes": {"a": "1"}})

    with pytest.raises(VersionConflict):
        registry.store.run(
            registry.things.update_thing,
            {"thingName": "site-1", "expectedVersion": 7, "attributePayload": {"attributes": {"a": "2"}}},
        )

    assert describe(registry, "site-1")["attributes"] == {"a": "1"}


def test_a_fourth_attribute_needs_a_thing_type(registry: Registry) -> None:
    four = {"attributes": {"a": "1", "b": "2", "c": "3", "d": "4"}}
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "radio"})

    with pytest.raises(InvalidRequest, match="3 attributes at most"):
        registry.thing("bare", attributePayload=four)
    registry.thing("typed", attributePayload=four, thingTypeName="radio")

    assert describe(registry, "typed")["thingTypeName"] == "radio"


def test_taking_the_type_away_counts_the_attributes_again(registry: Registry) -> None:
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "radio"})
    four = {"attributes": {"a": "1", "b": "2", "c": "3", "d": "4"}}
    registry.thing("typed", attributePayload=four, thingTypeName="radio")

    with pytest.raises(InvalidRequest, match="without a thing type"):
        registry.store.run(registry.things.update_thing, {"thingName": "typed", "removeThingType": True})


def test_a_thing_type_that_is_not_there_or_deprecated_is_refused(registry: Registry) -> None:
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "old"})
    registry.store.run(registry.types.deprecate_thing_type, {"thingTypeName": "old"})

    with pytest.raises(ThingTypeNotFound, match="123456789012:none"):
        registry.thing("site-1", thingTypeName="none")
    with pytest.raises(InvalidRequest, match="deprecated"):
        registry.thing("site-1", thingTypeName="old")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 129])
def test_a_name_with_other_characters_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidRequest, match="thingName"):
        registry.thing(name)


def test_an_attribute_value_with_a_blank_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidRequest, match="attribute place"):
        registry.thing("site-1", attributePayload={"attributes": {"place": "New York"}})


def test_deleting_a_thing_that_is_not_there_succeeds(registry: Registry) -> None:
    assert registry.store.run(registry.things.delete_thing, {"thingName": "none"}).response == {}


def test_a_thing_with_a_principal_cannot_be_deleted_until_it_is_detached(registry: Registry) -> None:
    registry.thing("site-1")
    certificate = registry.certificate()
    registry.attach("site-1", certificate)

    with pytest.raises(ThingStillAttached):
        registry.store.run(registry.things.delete_thing, {"thingName": "site-1"})
    registry.store.run(
        registry.principals.detach_thing_principal, {"thingName": "site-1", "principal": arn_of(certificate)}
    )
    registry.store.run(registry.things.delete_thing, {"thingName": "site-1"})

    with pytest.raises(ThingNotFound):
        describe(registry, "site-1")


def test_a_deleted_thing_leaves_its_groups(registry: Registry) -> None:
    registry.thing("site-1")
    registry.group("sites")
    registry.join("site-1", "sites")

    registry.store.run(registry.things.delete_thing, {"thingName": "site-1"})

    listed = registry.store.run(registry.groups.list_things_in_thing_group, {"thingGroupName": "sites"})
    assert listed.response["things"] == []


def names(registry: Registry, **request: object) -> list[str]:
    things = registry.store.run(registry.things.list_things, request).response["things"]
    return [thing["thingName"] for thing in things]


@pytest.mark.spec("JB-28", "JB-23")
def test_things_are_listed_by_attribute_value_start_and_type(registry: Registry) -> None:
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "radio"})
    registry.thing("a", attributePayload={"attributes": {"place": "Kiel"}})
    registry.thing("b", attributePayload={"attributes": {"place": "Koeln"}}, thingTypeName="radio")
    registry.thing("c", attributePayload={"attributes": {"height": "3"}}, thingTypeName="radio")

    assert names(registry) == ["a", "b", "c"]
    assert names(registry, attributeName="place") == ["a", "b"]
    assert names(registry, attributeName="place", attributeValue="Kiel") == ["a"]
    assert names(registry, attributeName="place", attributeValue="K", usePrefixAttributeValue=True) == ["a", "b"]
    assert names(registry, attributeName="place", attributeValue="K") == []
    assert names(registry, thingTypeName="radio") == ["b", "c"]
    assert names(registry, thingTypeName="radio", attributeName="place", attributeValue="Koeln") == ["b"]


def test_an_attribute_that_was_replaced_is_not_found_any_more(registry: Registry) -> None:
    registry.thing("a", attributePayload={"attributes": {"place": "Kiel"}})

    registry.store.run(
        registry.things.update_thing, {"thingName": "a", "attributePayload": {"attributes": {"place": "Bonn"}}}
    )

    assert names(registry, attributeName="place", attributeValue="Kiel") == []
    assert names(registry, attributeName="place", attributeValue="Bonn") == ["a"]


def test_a_value_without_a_name_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidRequest, match="attributeName"):
        names(registry, attributeValue="Kiel")


@given(count=st.integers(0, 7), size=st.integers(1, 4))
def test_pages_together_are_the_whole_list(count: int, size: int) -> None:
    registry = Registry()
    for number in range(count):
        registry.thing(f"thing-{number}")

    seen: list[str] = []
    token: dict[str, object] = {}
    while True:
        answer = registry.store.run(registry.things.list_things, {"maxResults": size, **token}).response
        assert len(answer["things"]) <= size
        seen += [thing["thingName"] for thing in answer["things"]]
        if "nextToken" not in answer:
            break
        token = {"nextToken": answer["nextToken"]}

    assert seen == [f"thing-{number}" for number in range(count)]


def test_a_token_of_another_account_or_filter_is_refused(registry: Registry) -> None:
    for name in ("a", "b"):
        registry.thing(name)
    token = registry.store.run(registry.things.list_things, {"maxResults": 1}).response["nextToken"]

    with pytest.raises(Exception, match="nextToken is not valid"):
        registry.store.run(registry.things.list_things, {"maxResults": 1, "nextToken": token}, OTHER_ACCOUNT)
    with pytest.raises(Exception, match="nextToken is not valid"):
        registry.store.run(registry.things.list_things, {"nextToken": token, "attributeName": "place"})


@pytest.mark.spec("DR-18")
def test_attaching_shows_on_both_sides_and_names_the_certificate(registry: Registry) -> None:
    registry.thing("site-1")
    certificate = registry.certificate()

    answer = registry.attach("site-1", certificate)

    principals = registry.store.run(registry.principals.list_thing_principals, {"thingName": "site-1"})
    things = registry.store.run(registry.principals.list_principal_things, {"principal": arn_of(certificate)})
    assert principals.response == {"principals": [arn_of(certificate)]}
    assert things.response == {"things": ["site-1"]}
    changed = AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id}))
    assert answer.events == (changed,)


def test_the_second_generation_of_the_lists_says_how_it_is_attached(registry: Registry) -> None:
    registry.thing("site-1")
    certificate = registry.certificate()
    registry.attach("site-1", certificate, thingPrincipalType="EXCLUSIVE_THING")

    principals = registry.store.run(registry.principals.list_thing_principals_v2, {"thingName": "site-1"})
    things = registry.store.run(
        registry.principals.list_principal_things_v2,
        {"principal": arn_of(certificate), "thingPrincipalType": "NON_EXCLUSIVE_THING"},
    )

    assert principals.response["thingPrincipalObjects"] == [
        {"principal": arn_of(certificate), "thingPrincipalType": "EXCLUSIVE_THING"}
    ]
    assert things.response["principalThingObjects"] == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"), ("NON_EXCLUSIVE_THING", "EXCLUSIVE_THING")],
)
def test_an_exclusive_attachment_leaves_room_for_no_other(registry: Registry, first: str, second: str) -> None:
    registry.thing("a")
    registry.thing("b")
    certificate = registry.certificate()
    registry.attach("a", certificate, thingPrincipalType=first)

    with pytest.raises(PrincipalExclusive):
        registry.attach("b", certificate, thingPrincipalType=second)


def test_a_certificate_of_nobody_cannot_be_attached(registry: Registry) -> None:
    registry.thing("site-1")
    stranger = f"arn:aws:iot:eu-central-1:123456789012:cert/{'0' * 64}"

    with pytest.raises(PrincipalNotFound):
        registry.store.run(registry.principals.attach_thing_principal, {"thingName": "site-1", "principal": stranger})


def test_a_certificate_of_another_account_cannot_be_attached(registry: Registry) -> None:
    registry.thing("site-1")
    certificate = registry.certificate(caller=OTHER_ACCOUNT)

    with pytest.raises(InvalidRequest, match="123456789012"):
        registry.store.run(
            registry.principals.attach_thing_principal,
            {"thingName": "site-1", "principal": arn_of(certificate, OTHER_ACCOUNT)},
        )
    with pytest.raises(PrincipalNotFound):
        registry.attach("site-1", certificate)


def test_an_update_regrants_those_who_speak_for_the_thing(registry: Registry) -> None:
    registry.thing("site-1")
    certificate = registry.certificate()
    registry.attach("site-1", certificate)

    answer = registry.store.run(
        registry.things.update_thing, {"thingName": "site-1", "attributePayload": {"attributes": {"a": "1"}}}
    )

    assert answer.events == (AuthorisationChanged(account=CALLER.account, principals=frozenset({certificate.id})),)
