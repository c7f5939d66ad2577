"""What topic rules tell of telemetry and faults."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.cli.demo import fleet
from hedgerow.console.sources import FaultLog, Sources, derive, filter_of, thing_in


def rule(sql: str, *actions: dict[str, Any], disabled: bool = False, name: str = "one") -> dict[str, Any]:
    return {"ruleName": name, "sql": sql, "actions": list(actions), "ruleDisabled": disabled}


def metric(name: str, value: str, namespace: str = "N", unit: str = "None") -> dict[str, Any]:
    members = {"metricNamespace": namespace, "metricName": name, "metricValue": value, "metricUnit": unit}
    return {"cloudwatchMetric": {"roleArn": "r", **members}}


def test_the_demos_rules_tell_everything_that_the_console_shows_of_it() -> None:
    rules = [
        {"ruleName": "telemetry", "ruleDisabled": False, **fleet.telemetry_rule("role")},
        {"ruleName": "faults", "ruleDisabled": False, **fleet.fault_rule("role", "http://127.0.0.1/")},
    ]

    found = derive(rules)

    (telemetry,) = found.telemetry
    assert (telemetry.filter, telemetry.level) == ("sites/+/telemetry", 2)
    assert [value.label for value in telemetry.values] == ["signal_dbm", "temperature_c", "fan_on"]
    assert [value.metric_of("site-01") for value in telemetry.values] == [
        "site-01.signal_dbm",
        "site-01.temperature_c",
        "site-01.fan_on",
    ]
    assert [value.switch for value in telemetry.values] == [False, False, True]
    assert [value.read({"signal_dbm": -67, "fan_on": True}) for value in telemetry.values] == [-67.0, None, 1.0]
    assert found.faults == (FaultLog(rule="faults", filter="sites/+/faults", level=2, log_group=fleet.FAULT_LOG),)


def test_a_disabled_rule_tells_nothing() -> None:
    found = derive([rule("SELECT * FROM 'a/+/b'", metric("${topic(2)}.x", "${x}"), disabled=True)])

    assert found == Sources()


def test_a_value_that_is_computed_is_never_read_from_a_message() -> None:
    (source,) = derive([rule("SELECT * FROM 'a/+'", metric("${topic(2)}.f", "${celsius * 1.8 + 32}"))]).telemetry

    assert source.values[0].member == ()
    assert source.values[0].read({"celsius": 20, "f": 3}) is None
    assert source.values[0].metric_of("t") == "t.f"


def test_a_member_may_be_nested() -> None:
    (source,) = derive([rule("SELECT * FROM 'a/+'", metric("${topic(2)}", "${radio.signal}"))]).telemetry

    assert source.values[0].label == "radio.signal"
    assert source.values[0].read({"radio": {"signal": -3}}) == -3.0
    assert source.values[0].read({"radio": 4}) is None


@pytest.mark.parametrize(
    "name", ["temperature", "${sensor}.x", "${topic(2)}.${sensor}", "${topic(1)}.x", "${topic(3)}.x"]
)
def test_a_metric_that_is_not_a_devices_own_has_no_past(name: str) -> None:
    (source,) = derive([rule("SELECT * FROM 'a/+/b'", metric(name, "${x}"))]).telemetry

    assert source.level == 2
    assert source.values[0].metric_of("t") == ""
    assert source.values[0].read({"x": 1}) == 1.0


def test_the_level_that_the_metrics_name_uses_names_the_device() -> None:
    (source,) = derive([rule("SELECT * FROM '+/+/data'", metric("${topic(2)}-x", "${x}"))]).telemetry

    assert source.level == 2
    assert source.values[0].metric_of("pump") == "pump-x"


def test_the_client_id_names_the_device_too() -> None:
    (source,) = derive([rule("SELECT * FROM 'dt/+'", metric("${clientid()}/x", "${x}", unit="Percent"))]).telemetry

    assert source.values[0].metric_of("pump") == "pump/x"
    assert source.values[0].unit == "Percent"


def test_one_topic_for_all_devices_tells_nothing_of_any() -> None:
    assert derive([rule("SELECT * FROM 'data'", metric("x", "${x}"))]).telemetry == ()


def test_a_log_group_that_depends_on_the_message_is_left_out() -> None:
    assert derive([rule("SELECT * FROM 'f/+'", {"cloudwatchLogs": {"logGroupName": "/${topic(2)}"}})]).faults == ()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM 'a/+/b' WHERE x > 1", "a/+/b"),
        ('select temp from "a/#"', "a/#"),
        ("SELECT 'x FROM y' AS z FROM 'a/b'", "a/b"),
        ("SELECT (SELECT v FROM 'inner') AS v FROM 'outer/+'", "outer/+"),
        ("SELECT 1", None),
        ("", None),
    ],
)
def test_the_filter_is_the_statements_own(sql: str, expected: str | None) -> None:
    assert filter_of(sql) == expected


@pytest.mark.parametrize(
    ("topic", "topic_filter", "level", "expected"),
    [
        ("sites/a/telemetry", "sites/+/telemetry", 2, "a"),
        ("sites/a/faults", "sites/+/telemetry", 2, None),
        ("sites/a/telemetry/more", "sites/+/telemetry", 2, None),
        ("sites/a", "sites/+/telemetry", 2, None),
        ("sites/a/x/y", "sites/+/#", 2, "a"),
        ("sites/a", "sites/#", 2, "a"),
        ("sites", "sites/#", 2, None),
    ],
)
def test_a_topic_names_its_device(topic: str, topic_filter: str, level: int, expected: str | None) -> None:
    assert thing_in(topic, topic_filter, level) == expected


@given(st.text(max_size=80))
def test_no_statement_breaks_the_derivation(sql: str) -> None:
    derive([rule(sql, metric("${topic(2)}.x", "${x}"), {"cloudwatchLogs": {"logGroupName": "g"}})])
