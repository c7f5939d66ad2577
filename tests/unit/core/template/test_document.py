import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.template import BadTemplate, Override, Use, parameters, read
from tests.unit.core.template.templates import CERTIFICATE, template


def test_a_template_names_thing_policies_and_what_may_be_overridden() -> None:
    text = template(
        {"ThingName": {"Ref": "ThingName"}},
        overrides={"ATTRIBUTE_PAYLOAD": "MERGE", "ThingGroups": "REPLACE"},
        Parameters={"ThingName": {"Type": "String"}, "Site": {"Type": "String", "Default": "north"}},
        resources={"policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "device"}}},
    )

    read_template = read(text)

    assert read_template.defaults == {"ThingName": None, "Site": "north"}
    assert read_template.thing is not None
    assert read_template.thing.overrides == {"AttributePayload": Override.MERGE, "ThingGroups": Override.REPLACE}
    assert [policy.name for policy in read_template.policies] == ["device"]


def changed(**properties: Any) -> dict[str, Any]:
    return {**CERTIFICATE, "Properties": {**CERTIFICATE["Properties"], **properties}}


def test_the_names_of_parameters_are_those_declared_and_those_referred_to() -> None:
    thing = {"ThingName": {"Fn::Join": ["-", [{"Ref": "Serial"}, {"Fn::Sub": "${Room}-${!Not}"}]]}}
    text = template(thing, Parameters={"Serial": {"Type": "String"}, "Unused": {"Type": "String"}})

    assert parameters(text) == {"Serial", "Unused", "Room"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "no JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "Resources must be an object"),
        ('{"Resources": {}}', r"Template must have certificate resource\."),
        (template(resources={"second": CERTIFICATE}), "Only one certificate resource can be defined"),
        (
            template(resources={"certificate": changed(CertificateId="abc")}),
            "CertificateId must contain a reference to AWS::IoT::Certificate::Id",
        ),
        (
            template(resources={"certificate": changed(Status="Revoked")}),
            'must specify a Status of either "Active" or "Inactive"',
        ),
        (template(resources={"certificate": {"Type": "AWS::IoT::Certificate"}}), "Properties of a resource cannot be"),
        (template({"ThingName": None}), "Properties of a resource cannot be null"),
        (template({}), "must have a ThingName"),
        (template({"ThingName": "a", "PackageVersions": {}}), "software packages are not supported"),
        (template({"ThingName": "a", "Colour": "red"}), "Colour, which is not supported"),
        (template({"ThingName": "a"}, overrides={"ThingTypeName": "MERGE"}), "one of DO_NOTHING, FAIL, REPLACE"),
        (template({"ThingName": "a"}, overrides={"ThingName": "REPLACE"}), "cannot be overridden"),
        (template({"ThingName": {"Fn::Base64": "a"}}), "invalid Fn::Base64"),
        (template({"ThingName": {"Fn::Join": ["-"]}}), "invalid Fn::Join"),
        (template({"ThingName": {"Fn::Split": ["", "a"]}}), "invalid Fn::Split"),
        (template({"ThingName": {"Ref": "a", "b": "c"}}), "invalid Ref"),
        (template(Conditions={}), "Conditions, which is not supported"),
        (template(Parameters={"a": {"Type": "Number"}}), "must have the Type String"),
        (template(Mappings={"a": {"b": {"c": {"Ref": "d"}}}}), "neither parameters nor functions"),
        (template(DeviceConfiguration={"a": {"b": "c"}}), "DeviceConfiguration a must be a string"),
        (template(resources={"p": {"Type": "AWS::IoT::Policy", "Properties": {}}}), "either PolicyName or"),
        (
            template(
                resources={"p": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "a", "PolicyDocument": {}}}}
            ),
            "either PolicyName or PolicyDocument",
        ),
        (template(resources={"x": {"Type": "AWS::S3::Bucket", "Properties": {}}}), "AWS::S3::Bucket"),
        (template({"ThingName": "x" * 10240}), "10240 characters"),
    ],
)
def test_a_template_that_cannot_be_honoured_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadTemplate, match=why):
        read(text)


@pytest.mark.spec("BS-24")
@pytest.mark.parametrize("status", ["Active", "ACTIVE", "active", "Inactive"])
def test_a_status_is_accepted_in_any_letter_case(status: str) -> None:
    assert read(template(resources={"certificate": changed(Status=status)})).certificate.status == status


@pytest.mark.parametrize("text", ["[" * 10000, '{"a":' * 2000 + "1" + "}" * 2000])
def test_deep_nesting_is_refused_not_a_crash(text: str) -> None:
    with pytest.raises(BadTemplate):
        read(text)


def test_deep_nesting_of_functions_is_refused() -> None:
    value: Any = "a"
    for _ in range(60):
        value = {"Fn::Join": ["", [value]]}

    with pytest.raises(BadTemplate, match="nesting"):
        read(template({"ThingName": value}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["Ref", "Fn::Join", "Active"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Type", "Properties", "Ref", "Fn::Sub", "Fn::Select", "OverrideSettings", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(JSON, JSON)
def test_any_json_is_a_template_or_is_refused(resources: Any, section: Any) -> None:
    for body in (
        {"Resources": resources, "Parameters": section},
        {"Resources": {"c": CERTIFICATE, "x": resources}, "Mappings": section},
        {"Resources": {"c": CERTIFICATE}, "DeviceConfiguration": section},
    ):
        try:
            read(json.dumps(body))
        except BadTemplate:
            continue


OF = "AWS::IoT::Certificate::"


@pytest.mark.spec("AL-32", "AL-37")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            template({"ThingName": {"Ref": OF + "CommonName"}}),
            r"Resources\.thing\.Properties\.ThingName refers to .*Com",
        ),
        (template({"ThingName": {"Fn::Sub": "a-${X}"}}), r"ThingName\.Fn::Sub refers to X, which must be declared"),
        (template(Parameters={OF + "Colour": {"Type": "String"}}), "Colour is not known; .*CommonName"),
        (template(Parameters={"Serial": {"Type": "String"}}), "Serial needs a Default"),
        (template(DeviceConfiguration={"a": "b"}), "DeviceConfiguration reaches no device"),
    ],
)
def test_a_template_that_could_never_be_filled_in_just_in_time_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadTemplate, match=why):
        read(text, Use.JUST_IN_TIME)


def certificate_of(**properties: object) -> str:
    return json.dumps({"Resources": {"c": {"Type": "AWS::IoT::Certificate", "Properties": properties}}})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (certificate_of(Status="ACTIVE"), "exactly one of CertificateId, CertificatePem, CertificateSigningRequest"),
        (certificate_of(CertificateId="a", CertificatePem="b"), "exactly one of"),
        (certificate_of(CertificateId="a", CACertificatePem="b"), "goes with CertificatePem only"),
        (template(), "known only to a device"),
    ],
)
def test_an_operators_template_says_where_the_certificate_comes_from(text: str, why: str) -> None:
    with pytest.raises(BadTemplate, match=why):
        read(text, Use.OPERATOR)
