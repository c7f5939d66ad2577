"""Parameters of commands, and payloads that are filled in with them."""

import json
from collections.abc import Mapping
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.commands.parameters import filled
from tests.support.commands import LEVEL, Bench

P = "${aws:iot:commandexecution::parameter:%s}"


def parameter(kind: str, comparison: str | None = None, operand: Mapping[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": "p", "type": kind}
    if comparison is not None:
        found["valueConditions"] = [{"comparisonOperator": comparison, "operand": operand}]
    return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_template_is_filled_in_with_what_is_given_or_with_the_default(bench: Bench) -> None:
    bench.template()

    given_, sent, _ = bench.start("set", parameters={"level": {"I": 7}})
    default, other, _ = bench.start("set", executionTimeoutSeconds=60)

    assert json.loads(sent.payload) == {"level": 7, "note": "up to 10 s"}
    assert json.loads(other.payload) == {"level": 5, "note": "up to 60 s"}
    assert bench.get(given_)["parameters"] == {"level": {"I": 7}}
    assert bench.get(default)["parameters"] == {"level": {"I": 5}}


def test_it_is_sent_as_cbor_where_that_was_asked_for(bench: Bench) -> None:
    raw = {"name": "raw", "type": "BINARY"}
    bench.template(raw, template=json.dumps({"raw": P % "raw", "text": f"<{P % 'raw'}>"}), output="CBOR")

    execution, sent, _ = bench.start("set", parameters={"raw": {"BIN": b"\0\xff"}})

    assert sent.topic.endswith("/request/cbor")
    assert cbor2.loads(sent.payload) == {"raw": b"\0\xff", "text": "<AP8=>"}
    assert bench.get(execution)["parameters"] == {"raw": {"BIN": b"\0\xff"}}


def test_values_have_the_type_of_their_parameter(bench: Bench) -> None:
    kinds = {"s": ("STRING", {"S": 'a"b'}), "b": ("BOOLEAN", {"B": False}), "d": ("DOUBLE", {"D": 0.5})}
    kinds |= {"u": ("UNSIGNEDLONG", {"UL": "18446744073709551615"}), "n": ("BINARY", {"BIN": b"\0"})}
    template = json.dumps({name: P % name for name in kinds} | {"all": [f"{P % 's'} {P % 'b'}"]})
    bench.template(*({"name": name, "type": kind} for name, (kind, _) in kinds.items()), template=template)

    _, sent, _ = bench.start("set", parameters={name: value for name, (_, value) in kinds.items()})

    assert json.loads(sent.payload) == {
        "s": 'a"b',
        "b": False,
        "d": 0.5,
        "u": 2**64 - 1,
        "n": "AA==",
        "all": ['a"b false'],
    }


def test_the_value_of_a_parameter_is_nearer_than_its_default(bench: Bench) -> None:
    bench.template({**LEVEL, "value": {"I": 6}})

    assert json.loads(bench.start("set")[1].payload)["level"] == 6


def test_a_parameter_without_any_value_is_refused(bench: Bench) -> None:
    bench.template({"name": "level", "type": "INTEGER"})

    with pytest.raises(ServiceError, match="parameter level needs a value"):
        bench.start("set")


@pytest.mark.parametrize(
    ("kind", "value", "match"),
    [
        ("INTEGER", {"S": "5"}, "must be given as I alone"),
        ("INTEGER", {"I": 5, "S": "5"}, "must be given as I alone"),
        ("INTEGER", {"I": 2**31}, "out of the range"),
        ("UNSIGNEDLONG", {"UL": "99999999999999999999"}, "out of the range"),
        ("DOUBLE", {"D": float("inf")}, "is no number"),
    ],
)
def test_a_value_of_another_type_is_refused(bench: Bench, kind: str, value: dict[str, Any], match: str) -> None:
    bench.template({"name": "level", "type": kind})

    with pytest.raises(ServiceError, match=match):
        bench.start("set", parameters={"level": value})


NUMBER, NUMBERS = {"number": "5"}, {"numbers": ["5", "7.0"]}
RANGE = {"numberRange": {"min": "5", "max": "7"}}


@pytest.mark.parametrize(
    ("kind", "comparison", "operand", "good", "bad"),
    [
        ("INTEGER", "EQUALS", NUMBER, 5, 6),
        ("INTEGER", "NOT_EQUALS", NUMBER, 6, 5),
        ("LONG", "LESS_THAN", NUMBER, 4, 5),
        ("LONG", "LESS_THAN_EQUALS", NUMBER, 5, 6),
        ("DOUBLE", "GREATER_THAN", NUMBER, 5.1, 5.0),
        ("DOUBLE", "GREATER_THAN_EQUALS", NUMBER, 5.0, 4.9),
        ("UNSIGNEDLONG", "IN_SET", NUMBERS, "7", "6"),
        ("INTEGER", "NOT_IN_SET", NUMBERS, 6, 7),
        ("INTEGER", "IN_RANGE", RANGE, 7, 8),
        ("DOUBLE", "NOT_IN_RANGE", RANGE, 7.5, 5.0),
        ("STRING", "EQUALS", {"string": "on"}, "on", "off"),
        ("STRING", "NOT_EQUALS", {"string": "on"}, "off", "on"),
        ("STRING", "IN_SET", {"strings": ["on", "off"]}, "off", "up"),
        ("STRING", "NOT_IN_SET", {"strings": ["on", "off"]}, "up", "on"),
    ],
)
def test_a_condition_holds_or_nothing_is_sent(
    bench: Bench, kind: str, comparison: str, operand: dict[str, Any], good: Any, bad: Any
) -> None:
    member = {"INTEGER": "I", "LONG": "L", "DOUBLE": "D", "UNSIGNEDLONG": "UL", "STRING": "S"}[kind]
    bench.template(parameter(kind, comparison, operand), template=json.dumps({"p": P % "p"}))

    bench.start("set", parameters={"p": {member: good}})
    with pytest.raises(ServiceError, match=f"does not satisfy {comparison}") as refused:
        bench.start("set", parameters={"p": {member: bad}})

    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize(
    ("kind", "comparison", "operand", "match"),
    [
        ("BOOLEAN", "EQUALS", {"string": "true"}, "has no condition EQUALS"),
        ("BINARY", "IN_SET", {"strings": ["a"]}, "has no condition IN_SET"),
        ("STRING", "LESS_THAN", {"string": "a"}, "has no condition LESS_THAN"),
        ("INTEGER", "EQUALS", {"string": "5"}, "needs the operand number alone"),
        ("INTEGER", "IN_RANGE", {**RANGE, **NUMBER}, "needs the operand numberRange alone"),
        ("INTEGER", "EQUALS", {"number": "five"}, "is no number"),
        ("DOUBLE", "EQUALS", {"number": "1e999999999"}, "is no number"),
        ("DOUBLE", "EQUALS", {"number": "NaN"}, "is no number"),
    ],
)
def test_a_condition_that_does_not_go_with_the_type_is_refused(
    bench: Bench, kind: str, comparison: str, operand: dict[str, Any], match: str
) -> None:
    with pytest.raises(ServiceError, match=match):
        bench.template(parameter(kind, comparison, operand), template=json.dumps({"p": P % "p"}))


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_text_holds_the_payload_is_json_with_it(text: str, around: str) -> None:
    template = json.dumps({"whole": P % "p", "part": around.replace("$", "") + P % "p"})

    document = json.loads(filled(template, {"p": {"S": text}}, timeout_s=1, output="JSON"))

    assert document == {"whole": text, "part": around.replace("$", "") + text}
