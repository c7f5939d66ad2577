import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.template import (
    BadFunction,
    BadValue,
    CannotResolve,
    Resolved,
    TooLong,
    UnsafeValue,
    policy_name,
    read,
    resolve,
)
from tests.unit.core.template.templates import CERTIFICATE, template

TEXT = st.text(st.characters(exclude_characters="${}|\0", exclude_categories=["Cs"]), max_size=10)


def name_of(value: Any, **more: Any) -> str:
    parameters = more.pop("parameters", {})
    resolved = resolve(read(template({"ThingName": value}, **more)), parameters, certificate_id="c" * 64)
    assert resolved.thing is not None
    return resolved.thing.name


@pytest.mark.spec("BS-22")
def test_a_parameter_without_value_is_named() -> None:
    declared = {"Site": {"Type": "String"}}

    with pytest.raises(CannotResolve, match="Cannot resolve reference value: Site"):
        name_of({"Ref": "Site"}, Parameters=declared)


def test_a_value_wins_over_the_default() -> None:
    declared = {"Site": {"Type": "String", "Default": "north"}}

    assert name_of({"Ref": "Site"}, Parameters=declared) == "north"
    assert name_of({"Ref": "Site"}, Parameters=declared, parameters={"Site": "south"}) == "south"


def test_a_device_cannot_say_which_certificate_it_is() -> None:
    forged = {"AWS::IoT::Certificate::Id": "f" * 64}

    assert name_of({"Ref": "AWS::IoT::Certificate::Id"}, parameters=forged) == "c" * 64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Fn::Join": ["-", ["a", {"Ref": "P"}]]}, "a-x|y"),
        ({"Fn::Join": ["", []]}, ""),
        ({"Fn::Select": [1, {"Fn::Split": ["|", {"Ref": "P"}]}]}, "y"),
        ({"Fn::Select": ["0", ["a", "b"]]}, "a"),
        ({"Fn::FindInMap": ["Sites", {"Ref": "K"}, "name"]}, "Kiel"),
        ({"Fn::Sub": "site-${P}-${!P}"}, "site-x|y-${P}"),
        ({"Fn::Sub": ["${A}${P}", {"A": {"Ref": "K"}}]}, "kx|y"),
        ({"Fn::Sub": ["${P}", {"P": "own"}]}, "own"),
        (7, "7"),
        (True, "true"),
    ],
)
def test_each_function_does_what_its_name_says(value: Any, expected: str) -> None:
    mappings = {"Sites": {"k": {"name": "Kiel"}}}

    assert name_of(value, Mappings=mappings, parameters={"P": "x|y", "K": "k"}) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::Select": [2, ["a", "b"]]},
        {"Fn::Select": ["-1", ["a", "b"]]},
        {"Fn::Select": ["²", ["a", "b", "c"]]},
        {"Fn::Select": [0, "text"]},
        {"Fn::Split": [{"Ref": "Empty"}, "a"]},
        {"Fn::FindInMap": ["Sites", "k", "name"]},
        {"Fn::Join": [["-"], ["a"]]},
        {"Fn::Join": ["-", "a"]},
        {"Fn::Join": ["-", [None]]},
    ],
)
def test_arguments_without_an_answer_are_refused(value: Any) -> None:
    with pytest.raises(BadFunction):
        name_of(value, parameters={"Empty": ""})


def test_a_small_template_cannot_make_a_large_text() -> None:
    value: Any = "x" * 100
    for _ in range(5):
        value = {"Fn::Sub": ["${X}" * 20, {"X": value}]}
    joined: Any = "x" * 100
    for _ in range(5):
        joined = {"Fn::Join": [joined, [""] * 20]}

    for large in (value, joined):
        with pytest.raises(TooLong):
            name_of(large)


@pytest.mark.parametrize("value", [{"Ref": "P"}, {"Fn::Join": ["", [{"Ref": "P"}]]}])
def test_a_device_is_not_sent_a_large_configuration(value: Any) -> None:
    text = template(DeviceConfiguration=dict.fromkeys("abc", value))

    with pytest.raises(TooLong):
        resolve(read(text), {"P": "x" * 30_000}, certificate_id="c" * 64)


def test_a_thing_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadValue, match="ThingName must be a string"):
        name_of(["a"])


def policies(*documents: Any, parameters: dict[str, str] | None = None) -> Resolved:
    resources = {
        f"p{number}": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}}
        for number, document in enumerate(documents)
    }
    return resolve(read(template(resources=resources)), parameters or {}, certificate_id="c" * 64)


def test_a_policy_as_text_and_as_object_has_one_name() -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}

    resolved = policies(document, json.dumps(document, indent=2), dict(reversed(document.items())))

    assert len({policy.name for policy in resolved.policies}) == 1
    assert all(json.loads(policy.document or "") == document for policy in resolved.policies)


