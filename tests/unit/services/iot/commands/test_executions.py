"""Executions: sent, answered, timed out, listed, deleted."""

import json
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ServiceError
from hedgerow.core.events import Published
from hedgerow.core.mqtt.properties import write_properties
from hedgerow.services.iot.commands.errors import ReportRefused
from hedgerow.services.iot.commands.model import ENDS, KEPT_S, Execution, Status
from tests.support.commands import ARN, LAMP, Bench
from tests.support.store import OTHER_ACCOUNT

ENDINGS = sorted(status.value for status in ENDS)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.command()
    return bench


def test_the_device_gets_the_payload_and_everyone_hears_of_it(bench: Bench) -> None:
    execution, sent, told = bench.start(executionTimeoutSeconds=30)

    assert sent.topic == f"$aws/commands/things/lamp/executions/{execution}/request/json"
    assert (sent.payload, sent.qos, sent.expires_at) == (b'{"do": "it"}', 1, 1.8e9 + 30)
    assert sent.properties == write_properties({0x03: "application/json"})
    assert told.topic == "$aws/events/commandExecution/blink/CREATED"
    assert json.loads(told.payload) == {
        "executionId": execution,
        "status": "CREATED",
        "eventType": "COMMAND_EXECUTION",
        "commandArn": f"{ARN}command/blink",
        "targetArn": LAMP,
        "timestamp": 1_800_000_000_000,
    }


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("application/json; charset=utf-8", "/json"),
        ("APPLICATION/CBOR", "/cbor"),
        ("text/plain", ""),
        ("application/octet-stream", ""),
    ],
)
def test_the_topic_tells_the_format(bench: Bench, kind: str, suffix: str) -> None:
    bench.command("other", kind=kind)

    _, sent, _ = bench.start("other", f"{ARN}client/browser-1")

    assert sent.topic.startswith("$aws/commands/clients/browser-1/executions/")
    assert sent.topic.partition("/request")[2] == suffix


def test_a_timer_goes_on_when_the_clock_is_set_forward(bench: Bench) -> None:
    execution, *_ = bench.start(executionTimeoutSeconds=30)
    bench.store.clock.set_forward(86_400)

    seen = []
    for seconds in (0, 29, 1):
        bench.later(seconds)
        seen.append(bench.get(execution)["status"])

    assert seen == ["CREATED", "CREATED", "TIMED_OUT"]


@pytest.mark.parametrize("ending", ["", "/json", "/cbor"])
def test_a_report_is_accepted_and_shown(bench: Bench, ending: str) -> None:
    execution, *_ = bench.start()
    body = {
        "status": "IN_PROGRESS",
        "statusReason": {"reasonCode": "HALF", "reasonDescription": "half done"},
        "result": {"battery": {"s": "50 %"}, "ok": {"b": True, "s": None}, "raw": {"bin": "AP8="}},
        "deviceId": "lamp",
    }

    word, reply, answer = bench.report(execution, body, ending=ending)
    shown = bench.get(execution)

    assert (word, reply) == ("accepted", {"executionId": execution})
    assert (shown["status"], shown["statusReason"]["reasonCode"]) == ("IN_PROGRESS", "HALF")
    assert shown["result"] == {"battery": {"S": "50 %"}, "ok": {"B": True}, "raw": {"BIN": b"\0\xff"}}
    assert "completedAt" not in shown
    (told,) = answer.events
    assert isinstance(told, Published)
    assert told.topic == "$aws/events/commandExecution/blink/IN_PROGRESS"


def test_the_last_result_stays_until_another_comes(bench: Bench) -> None:
    execution, *_ = bench.start()
    bench.report(execution, {"status": "IN_PROGRESS", "result": {"at": {"s": "1"}}})
    bench.report(execution, {"status": "SUCCEEDED"})

    shown = bench.get(execution)
    without = bench.call("GetCommandExecution", executionId=execution, targetArn=LAMP)

    assert (shown["status"], shown["result"], shown["completedAt"]) == ("SUCCEEDED", {"at": {"S": "1"}}, 1.8e9)
    assert "result" not in without


@pytest.mark.parametrize("status", ENDINGS)
def test_what_has_ended_takes_no_report(bench: Bench, status: str) -> None:
    execution, *_ = bench.start()
    bench.report(execution, {"status": status})

    word, reply, answer = bench.report(execution, {"status": "REJECTED"})

    assert (word, reply["error"], reply["executionId"]) == ("rejected", "TerminalStateReached", execution)
    assert f"completed with status {status}" in reply["errorMessage"]
    assert answer.events == ()
    assert bench.get(execution)["status"] == status


