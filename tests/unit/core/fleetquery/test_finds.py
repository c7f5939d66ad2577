from typing import Any

import pytest
from hypothesis import given

from hedgerow.core.fleetquery import Field, Node, Not, fields_of, finds, parse
from tests.unit.core.fleetquery.queries import documents, trees

THING: dict[str, Any] = {
    "thingName": "Pump-01",
    "thingGroupNames": ["north", "Billing A"],
    "attributes": {"level": "75", "serial": "abce", "note": None},
    "shadow": {
        "reported": {"on": True, "volts": 7.5, "tags": ["Red", "blue"], "text": "Two little Words", "list": [{"a": 1}]},
        "hasDelta": False,
    },
    "connectivity": {"connected": True, "timestamp": 1641508937000},
    "registry": {"version": 3},
}


def found(query: str, document: dict[str, Any] = THING) -> bool:
    return finds(parse(query), list(fields_of(document)))


@pytest.mark.spec("JB-24")
@pytest.mark.parametrize(
    "query",
    [
        "*",
        "thingName:pump-01",
        "thingName:PUMP*",
        "thingName:p?mp-0?",
        "thingName:*01",
        "thingGroupNames:north",
        'thingGroupNames:"billing a"',
        "thingGroupNames:billing",
        "attributes.level:75",
        "attributes.level:75.0",
        "attributes.level:[70 TO 75]",
        "attributes.level>74.5",
        'attributes.serial:["abcd" TO "abcf"]',
        "shadow.reported.on:true",
        "shadow.reported.volts<8",
        "shadow.reported.tags:red AND shadow.reported.tags:BLUE",
        'shadow.reported.text:"little words"',
        "shadow.reported.text:two",
        "shadow.hasDelta:false",
        "connectivity.connected:true AND connectivity.timestamp > 1641508936000",
        "blue",
        "NOT attributes.note:*",
        "NOT shadow.reported.list.a:*",
        "-attributes.level:{75 TO 80}",
    ],
)
def test_a_query_finds_a_thing(query: str) -> None:
    assert found(query)


@pytest.mark.parametrize(
    "query",
    [
        "thingname:pump-01",  # names of fields are exact
        "thingName:pump",
        "attributes.level:7",
        "attributes.level:{75 TO 80]",
        'attributes.level:["76" TO "80"]',
        "attributes.serial>5",
        'shadow.reported.text:"two words"',
        "shadow.reported.text:t*s",  # a wildcard does not cross words
        "shadow.reported.on:1",
        "connectivity.connected:false",
        "1641508937000",  # a term without a field is not looked for in connectivity
        "3",  # nor in the version
        "NOT *",
    ],
)
def test_a_query_does_not_find_it(query: str) -> None:
    assert not found(query)


def test_a_value_of_several_words_is_one_whole_and_its_words() -> None:
    assert list(fields_of({"d": " Two  two\tThree "})) == [
        Field("d", "two two three", None, True),
        Field("d", "two", None, False),
        Field("d", "three", None, False),
    ]


def test_truth_values_and_numbers_of_an_array_are_different_values() -> None:
    assert [field.text for field in fields_of({"d": [1, True, 1, True, 0, False]})] == ["1", "true", "0", "false"]


def test_long_wildcards_take_no_time() -> None:
    fields = list(fields_of({"d": "a" * 1024}))

    assert not finds(parse("d:" + "a?" * 5 + "*a*b"), fields)


@given(trees, documents)
def test_not_finds_the_rest(tree: Node, document: dict[str, Any]) -> None:
    fields = list(fields_of(document))

    assert finds(Not(tree), fields) is not finds(tree, fields)
