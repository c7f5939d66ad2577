"""Which level counts for whom, and what lines look like."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.iotlog import EVENTS, Entry, Level, LogRules, TargetType, Wanted

CLIENT, PRINCIPAL = (TargetType.CLIENT_ID, "c"), (TargetType.PRINCIPAL_ID, "p")
ADDRESS, GROUP, ABOVE = (
    (TargetType.SOURCE_IP, "192.0.2.1"),
    (TargetType.THING_GROUP, "g"),
    (TargetType.THING_GROUP, "a"),
)
WHO: dict[str, Any] = {"client_id": "c", "principal": "p", "address": "192.0.2.1", "lines": [["g", "a"]]}


@pytest.mark.parametrize("place", range(5))
def test_the_nearest_target_counts(place: int) -> None:
    order = [CLIENT, PRINCIPAL, ADDRESS, GROUP, ABOVE]
    targets = dict.fromkeys(order[place + 1 :], Level.ERROR) | {order[place]: Level.DEBUG}

    wanted = LogRules(default=Level.DISABLED, targets=targets).wanted(**WHO)

    assert wanted.level is Level.DEBUG


def test_of_several_groups_the_most_talkative_counts() -> None:
    rules = LogRules(default=Level.ERROR, targets={GROUP: Level.DISABLED, ABOVE: Level.INFO})

    assert rules.wanted(lines=[["g", "a"]]).level is Level.DISABLED
    assert rules.wanted(lines=[["g", "a"], ["a"]]).level is Level.INFO


def test_a_type_of_event_has_its_own_level_where_no_target_counts() -> None:
    rules = LogRules(default=Level.ERROR, events={"Connect": Level.INFO}, targets={CLIENT: Level.WARN})

    assert rules.wanted().wants("Connect", Level.INFO)
    assert not rules.wanted().wants("Disconnect", Level.INFO)
    assert not rules.wanted(client_id="c").wants("Connect", Level.INFO)


@given(st.sampled_from(Level), st.dictionaries(st.sampled_from(EVENTS), st.sampled_from(Level)))
def test_what_is_disabled_wants_nothing(default: Level, events: dict[str, Level]) -> None:
    wanted = LogRules(default=default, disabled=True, events=events, targets={CLIENT: Level.DEBUG}).wanted(**WHO)

    assert not wanted.anything


@given(st.sampled_from(Level), st.sampled_from(EVENTS))
def test_a_level_includes_those_that_say_less(level: Level, event: str) -> None:
    said = [one for one in Level if one and Wanted(level=level).wants(event, one)]

    assert said == [one for one in Level if one and one <= level]


def test_a_line_has_the_common_attributes_first() -> None:
    entry = Entry(
        account="123456789012",
        at=1502379443.476,
        level=Level.INFO,
        event="Connect",
        trace="t",
        fields={"protocol": "MQTT", "clientId": "c"},
    )

    assert list(json.loads(entry.line()).items()) == [
        ("timestamp", "2017-08-10 15:37:23.476"),
        ("logLevel", "INFO"),
        ("traceId", "t"),
        ("accountId", "123456789012"),
        ("status", "Success"),
        ("eventType", "Connect"),
        ("protocol", "MQTT"),
        ("clientId", "c"),
    ]


def test_plain_text_stays_one_line_whatever_a_client_calls_itself() -> None:
    fields = {"clientId": "a\nb", "principalId": "p", "details": "why\r\nnot"}
    entry = Entry(account="1", at=0.0, level=Level.ERROR, event="Connect", trace="t", fields=fields, failed=True)

    assert entry.plain() == (
        "1970-01-01 00:00:00.000 TRACEID:t PRINCIPALID:p [ERROR] EVENT:Connect CLIENTID:a b MESSAGE:why  not "
        "Status: FAILURE"
    )