def test_whoever_does_not_answer_in_time_is_timed_out_and_may_still_answer(bench: Bench) -> None:
    execution, *_ = bench.start()

    assert bench.later(9.9) == []
    (told,) = bench.later(0.1)
    late = bench.get(execution)
    again, refused, _ = bench.report(execution, {"status": "IN_PROGRESS"})
    word, *_ = bench.report(execution, {"status": "SUCCEEDED"})

    assert told.topic == "$aws/events/commandExecution/blink/TIMED_OUT"
    assert json.loads(told.payload)["statusReason"] == {"reasonCode": "$NO_RESPONSE_FROM_DEVICE"}
    assert (late["status"], late["statusReason"]["reasonCode"]) == ("TIMED_OUT", "$NO_RESPONSE_FROM_DEVICE")
    assert "completedAt" not in late
    assert (again, refused["error"]) == ("rejected", "InvalidStateTransition")
    assert word == "accepted"
    assert bench.get(execution)["status"] == "SUCCEEDED"


def test_what_has_ended_does_not_time_out(bench: Bench) -> None:
    execution, *_ = bench.start()
    bench.report(execution, {"status": "FAILED", "statusReason": {"reasonCode": "NO"}})

    assert bench.later(60) == []
    assert bench.get(execution)["statusReason"] == {"reasonCode": "NO"}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"\xff", "InvalidJson"),
        (b"[" * 100_000, "InvalidJson"),
        (b"[]", "InvalidJson"),
        (b'{"status": "SUCCEEDED", "x": "\\ud800"}', "InvalidJson"),
        ({}, "InvalidRequest"),
        ({"status": "DONE"}, "InvalidRequest"),
        ({"status": ["FAILED"]}, "InvalidRequest"),
        ({"status": "CREATED"}, "InvalidRequest"),
        ({"status": "FAILED", "statusReason": {}}, "InvalidRequest"),
        ({"status": "FAILED", "statusReason": {"reasonCode": "low"}}, "InvalidRequest"),
        ({"status": "FAILED", "statusReason": {"reasonCode": "A", "reasonDescription": "a\nb"}}, "InvalidRequest"),
        ({"status": "FAILED", "statusReason": {"reasonCode": "A", "reasonDescription": "x" * 1025}}, "InvalidRequest"),
        ({"status": "FAILED", "result": {}}, "InvalidRequest"),
        ({"status": "FAILED", "result": {"a": "text"}}, "InvalidRequest"),
        ({"status": "FAILED", "result": {"a b": {"s": "x"}}}, "InvalidRequest"),
        ({"status": "FAILED", "result": {"a": {"s": "x", "b": True}}}, "InvalidRequest"),
        ({"status": "FAILED", "result": {"a": {"bin": "?"}}}, "InvalidRequest"),
        ({"status": "FAILED", "result": {f"k{n}": {"b": True} for n in range(101)}}, "InvalidRequest"),
    ],
)
def test_a_report_that_cannot_be_is_rejected_and_changes_nothing(bench: Bench, body: Any, error: str) -> None:
    execution, *_ = bench.start()

    word, reply, answer = bench.report(execution, body)

    assert (word, reply["error"], answer.events) == ("rejected", error, ())
    assert bench.get(execution)["status"] == "CREATED"


@pytest.mark.parametrize("body", [b"", b"\xff\xff", b"\xa1\x01", cbor2.dumps({"status": "FAILED"}) + b"\0", b"\x01"])
def test_a_report_that_is_no_cbor_is_rejected(bench: Bench, body: bytes) -> None:
    execution, *_ = bench.start()

    assert bench.report(execution, body, ending="/cbor")[1]["error"] == "InvalidJson"


@given(st.binary(max_size=64), st.sampled_from(["", "/json", "/cbor"]))
def test_random_bytes_are_answered(payload: bytes, ending: str) -> None:
    bench = Bench()
    bench.command()
    execution, *_ = bench.start()

    assert bench.report(execution, payload, ending=ending)[0] == "rejected"


