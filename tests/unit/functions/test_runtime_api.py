"""The order of the Runtime API's calls and what each is told."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.functions.runtime_api import (
    Answered,
    Call,
    Event,
    Failed,
    InitFailed,
    Phase,
    Polled,
    RuntimeApi,
    Work,
    error_type_of,
)

PREFIX = "/2018-06-01/runtime"
NEXT = Call(method="GET", path=f"{PREFIX}/invocation/next")
WORK = Work(
    request_id="r1",
    payload=b'{"a":1}',
    deadline_ms=1_800_000_003_000,
    invoked_arn="arn:f",
    client_context=b'{"custom":{}}',
)


def post(path: str, body: bytes = b"", size: int | None = None, **headers: str) -> Call:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(
        method="POST", path=f"{PREFIX}/{path}", body=body, size=len(body) if size is None else size, headers=names
    )


def ready(**options: int) -> tuple[RuntimeApi, list[Event]]:
    events: list[Event] = []
    api = RuntimeApi(events.append, **options)
    assert api.receive(NEXT) is None
    return api, events


def running(**options: int) -> tuple[RuntimeApi, list[Event]]:
    api, events = ready(**options)
    api.give(WORK)
    return api, events


def test_the_first_next_waits_and_says_that_the_runtime_is_ready() -> None:
    api, events = ready()

    assert events == [Polled()]
    assert api.phase is Phase.READY


def test_work_carries_the_headers_that_clients_need() -> None:
    api, _ = ready()

    reply = api.give(WORK)

    assert (reply.status, reply.body) == (200, WORK.payload)
    assert dict(reply.headers) == {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": "r1",
        "Lambda-Runtime-Deadline-Ms": "1800000003000",
        "Lambda-Runtime-Invoked-Function-Arn": "arn:f",
        "Lambda-Runtime-Client-Context": '{"custom":{}}',
    }


def test_a_response_is_accepted_once() -> None:
    api, events = running()

    first = api.receive(post("invocation/r1/response", b"{}", content_type="application/json"))
    second = api.receive(post("invocation/r1/response", b"{}"))

    assert first is not None
    assert first.status == 202
    assert events[1:] == [Answered(b"{}", "application/json")]
    assert second is not None
    assert (second.status, json.loads(second.body)["errorType"]) == (400, "InvalidRequestID")


def test_an_unknown_id_is_refused_and_the_invocation_goes_on() -> None:
    api, events = running()

    reply = api.receive(post("invocation/other/response", b"{}"))

    assert reply is not None
    assert reply.status == 400
    assert events == [Polled()]
    assert api.phase is Phase.RUNNING


def test_next_is_refused_while_an_invocation_runs() -> None:
    api, _ = running()

    reply = api.receive(NEXT)

    assert reply is not None
    assert (reply.status, json.loads(reply.body)["errorType"]) == (403, "InvalidStateTransition")


def test_a_failed_start_is_reported_once_and_only_before_the_first_next() -> None:
    events: list[Event] = []
    api = RuntimeApi(events.append)
    body = b'{"errorType":"Runtime.HandlerNotFound","errorMessage":"m"}'

    first = api.receive(post("init/error", body))
    second = api.receive(post("init/error", body))
    late = running()[0].receive(post("init/error", body))

    assert [reply.status for reply in (first, second, late) if reply is not None] == [202, 403, 403]
    assert events == [InitFailed(body, "Runtime.HandlerNotFound")]


def test_a_result_that_is_too_long_gets_413_and_ends_the_invocation() -> None:
    api, events = running(max_payload=10)

    reply = api.receive(post("invocation/r1/response", b"", size=11))

    assert reply is not None
    assert reply.status == 413
    assert isinstance(events[1], Failed)
    assert events[1].error_type == "Function.ResponseSizeTooLarge"


def test_a_stream_that_fails_ends_with_the_error_in_its_trailers() -> None:
    api, events = running()
    body = b'{"errorType":"Boom","errorMessage":"m"}'
    call = Call(
        method="POST",
        path=f"{PREFIX}/invocation/r1/response",
        headers={"lambda-runtime-function-response-mode": "streaming"},
        body=b"part",
        size=4,
        trailers={
            "lambda-runtime-function-error-type": "Runtime.Boom",
            "lambda-runtime-function-error-body": base64.b64encode(body).decode(),
        },
    )

    api.receive(call)

    assert events[1:] == [Failed(body, "Boom")]


def test_another_response_mode_is_refused() -> None:
    api, events = running()

    reply = api.receive(post("invocation/r1/response", b"x", lambda_runtime_function_response_mode="chunky"))

    assert reply is not None
    assert (reply.status, json.loads(reply.body)["errorType"]) == (400, "InvalidFunctionResponseMode")
    assert isinstance(events[1], Failed)


def test_a_response_that_breaks_off_is_a_failure() -> None:
    api, events = running()

    api.truncated(post("invocation/r1/response", b"{"))

    assert isinstance(events[1], Failed)
    assert events[1].error_type == "Runtime.TruncatedResponse"


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (b'{"errorType":"ValueError"}', "", "ValueError"),
        (b"{}", "Runtime.Nope", "Runtime.Nope"),
        (b"{}", "Function.123", "Function.Unknown"),
        (b"no json", "x", "Runtime.Unknown"),
    ],
)
def test_the_errors_type_is_the_bodys_and_else_the_headers(body: bytes, header: str, expected: str) -> None:
    assert error_type_of(body, header) == expected


@given(st.lists(st.sampled_from(["next", "response", "error", "init/error", "give", "lost", "other"]), max_size=30))
def test_in_any_order_each_piece_of_work_ends_at_most_once(steps: list[str]) -> None:
    events: list[Event] = []
    api = RuntimeApi(events.append)
    given_out = 0

    for step in steps:
        if step == "give":
            if api.phase is Phase.READY:
                given_out += 1
                api.give(Work(request_id=f"r{given_out}", payload=b"{}", deadline_ms=1, invoked_arn="a"))
        elif step == "lost":
            api.unparked()
        elif step == "next":
            api.receive(NEXT)
        else:
            path = step if step == "init/error" else f"invocation/r{given_out}/{step}"
            reply = api.receive(post(path, b"{}"))
            assert reply is not None
            assert reply.status in (202, 400, 403, 404)

    assert sum(isinstance(event, Answered | Failed) for event in events) <= given_out
