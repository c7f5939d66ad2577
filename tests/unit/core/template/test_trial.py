from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.template import BadTemplate, tried
from tests.unit.core.template.templates import CERTIFICATE, template

THING = "Resources.thing.Properties"
KEYS = ["Ref", "Fn::Join", "Fn::Sub", "Fn::Select", "Fn::Split", "Fn::FindInMap", "AttributePayload", "Statement", "x"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=10,
)


@pytest.mark.spec("AL-37")
@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"ThingName": {"ref": "SerialNumber"}}, f"{THING}.ThingName must be a string"),
        ({"ThingName": {"Fn::Split": ["-", "a-b"]}}, f"{THING}.ThingName must be a string"),
        ({"ThingName": {"Fn::Select": [2, ["a", "b"]]}}, f"{THING}.ThingName has an invalid Fn::Select"),
        ({"ThingName": {"Fn::FindInMap": ["M", "a", "b"]}}, f"{THING}.ThingName has an invalid Fn::FindInMap"),
        ({"ThingName": {"Fn::Base64": "x"}}, f"an invalid Fn::Base64 at {THING}.ThingName"),
        (
            {"ThingName": "a", "AttributePayload": {"site": {"Fn::Join": ["-", [{"Ref": "a", "x": 1}]]}}},
            f"an invalid Ref at {THING}.AttributePayload.site[1][0]",
        ),
        ({"ThingName": "a", "AttributePayload": ["x"]}, f"{THING}.AttributePayload must be an object of strings"),
        ({"ThingName": "a", "ThingGroups": "g"}, f"{THING}.ThingGroups must be a list of strings"),
        ({"ThingName": ["a", {"Ref": "a"}]}, f"{THING}.ThingName must be a string"),
        ({"ThingName": {"x": {"Ref": "a"}}}, f"{THING}.ThingName must be a string"),
        ({"ThingName": "a lamp"}, f"{THING}.ThingName must be 1 to 128 characters of a-z"),
        ({"ThingName": "${SerialNumber}"}, f"{THING}.ThingName must be 1 to 128 characters of a-z"),
        ({"ThingName": "a", "ThingTypeName": ""}, f"{THING}.ThingTypeName must be 1 to 128 characters"),
        ({"ThingName": "a", "ThingGroups": ["b", [{"Ref": "g"}]]}, f"{THING}.ThingGroups[1] must be a string"),
        ({"ThingName": "a", "ThingGroups": {"Ref": "g"}}, f"{THING}.ThingGroups must be a list of strings"),
        ({"ThingName": "a", "AttributePayload": {"b": None, "c": {"Ref": "c"}}}, f"{THING}.AttributePayload.b must be"),
        ({"ThingName": "a", "AttributePayload": {"b c": "d"}}, f"{THING}.AttributePayload.b c has a name that must be"),
        ({"ThingName": "a", "AttributePayload": {"b": "c d"}}, f"{THING}.AttributePayload.b must be at most 800"),
        ({"ThingName": {"Fn::Select": [2, ["a", {"Ref": "b"}]]}}, "Fn::Select: the list ends before the index 2"),
        ({"ThingName": {"Fn::Select": ["-1", {"Fn::Split": ["-", {"Ref": "b"}]}]}}, "the index -1 is no number"),
        ({"ThingName": {"Fn::Select": [0, {"Ref": "b"}]}}, "ThingName.Fn::Select[1] must be a list of strings"),
        ({"ThingName": {"Fn::Join": ["-", {"Ref": "b"}]}}, "ThingName.Fn::Join[1] must be a list of strings"),
        ({"ThingName": {"Fn::Join": ["-", [{"Ref": "b"}, None]]}}, "ThingName.Fn::Join[1][1] must be a string"),
        (
            {"ThingName": {"Fn::Sub": ["${X}", {"X": {"Fn::Split": ["-", {"Ref": "b"}]}}]}},
            "ThingName.Fn::Sub[1].X must be a string",
        ),
        ({"ThingName": {"Fn::FindInMap": ["None", {"Ref": "b"}, "c"]}}, "Fn::FindInMap: there is no None in Mappings"),
        ({"ThingName": {"Fn::FindInMap": ["Sites", {"Ref": "b"}, "c"]}}, "Fn::FindInMap: there is no c in Mappings"),
        ({"ThingName": {"Ref": "AWS::Region"}}, f"{THING}.ThingName refers to AWS::Region, which is not known in"),
        ({"ThingName": {"Fn::Sub": "${AWS::IoT::Certificate::CommonName}"}}, f"{THING}.ThingName.Fn::Sub refers to"),
    ],
)
def test_what_no_parameter_could_mend_is_refused_with_its_path(properties: dict[str, Any], words: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        tried(template(properties, Mappings={"Sites": {"north": {"url": "u"}}}))

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("document", "words"),
    [("{bad", "cannot be used: PolicyDocument is no JSON"), ("[]", "must be a JSON object"), ([], "must be a string")],
)
def test_a_policy_that_is_none_is_refused_with_its_path(document: Any, words: str) -> None:
    policy = {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": document}}

    with pytest.raises(BadTemplate) as caught:
        tried(template(resources={"may": policy}))

    assert "Resources.may.Properties.PolicyDocument" in str(caught.value)
    assert words in str(caught.value)


def test_a_policy_that_is_no_iot_policy_is_refused() -> None:
    statement = {"Effect": "Permit", "Action": "iot:Connect", "Resource": "*"}
    policy = {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": {"Statement": [statement]}}}

    with pytest.raises(BadTemplate, match=r"Resources\.may\.Properties\.PolicyDocument cannot be used: Effect"):
        tried(template(resources={"may": policy}))


def test_functions_in_a_policy_are_looked_at() -> None:
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": [{"Fn::Join": ["/", {"Ref": "a"}]}]}
    policy = {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": {"Statement": [statement]}}}

    with pytest.raises(BadTemplate, match=r"Statement\[0\]\.Resource\[0\]\.Fn::Join\[1\] must be a list"):
        tried(template(resources={"may": policy}))


@pytest.mark.parametrize(
    ("property_", "value", "words"),
    [
        ("Status", {"Fn::Join": ["", ["Rev", "oked"]]}, "Status must be Active or Inactive"),
        ("Status", True, "Status must be Active or Inactive"),
        ("ThingPrincipalType", ["EXCLUSIVE_THING"], "ThingPrincipalType must be a string"),
    ],
)
def test_a_certificate_that_no_device_could_have_is_refused(property_: str, value: Any, words: str) -> None:
    certificate = {**CERTIFICATE, "Properties": {**CERTIFICATE["Properties"], property_: value}}

    with pytest.raises(BadTemplate, match=words):
        tried(template(resources={"certificate": certificate}))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"Fn::Split": ["-", "a-b"]}, "DeviceConfiguration.url must be a string"),
        ({"Fn::Select": [3, [{"Ref": "a"}]]}, "DeviceConfiguration.url has an invalid Fn::Select"),
        ({"Fn::FindInMap": ["None", "a", "b"]}, "DeviceConfiguration.url has an invalid Fn::FindInMap"),
        ({"Ref": "AWS::AccountId"}, "DeviceConfiguration.url refers to AWS::AccountId"),
    ],
)
def test_a_device_configuration_that_no_device_could_get_is_refused(value: Any, words: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        tried(template(DeviceConfiguration={"url": value}))

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([], "must be an object"),
        (False, "must be an object"),
        ({"AttributePayload": ["REPLACE"]}, "must say for AttributePayload one of"),
        ({"AttributePayload": {"Ref": "a"}}, "must say for AttributePayload one of"),
        ({"AttributePayload": "MERGE", "ATTRIBUTE_PAYLOAD": "FAIL"}, "says twice what becomes of AttributePayload"),
    ],
)
def test_settings_that_say_nothing_clear_are_refused(settings: Any, words: str) -> None:
    thing = {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": "a"}, "OverrideSettings": settings}

    with pytest.raises(BadTemplate, match=words):
        tried(template(resources={"thing": thing}))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"lamp"', '"lamp", "ThingName": "bulb"', "has ThingName twice"),
        ('"lamp"', "NaN", "has NaN, which is no JSON"),
        ('"lamp"', '"\\ud800"', "half a surrogate pair"),
    ],
)
def test_what_would_get_lost_on_the_way_is_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(BadTemplate, match=words):
        tried(template({"ThingName": "lamp"}).replace(old, new))


@given(JSON, JSON)
def test_any_json_is_a_template_or_is_refused_with_the_reason(properties: Any, section: Any) -> None:
    for body in (
        template({"ThingName": properties, "AttributePayload": section}, overrides=section),
        template(resources={"p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": properties}}}),
        template({"ThingName": "a", "ThingGroups": properties}, DeviceConfiguration={"a": section}),
    ):
        try:
            found = tried(body)
        except BadTemplate:
            continue
        assert found.certificate_resource == "certificate"


def test_what_depends_on_parameters_is_left_to_the_device_that_comes() -> None:
    made = tried(template({"ThingName": {"Fn::Select": [2, {"Fn::Split": ["-", {"Ref": "SerialNumber"}]}]}}))

    assert made.thing_resource == "thing"
