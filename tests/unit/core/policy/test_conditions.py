"""Condition operators, quantifiers, and what a missing key means."""

from typing import Any

import pytest

from hedgerow.core.policy import Context, Dialect, compile_policies


def holds(condition: dict[str, Any], context: Context, effect: str = "Allow") -> bool:
    document = {
        "Version": "2012-10-17",
        "Statement": {"Effect": effect, "Action": "*", "Resource": "*", "Condition": condition},
    }
    decision = compile_policies([document], dialect=Dialect.IAM).decide("s3:GetObject", "arn:aws:s3:::b/k", context)
    return decision.allowed if effect == "Allow" else decision.reason.value == "EXPLICIT_DENY"


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringEquals", "a*", "ab", False),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "a*c?", "abbcd", True),
        ("StringNotLike", "a*", "abc", False),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", 10, "11", True),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericEquals", "10", "ten", False),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z", True),
        ("DateLessThan", "2026-01-01T00:00:00Z", "1767225599", True),
        ("DateLessThan", "2026-01-01", "1767225600", False),
        ("Bool", "true", "True", True),
        ("Bool", True, "true", True),
        ("Bool", "true", "false", False),
        ("BinaryEquals", "QUFB", "QUFB", True),
        ("IpAddress", "10.0.0.0/8", "10.2.3.4", True),
        ("IpAddress", "10.0.0.0/8", "11.2.3.4", False),
        ("IpAddress", ["::1", "192.0.2.1"], "192.0.2.1", True),
        ("NotIpAddress", "10.0.0.0/8", "11.2.3.4", True),
        ("ArnEquals", "arn:aws:iot:*:123456789012:topic/a/*", "arn:aws:iot:eu-central-1:123456789012:topic/a/b", True),
        ("ArnLike", "arn:aws:*:topic/a", "arn:aws:iot:eu-central-1:123456789012:topic/a", False),
        ("ArnNotLike", "arn:aws:s3:::*", "arn:aws:s3:::b", False),
        ("ArnNotEquals", "arn:aws:s3:::a", "arn:aws:s3:::b", True),
    ],
)
def test_operators_compare_as_their_names_say(operator: str, wanted: Any, value: str, expected: bool) -> None:
    assert holds({operator: {"k": wanted}}, {"k": value}) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringEqualsIfExists", True),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("NumericLessThan", False),
        ("NotIpAddress", True),
    ],
)
def test_a_missing_key_counts_as_the_operator_says(operator: str, expected: bool) -> None:
    assert holds({operator: {"k": "1"}}, {}) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "c"], False),
        ("ForAllValues:StringEquals", [], True),
        ("ForAnyValue:StringEquals", ["c", "a"], True),
        ("ForAnyValue:StringEquals", ["c"], False),
        ("ForAnyValue:StringEquals", [], False),
        ("ForAllValues:StringNotEquals", ["c", "d"], True),
        ("ForAllValues:StringNotEquals", ["c", "a"], False),
        ("ForAnyValue:StringNotEquals", ["c", "a"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], False),
    ],
)
def test_quantifiers_look_at_every_value(operator: str, values: list[str], expected: bool) -> None:
    assert holds({operator: {"k": ["a", "b"]}}, {"k": values}) is expected


def test_null_asks_whether_a_key_is_there() -> None:
    assert holds({"Null": {"k": "true"}}, {})
    assert not holds({"Null": {"k": "true"}}, {"k": "x"})
    assert holds({"Null": {"k": False}}, {"k": "x"})


def test_all_keys_and_operators_must_hold() -> None:
    condition = {"StringEquals": {"a": "1", "b": "2"}, "Bool": {"c": "true"}}

    assert holds(condition, {"a": "1", "b": "2", "c": "true"})
    assert not holds(condition, {"a": "1", "b": "2", "c": "false"})
    assert not holds(condition, {"a": "1", "c": "true"})


def test_key_names_and_operators_are_known_in_any_letter_case() -> None:
    assert holds({"stringequals": {"AWS:sourceip": "1.2.3.4"}}, {"aws:SourceIp": "1.2.3.4"})


def test_values_may_be_variables() -> None:
    condition = {"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}}

    assert holds(condition, {"aws:ResourceTag/owner": "ann", "aws:username": "ann"})
    assert not holds(condition, {"aws:ResourceTag/owner": "ann", "aws:username": "bob"})
    assert not holds(condition, {"aws:ResourceTag/owner": "ann"})


def test_an_unknown_variable_never_widens_a_right() -> None:
    condition = {"StringNotEquals": {"k": "${aws:username}"}}

    assert not holds(condition, {"k": "x"}, "Allow")
    assert holds(condition, {"k": "x"}, "Deny")
