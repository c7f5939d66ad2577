"""No bytes that anyone can send do more than be refused."""

import gzip
import json

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.core.wire import Call, HttpRequest, Malformed, ServiceModel, inputs, problems, read_input
from tests.unit.core.wire.models import CATALOGUE

MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
NAMED = [
    "actions",
    "attributePayload",
    "attributes",
    "MetricData",
    "Dimensions",
    "Namespace",
    "StatisticValues",
    "sql",
    "topicRulePayload",
    "logEvents",
    "timestamp",
    "Timestamp",
    "Values",
    "x",
]
JSON_WORDS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMED),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FORM = {"content-type": "application/x-www-form-urlencoded"}


def call(service: str, operation: str, protocol: str) -> Call:
    model = CATALOGUE.model(service)
    assert isinstance(model, ServiceModel)
    found = model.operation(operation)
    assert found is not None
    return Call(model, found, protocol, {"thingName": "t", "ruleName": "r", "Bucket": "b", "Key": "k"})


def read(made: Call, body: bytes, query: str = "", headers: dict[str, str] | None = None) -> None:
    try:
        given_ = read_input(made, HttpRequest("POST", "/", query, headers or {}, body), lambda: "token")
        problems(made.service, made.operation, given_.params)
    except (Malformed, ServiceError):
        pass


@pytest.mark.slow
@MANY
@given(JSON_WORDS)
def test_any_json_is_read_or_refused(value: object) -> None:
    body = json.dumps(value).encode()
    read(call("iot", "CreateTopicRule", "rest-json"), body)
    read(call("iot", "CreateThing", "rest-json"), body)
    read(call("cloudwatch", "PutMetricData", "json"), body)
    read(call("cloudwatch", "PutMetricData", "cbor"), cbor2.dumps(value))


@pytest.mark.slow
@MANY
@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    read(call("iot", "CreateThing", "rest-json"), body)
    read(call("logs", "PutLogEvents", "json"), body)
    read(call("cloudwatch", "PutMetricData", "cbor"), body)
    read(call("s3", "DeleteObjects", "rest-xml"), body)
    read(call("iam", "CreateRole", "query"), body, headers=FORM)
    read(call("iot", "CreateThing", "rest-json"), body, headers={"content-encoding": "gzip"})


FIELDS = st.sampled_from(
    ["Tags", "member", "1", "2", "Key", "Value", "MetricData", "entry", "x", "", "Dimensions", "-1"]
)
NAMES = st.lists(FIELDS, min_size=1, max_size=6).map(".".join)


@pytest.mark.slow
@MANY
@given(st.lists(st.tuples(NAMES, st.sampled_from(["", "1", "a", "%00", "9" * 30])), max_size=6))
def test_any_form_is_read_or_refused(fields: list[tuple[str, str]]) -> None:
    body = "&".join(f"{name}={value}" for name, value in fields).encode()
    read(call("iam", "CreateRole", "query"), body, headers=FORM)
    read(call("cloudwatch", "PutMetricData", "query"), body, headers=FORM)
    read(call("sns", "SetSMSAttributes", "query"), body, headers=FORM)


WORDS = st.sampled_from(["Delete", "Object", "Key", "Quiet", "VersionId", "Size", "LastModifiedTime", "x"])
XML = st.recursive(
    st.sampled_from(["", "true", "1", "a &amp; b", "2020-01-01"]),
    lambda inner: st.lists(st.tuples(WORDS, inner), max_size=3).map(
        lambda parts: "".join(f"<{tag}>{content}</{tag}>" for tag, content in parts)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@MANY
@given(XML)
def test_any_xml_is_read_or_refused(inner: str) -> None:
    read(call("s3", "DeleteObjects", "rest-xml"), f"<Delete>{inner}</Delete>".encode())


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE a [<!ENTITY b "bb">]><Delete><Quiet>&b;</Quiet></Delete>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "x">]><Delete/>'.encode("utf-16"),
        b"<Delete>",
        b"\x00",
    ],
)
def test_xml_with_entities_or_without_form_is_refused(body: bytes) -> None:
    made = call("s3", "DeleteObjects", "rest-xml")

    with pytest.raises(Malformed):
        read_input(made, HttpRequest("POST", "/b", "delete", {}, body), str)


