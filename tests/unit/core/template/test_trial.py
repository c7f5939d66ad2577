from typing import Any

import pytest

from hedgerow.core.template import BadTemplate, tried
from tests.unit.core.template.templates import template

THING = "Resources.thing.Properties"


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
    ],
)
def test_what_no_parameter_could_mend_is_refused_with_its_path(properties: dict[str, Any], words: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        tried(template(properties))

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


def test_what_depends_on_parameters_is_left_to_the_device_that_comes() -> None:
    made = tried(template({"ThingName": {"Fn::Select": [2, {"Fn::Split": ["-", {"Ref": "SerialNumber"}]}]}}))

    assert made.thing_resource == "thing"