@pytest.mark.parametrize("device", ["things/other", "clients/lamp", "cars/lamp"])
def test_another_device_and_another_account_have_no_such_execution(bench: Bench, device: str) -> None:
    execution, *_ = bench.start()

    foreign = bench.report(execution, {"status": "FAILED"}, device=device)
    abroad = bench.report(execution, {"status": "FAILED"}, caller=OTHER_ACCOUNT)

    assert [reply["error"] for _, reply, _ in (foreign, abroad)] == ["ResourceNotFound"] * 2
    assert bench.get(execution)["status"] == "CREATED"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"targetArn": f"{ARN}thing/missing"}, "ResourceNotFoundException"),
        ({"targetArn": LAMP.replace("123456789012", "210987654321")}, "ValidationException"),
        ({"targetArn": f"{ARN}thinggroup/all"}, "ValidationException"),
        ({"targetArn": f"{ARN}client/a/b"}, "ValidationException"),
        ({"targetArn": f"{ARN}client/+"}, "ValidationException"),
        ({"commandArn": f"{ARN}command/missing"}, "ResourceNotFoundException"),
        ({"commandArn": f"{ARN}job/blink"}, "ValidationException"),
        ({"executionTimeoutSeconds": 43_201}, "ValidationException"),
        ({"parameters": {"x": {"S": "y"}}}, "ValidationException"),
    ],
)
def test_what_cannot_be_started_is_refused(bench: Bench, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(ServiceError) as refused:
        bench.call("StartCommandExecution", **{"targetArn": LAMP, "commandArn": f"{ARN}command/blink", **request_})

    assert refused.value.code == code


def test_the_same_request_with_the_same_token_is_done_once(bench: Bench) -> None:
    request: dict[str, Any] = {"targetArn": LAMP, "commandArn": f"{ARN}command/blink", "clientToken": "t"}

    first = bench.answer("StartCommandExecution", **request)
    second = bench.answer("StartCommandExecution", **request)

    assert second.response == first.response
    assert (len(first.events), second.events) == (2, ())
    with pytest.raises(ServiceError, match="clientToken") as refused:
        bench.answer("StartCommandExecution", **request, executionTimeoutSeconds=99)
    assert refused.value.code == "ConflictException"


def test_executions_are_listed_by_device_or_command(bench: Bench) -> None:
    bench.command("other")
    ids = []
    for name in ("blink", "other", "blink"):
        ids.append(bench.start(name)[0])
        bench.store.clock.advance(60)
    bench.report(ids[0], {"status": "SUCCEEDED"})

    def listed(**filters: Any) -> list[int]:
        found = bench.call("ListCommandExecutions", **filters)["commandExecutions"]
        return [ids.index(one["executionId"]) for one in found]

    blink = {"commandArn": f"{ARN}command/blink"}
    assert listed(targetArn=LAMP) == [2, 1, 0]
    assert listed(**blink, sortOrder="ASCENDING") == [0, 2]
    assert listed(targetArn=LAMP, status="CREATED") == [2, 1]
    assert listed(**blink, startedTimeFilter={"after": "2027-01-15T08:01"}) == [2]
    assert listed(**blink, startedTimeFilter={"before": "2027-01-15T08:01"}) == [0]
    assert listed(**blink, completedTimeFilter={"after": "2027-01-15T08:00"}) == [0]
    assert listed(**blink, namespace="AWS-IoT-FleetWise") == []
    abroad = bench.call("ListCommandExecutions", OTHER_ACCOUNT, targetArn=LAMP.replace("123456789012", "210987654321"))
    assert abroad["commandExecutions"] == []


def test_executions_page(bench: Bench) -> None:
    ids = {bench.start()[0] for _ in range(5)}  # at the same moment
    found: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(3):
        page = bench.call("ListCommandExecutions", targetArn=LAMP, maxResults=2, **more)
        found += [one["executionId"] for one in page["commandExecutions"]]
        more = {"nextToken": page.get("nextToken")}

    assert (sorted(found), more) == (sorted(ids), {"nextToken": None})


@pytest.mark.parametrize(
    ("filters", "match"),
    [
        ({}, "Either targetArn or commandArn"),
        ({"targetArn": LAMP, "commandArn": f"{ARN}command/blink"}, "Either targetArn or commandArn"),
        ({"targetArn": LAMP, "startedTimeFilter": {"after": "soon"}}, "is no time"),
        ({"targetArn": LAMP, "startedTimeFilter": {}, "completedTimeFilter": {}}, "and not both"),
    ],
)
def test_filters_that_cannot_be_are_refused(bench: Bench, filters: dict[str, Any], match: str) -> None:
    with pytest.raises(ServiceError, match=match):
        bench.call("ListCommandExecutions", **filters)


def test_only_what_has_ended_is_deleted(bench: Bench) -> None:
    execution, *_ = bench.start()
    named: dict[str, Any] = {"executionId": execution, "targetArn": LAMP}

    with pytest.raises(ServiceError, match="has not ended") as refused:
        bench.call("DeleteCommandExecution", **named)
    bench.report(execution, {"status": "SUCCEEDED"})
    bench.call("DeleteCommandExecution", **named)
    bench.call("DeleteCommandExecution", **named)

    assert refused.value.code == "ConflictException"
    with pytest.raises(ServiceError, match="cannot be found"):
        bench.get(execution)


def test_executions_go_after_half_a_year(bench: Bench) -> None:
    execution, *_ = bench.start()
    kept_until = bench.get(execution)["timeToLive"]

    bench.later(KEPT_S)

    assert kept_until == 1.8e9 + KEPT_S
    with pytest.raises(ServiceError, match="cannot be found"):
        bench.get(execution)


@given(st.lists(st.sampled_from(Status), max_size=8))
def test_whatever_devices_report_an_end_stays_the_end(statuses: list[Status]) -> None:
    one = Execution(id="1", command="c", target="thing/t", timeout_s=1, created_at=0.0, updated_at=0.0)
    for status in statuses:
        before = one
        try:
            one = one.reported(status, None, None, 1.0)
        except ReportRefused:
            assert one is before
        else:
            assert before.completed_at is None
            assert (one.completed_at is not None) is (status in ENDS)