def test_a_body_that_inflates_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "INFLATED_LIMIT", 1000)
    bomb = gzip.compress(b" " * 1001)
    made = call("cloudwatch", "PutMetricData", "json")

    with pytest.raises(Malformed, match="when inflated"):
        read_input(made, HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, bomb), str)


def test_a_deeply_nested_form_is_refused() -> None:
    made = call("iam", "CreateRole", "query")

    with pytest.raises(Malformed, match="deep"):
        read_input(made, HttpRequest("POST", "/", "", FORM, b"a" + b".a" * 100_000 + b"=1"), str)


def test_a_shape_that_contains_itself_is_not_followed_without_end() -> None:
    body = b'{"TableName": "t", "Item": {"a": ' + b'{"L": [' * 300 + b"]}" * 300 + b"}}"

    read(call("dynamodb", "PutItem", "json"), body)


@pytest.mark.parametrize("name", [b"", b".", b"Tags..Key", b"Tags."])
def test_a_field_without_a_proper_name_is_refused(name: bytes) -> None:
    made = call("iam", "CreateRole", "query")

    with pytest.raises(Malformed, match="empty parts"):
        read_input(made, HttpRequest("POST", "/", "", FORM, name + b"=1"), str)


def test_deeply_nested_cbor_is_refused() -> None:
    made = call("cloudwatch", "PutMetricData", "cbor")

    with pytest.raises(Malformed):
        read_input(made, HttpRequest("POST", "/", "", {}, b"\x81" * 200_000), str)


@pytest.mark.parametrize("key", [2**200_000, 1, None, b"a", (1, 2)], ids=["long", "int", "none", "bytes", "list"])
def test_a_map_from_anything_but_text_is_refused(key: object) -> None:
    made = call("cloudwatch", "PutMetricData", "cbor")
    body = cbor2.dumps({"EntityMetricData": [{"Entity": {"KeyAttributes": {key: "a"}}}]})

    with pytest.raises(Malformed, match="from text"):
        read_input(made, HttpRequest("POST", "/", "", {}, body), str)


def test_a_member_without_a_name_is_ignored_and_not_shown() -> None:
    made = call("cloudwatch", "PutMetricData", "cbor")

    given_ = read_input(made, HttpRequest("POST", "/", "", {}, cbor2.dumps({2**200_000: 1})), str)

    assert given_.ignored == ["(int)"]


@pytest.mark.parametrize(
    "body", [b'{"thingTypeName": "\\ud800"}', b'{"attributePayload": {"attributes": {"\\udc00a": "b"}}}']
)
def test_half_a_character_is_refused(body: bytes) -> None:
    made = call("iot", "CreateThing", "rest-json")

    with pytest.raises(Malformed, match="whole characters"):
        read_input(made, HttpRequest("POST", "/", "", {}, body), str)


def test_a_whole_character_in_two_escapes_is_read() -> None:
    made = call("iot", "CreateThing", "rest-json")

    given_ = read_input(made, HttpRequest("POST", "/", "", {}, b'{"thingTypeName": "\\ud83d\\ude00"}'), str)

    assert given_.params["thingTypeName"] == "\U0001f600"


WHOLE = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("body", [WHOLE[:-9], WHOLE[:-1], WHOLE * 2], ids=["no end", "not all of its end", "two"])
def test_a_body_is_one_whole_stream_of_gzip(body: bytes) -> None:
    made = call("iot", "CreateThing", "rest-json")

    with pytest.raises(Malformed, match="one whole gzip stream"):
        read_input(made, HttpRequest("POST", "/", "", {"content-encoding": "gzip"}, body), str)
