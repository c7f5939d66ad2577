from typing import Any

import pytest

from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.thing_types.errors import ThingTypeExists, ThingTypeNotFound
from tests.support.registry import Registry
from tests.support.store import CALLER


@pytest.mark.spec("DR-07", "DR-13", "JB-29")
def test_a_type_is_described_with_its_searchable_attributes(registry: Registry) -> None:
    properties = {"thingTypeDescription": "a button", "searchableAttributes": ["serialNumber"]}
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "Button", "thingTypeProperties": properties})

    described = registry.store.run(registry.types.describe_thing_type, {"thingTypeName": "Button"}).response

    assert described["thingTypeProperties"] == properties
    assert described["thingTypeMetadata"] == {"deprecated": False, "creationDate": registry.store.clock.now()}


def test_the_same_type_again_is_the_same_and_another_of_the_name_is_refused(registry: Registry) -> None:
    first = registry.store.run(registry.types.create_thing_type, {"thingTypeName": "Button"}).response

    assert registry.store.run(registry.types.create_thing_type, {"thingTypeName": "Button"}).response == first
    with pytest.raises(ThingTypeExists):
        registry.store.run(
            registry.types.create_thing_type,
            {"thingTypeName": "Button", "thingTypeProperties": {"thingTypeDescription": "other"}},
        )


def test_a_type_is_updated_in_what_is_given(registry: Registry) -> None:
    before = {"thingTypeDescription": "a button", "searchableAttributes": ["serialNumber"]}
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "Button", "thingTypeProperties": before})

    for properties in ({"thingTypeDescription": "a big button"}, {"searchableAttributes": ["site"]}):
        request = {"thingTypeName": "Button", "thingTypeProperties": properties}
        registry.store.run(registry.types.update_thing_type, request)

    described = registry.store.run(registry.types.describe_thing_type, {"thingTypeName": "Button"}).response
    after = {"thingTypeDescription": "a big button", "searchableAttributes": ["site"]}
    assert described["thingTypeProperties"] == after
    with pytest.raises(ThingTypeNotFound):
        registry.store.run(registry.types.update_thing_type, {"thingTypeName": "Other"})


def test_a_fourth_searchable_attribute_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidRequest, match="3 searchable"):
        registry.store.run(
            registry.types.create_thing_type,
            {"thingTypeName": "Button", "thingTypeProperties": {"searchableAttributes": ["a", "b", "c", "d"]}},
        )


@pytest.mark.spec("JB-29")
def test_a_type_is_deleted_five_minutes_after_it_was_deprecated(registry: Registry) -> None:
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "Button"})

    with pytest.raises(InvalidRequest, match="deprecate it first"):
        registry.store.run(registry.types.delete_thing_type, {"thingTypeName": "Button"})
    registry.store.run(registry.types.deprecate_thing_type, {"thingTypeName": "Button"})
    registry.store.clock.advance(299)
    with pytest.raises(InvalidRequest, match="5 minutes"):
        registry.store.run(registry.types.delete_thing_type, {"thingTypeName": "Button"})
    registry.store.clock.advance(1)
    registry.store.run(registry.types.delete_thing_type, {"thingTypeName": "Button"})

    with pytest.raises(ThingTypeNotFound):
        registry.store.run(registry.types.describe_thing_type, {"thingTypeName": "Button"})


def test_a_type_that_a_thing_has_is_not_deleted(registry: Registry) -> None:
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "Button"})
    registry.thing("a", thingTypeName="Button")
    registry.store.run(registry.types.deprecate_thing_type, {"thingTypeName": "Button"})
    registry.store.clock.advance(301)

    with pytest.raises(InvalidRequest, match="in use"):
        registry.store.run(registry.types.delete_thing_type, {"thingTypeName": "Button"})


def test_undoing_the_deprecation_lets_things_have_it_again(registry: Registry) -> None:
    registry.store.run(registry.types.create_thing_type, {"thingTypeName": "Button"})
    registry.store.run(registry.types.deprecate_thing_type, {"thingTypeName": "Button"})

    registry.store.run(registry.types.deprecate_thing_type, {"thingTypeName": "Button", "undoDeprecate": True})

    assert registry.thing("a", thingTypeName="Button")["thingName"] == "a"