def test_a_policy_keeps_its_policy_variables() -> None:
    document = {"Statement": {"Resource": "arn:aws:iot:*:*:client/${iot:Connection.Thing.ThingName}"}}

    (policy,) = policies(document).policies

    assert json.loads(policy.document or "") == document


def test_a_policy_document_that_is_no_json_is_refused() -> None:
    with pytest.raises(BadValue, match="no JSON"):
        policies("{")


def test_a_device_configuration_is_filled_in() -> None:
    text = template(DeviceConfiguration={"url": {"Fn::Sub": "https://${Host}/"}, "level": 3})

    resolved = resolve(read(text), {"Host": "h"}, certificate_id="c" * 64)

    assert resolved.device_configuration == {"url": "https://h/", "level": "3"}


def test_groups_are_named_once_each_and_attributes_are_texts() -> None:
    text = template(
        {
            "ThingName": "a",
            "ThingGroups": ["g", {"Ref": "G"}, "g"],
            "AttributePayload": {"v": {"Ref": "G"}, "n": 1},
        }
    )

    thing = resolve(read(text), {"G": "h"}, certificate_id="c" * 64).thing

    assert thing is not None
    assert thing.groups == ("g", "h")
    assert thing.attributes == {"v": "h", "n": "1"}


def test_a_status_comes_from_a_parameter_too() -> None:
    certificate = {**CERTIFICATE, "Properties": {**CERTIFICATE["Properties"], "Status": {"Ref": "S"}}}
    read_template = read(template(resources={"certificate": certificate}))

    assert not resolve(read_template, {"S": "inactive"}, certificate_id="c").certificate.active
    with pytest.raises(BadValue, match="Status"):
        resolve(read_template, {"S": "REVOKED"}, certificate_id="c")


@given(parts=st.lists(TEXT, min_size=1, max_size=5), index=st.integers(0, 4))
def test_selecting_from_what_was_joined_and_split_is_the_part(parts: list[str], index: int) -> None:
    value = {"Fn::Select": [index, {"Fn::Split": ["|", {"Fn::Join": ["|", parts]}]}]}

    if index < len(parts):
        assert name_of(value) == parts[index]
    else:
        with pytest.raises(BadFunction):
            name_of(value)


@given(text=TEXT, value=TEXT)
def test_substitution_is_joining(text: str, value: str) -> None:
    joined = {"Fn::Join": ["", [text, {"Ref": "P"}, text]]}

    assert name_of({"Fn::Sub": f"{text}${{P}}{text}"}, parameters={"P": value}) == name_of(
        joined, parameters={"P": value}
    )


@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_what_a_device_sends_is_never_read_as_a_function(value: str) -> None:
    assert name_of({"Fn::Sub": "${P}"}, parameters={"P": value}) == value
    assert name_of({"Ref": "P"}, parameters={"P": value}) == value


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5), st.integers(0, 4))
def test_the_name_of_a_policy_does_not_depend_on_spelling(document: dict[str, Any], indent: int) -> None:
    turned = dict(reversed(document.items()))

    assert policy_name(json.dumps(document)) == policy_name(json.dumps(turned, indent=indent))


def with_policy(document: Any) -> dict[str, Any]:
    return {"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}}}


def test_a_value_with_a_nul_character_fills_nothing() -> None:
    with pytest.raises(UnsafeValue, match="value of Name has a NUL"):
        name_of({"Ref": "Name"}, parameters={"Name": "a\0b"})


@pytest.mark.parametrize("value", ["#", "a/+", "*", "${iot:ClientId}"])
def test_what_a_device_says_does_not_become_a_pattern(value: str) -> None:
    read_template = read(template(resources=with_policy({"Resource": {"Fn::Sub": "topicfilter/${Name}"}})))

    with pytest.raises(UnsafeValue):
        resolve(read_template, {"Name": value}, certificate_id="c" * 64)


@given(
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    written=st.sampled_from(['{"Resource": "client/${Name}"}', {"Resource": "client/${Name}"}]),
)
def test_what_a_device_says_is_a_plain_text_in_a_policy_or_refused(value: str, written: Any) -> None:
    document = {"Fn::Sub": written} if isinstance(written, str) else {"Resource": {"Fn::Sub": written["Resource"]}}
    read_template = read(template({"ThingName": "a"}, resources=with_policy(document)))

    try:
        found = resolve(read_template, {"Name": value}, certificate_id="c" * 64).policies[0].document
    except UnsafeValue:
        return

    assert found is not None
    assert json.loads(found) == {"Resource": f"client/{value}"}
    assert not set(value) & set("*?#+${}")
