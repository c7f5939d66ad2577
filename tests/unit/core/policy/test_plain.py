"""The compiled engine decides as the plain reading does, whatever is fixed beforehand and what comes later."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.core.policy import Dialect, compile_policies
from tests.unit.core.policy.plain import decided

TEXT = ["StringEquals", "StringLike", "StringEqualsIgnoreCase"]
TEXT += ["StringNotEquals", "StringNotLike", "StringNotEqualsIgnoreCase"]
THINGS = "arn:aws:iot:eu:1:thing/"
# key: (operators, what policies say, what requests bring)
KEYS: dict[str, tuple[list[str], list[str], list[Any]]] = {
    "aws:username": (
        TEXT,
        ["ann", "a*", "b*b", "a?n", "${aws:PrincipalTag/T}", "${aws:none, 'ann'}", "${aws:none}", "b${*}b"],
        ["ann", "b*b", "ANN"],
    ),
    "aws:PrincipalTag/T": (TEXT, ["x", "*", "a/*", "", "${aws:username}"], ["x", "*", "a/b", ""]),
    "aws:TagKeys": (TEXT, ["a", "b", "${aws:TagKeys}", "?"], [["a", "b"], ["a"], [], ["A"]]),
    "aws:SourceIp": (
        ["IpAddress", "NotIpAddress"],
        ["10.0.0.0/8", "10.0.0.1", "::/0", "0.0.0.0/0", "bad"],
        ["10.0.0.1", "::1", "fe80::1", "192.168.1.300"],
    ),
    "aws:SourceArn": (
        ["ArnLike", "ArnNotLike", "StringLike"],
        ["arn:aws:iot:*:*:rule/*", "arn:*:*:*:*:*", "*", "arn:aws:s3:::*", "arn:aws:iot:eu:1*"],
        ["arn:aws:iot:eu:1:rule/a:b", "arn:aws:s3:::b", "no"],
    ),
    "s3:max-keys": (
        ["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"],
        ["5", "10", "-1.0", "x"],
        ["5", "5.0", "-1", "abc", "1e1"],
    ),
    "aws:CurrentTime": (
        ["DateEquals", "DateNotEquals", "DateLessThanEquals", "DateGreaterThan"],
        ["2026-01-01T00:00:00Z", "2026-01-01", "1767225600"],
        ["2026-01-01T00:00:00Z", "1767225600", "2025-12-31T23:00:00-02:00", "x"],
    ),
    "aws:SecureTransport": (["Bool"], ["true", "false", "TRUE"], ["true", "false"]),
}
RESOURCES = [
    "ann",
    "*",
    "b*b",
    "${aws:username}",
    "${aws:PrincipalTag/T}*",
    "${aws:none, 'ann'}",
    "${aws:none}",
    "${*}",
]


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    key = draw(st.sampled_from(sorted(KEYS)))
    if draw(st.integers(0, 9)) == 0:
        return {"Null": {key: [draw(st.sampled_from(["true", "false"]))]}}
    operators, texts, _ = KEYS[key]
    quantifier = draw(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]))
    operator = quantifier + draw(st.sampled_from(operators)) + draw(st.sampled_from(["", "IfExists"]))
    written = key if "/" in key else draw(st.sampled_from([key, key.upper()]))
    return {operator: {written: draw(st.lists(st.sampled_from(texts), min_size=1, max_size=2))}}


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    actions = st.lists(st.sampled_from(["iot:*", "IOT:PUB*", "iot:?ublish", "s3:*", "*"]), min_size=1, max_size=2)
    resources = st.lists(st.sampled_from(["*", *(THINGS + name for name in RESOURCES)]), min_size=1, max_size=2)
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(actions),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(resources),
        "Condition": draw(st.just({}) | conditions()),
    }


DOCUMENTS = st.fixed_dictionaries(
    {
        "Version": st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]),
        "Statement": st.lists(statements(), min_size=1, max_size=3),
    }
)
CONTEXTS = st.fixed_dictionaries({}, optional={key: st.sampled_from(kind[2]) for key, kind in KEYS.items()})


@settings(max_examples=300)
@given(DOCUMENTS, CONTEXTS, st.sets(st.sampled_from(sorted(KEYS))), st.sampled_from(["ann", "*", "b*b", "x"]))
def test_it_decides_as_the_plain_reading_does(
    document: dict[str, Any], context: dict[str, Any], fixed: set[str], name: str
) -> None:
    variables = {key: value for key, value in context.items() if key in fixed}
    grants = compile_policies((json.dumps(document),), dialect=Dialect.IAM, variables=variables)

    rest = {key: value for key, value in context.items() if key not in fixed}
    decision = grants.decide("iot:Publish", THINGS + name, rest)

    assert decision.reason.value == decided(document, "iot:Publish", THINGS + name, context)