def test_types_are_listed_by_name_or_one_alone(registry: Registry) -> None:
    for name in ("b", "a"):
        registry.store.run(registry.types.create_thing_type, {"thingTypeName": name})

    both = registry.store.run(registry.types.list_thing_types).response["thingTypes"]
    one = registry.store.run(registry.types.list_thing_types, {"thingTypeName": "b"}).response["thingTypes"]

    assert [kind["thingTypeName"] for kind in both] == ["a", "b"]
    assert [kind["thingTypeName"] for kind in one] == ["b"]


# --- propagating attributes

CLIENT = {"userPropertyKey": "iot:ClientId", "connectionAttribute": "iot:ClientId"}
NAME = {"userPropertyKey": "thing", "connectionAttribute": "iot:Thing.ThingName"}
SITE = {"userPropertyKey": "site", "thingAttribute": "site"}


def adding(*attributes: dict[str, str]) -> dict[str, Any]:
    return {"mqtt5Configuration": {"propagatingAttributes": list(attributes)}}


def create(registry: Registry, *attributes: dict[str, str]) -> None:
    request = {"thingTypeName": "Lamp", "thingTypeProperties": adding(*attributes)}
    registry.store.run(registry.types.create_thing_type, request)


def test_what_a_type_adds_to_publications_is_described_in_order(registry: Registry) -> None:
    create(registry, CLIENT, SITE, NAME)

    described = registry.store.run(registry.types.describe_thing_type, {"thingTypeName": "Lamp"}).response

    assert described["thingTypeProperties"] == {"searchableAttributes": [], **adding(CLIENT, SITE, NAME)}


def test_what_a_type_adds_has_values_where_there_are_any(registry: Registry) -> None:
    create(registry, SITE, CLIENT, {"userPropertyKey": "floor", "thingAttribute": "floor"}, NAME, SITE)
    with registry.store.tx() as tx:
        kind = registry.type_store.get(tx, CALLER.account, "Lamp")
    assert kind is not None

    pairs = kind.enrichment("lamp-1", {"site": "north", "other": "x"}, "client-1")

    assert pairs == (("site", "north"), ("iot:ClientId", "client-1"), ("thing", "lamp-1"), ("site", "north"))


def test_an_update_replaces_what_is_added_and_tells_who_is_connected(registry: Registry) -> None:
    create(registry, CLIENT)
    update = registry.types.update_thing_type

    described = {"thingTypeName": "Lamp", "thingTypeProperties": {"thingTypeDescription": "bright"}}
    unchanged = registry.store.run(update, described)
    changed = registry.store.run(update, {"thingTypeName": "Lamp", "thingTypeProperties": adding(SITE)})
    again = registry.store.run(update, {"thingTypeName": "Lamp", "thingTypeProperties": adding(SITE)})

    shown = registry.store.run(registry.types.describe_thing_type, {"thingTypeName": "Lamp"}).response
    assert shown["thingTypeProperties"]["mqtt5Configuration"] == adding(SITE)["mqtt5Configuration"]
    assert changed.events == (AuthorisationChanged(account=CALLER.account),)
    assert (tuple(unchanged.events), tuple(again.events)) == ((), ())


def test_a_type_with_other_additions_is_another_type(registry: Registry) -> None:
    create(registry, CLIENT)

    create(registry, CLIENT)
    with pytest.raises(ThingTypeExists):
        create(registry, SITE)


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ([{"userPropertyKey": "k"}], "either"),
        ([{**SITE, "connectionAttribute": "iot:ClientId"}], "either"),
        ([{"thingAttribute": "site"}], "userPropertyKey"),
        ([{"userPropertyKey": "k", "connectionAttribute": "iot:SourceIp"}], "iot:Thing.ThingName"),
        ([SITE] * 21, "20 propagating"),
    ],
)
def test_what_cannot_be_added_is_refused(registry: Registry, attributes: list[dict[str, str]], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        create(registry, *attributes)
