"""Invocations: at once, queued, by Hedgerow's own parts."""

import asyncio
import base64
import json
from typing import Any

import pytest
from sqlalchemy import bindparam, delete

from hedgerow.base.errors import AccessDenied
from hedgerow.services.lambda_.functions import FunctionNotFound, Invoked, ServiceFailed, Throttled
from hedgerow.services.lambda_.functions.errors import EventTooLarge, InvalidContent
from hedgerow.services.lambda_.functions.flows import QUEUED
from hedgerow.store.tx import follow_ups
from tests.support.lambda_ import Lambda
from tests.support.store import CALLER, OTHER_ACCOUNT

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:f"
FAILED = Invoked(payload=b'{"errorType":"E"}', request_id="r", version="$LATEST", error="Unhandled", error_type="E")


@pytest.fixture
def service() -> Lambda:
    return Lambda()


async def invoke(service: Lambda, **members: Any) -> Any:
    return await service.flow(service.flows.invoke, {"FunctionName": "f", **members})


@pytest.mark.spec("DR-42", "DR-44")
async def test_an_answer_comes_with_version_and_tail(service: Lambda) -> None:
    await service.create(Publish=True)

    answer = await invoke(service, Payload=b'{"a":1}', LogType="Tail", Qualifier="1")

    assert answer == {
        "StatusCode": 200,
        "ExecutedVersion": "1",
        "Payload": b'{"a":1}',
        "LogResult": base64.b64encode(b"log\n").decode(),
    }
    assert service.workers.calls == [("1", b'{"a":1}', f"{ARN}:1", None)]


async def test_no_payload_is_an_empty_event(service: Lambda) -> None:
    await service.create()

    await invoke(service)

    assert service.workers.calls[0][1] == b"{}"


async def test_an_error_of_the_function_is_an_answer(service: Lambda) -> None:
    await service.create()
    service.workers.answers = [FAILED]

    answer = await invoke(service)

    assert (answer["StatusCode"], answer["FunctionError"], answer["Payload"]) == (200, "Unhandled", FAILED.payload)


async def test_a_client_context_reaches_the_function_decoded(service: Lambda) -> None:
    await service.create()
    text = base64.b64encode(b'{"custom":{"a":1}}').decode()

    await invoke(service, ClientContext=text)

    assert service.workers.calls[0][3] == b'{"custom":{"a":1}}'


@pytest.mark.parametrize(
    "members",
    [{"Payload": b"{no"}, {"ClientContext": "?"}, {"ClientContext": base64.b64encode(b"[]").decode()}],
)
@pytest.mark.spec("JB-82d")
async def test_what_is_no_json_is_refused(service: Lambda, members: dict[str, Any]) -> None:
    await service.create()

    with pytest.raises(InvalidContent):
        await invoke(service, **members)

    assert service.workers.calls == []


async def test_a_dry_run_runs_nothing(service: Lambda) -> None:
    await service.create()

    assert await invoke(service, InvocationType="DryRun") == {"StatusCode": 204, "Payload": b""}
    assert service.workers.calls == []


async def test_an_alias_leads_to_its_version(service: Lambda) -> None:
    await service.create(Publish=True)
    service.store.run(service.aliases.create_alias, {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"})

    answer = await invoke(service, Qualifier="live")

    assert answer["ExecutedVersion"] == "1"
    assert service.workers.calls[0][2] == f"{ARN}:live"


async def test_what_is_not_there_or_another_accounts_is_not_invoked(service: Lambda) -> None:
    await service.create()

    for request, caller in (({"FunctionName": "g"}, CALLER), ({"FunctionName": ARN}, OTHER_ACCOUNT)):
        with pytest.raises(FunctionNotFound):
            await service.flow(service.flows.invoke, request, caller)
    with pytest.raises(FunctionNotFound):
        await invoke(service, Qualifier="9")


async def work_off(service: Lambda, *, after_s: float) -> None:
    """Do what the dispatcher does with the queued events that are due by then."""
    service.store.clock.advance(after_s)
    for row in service.waiting(after_s=0.0):
        async with service.flows:
            await service.flows.on_event(row)
            await finished(service)
        with service.store.tx() as tx:  # handled: the dispatcher removes it, if it is still there
            tx.run(follow_ups_delete(), seq_=row.seq)


def follow_ups_delete() -> Any:
    return delete(follow_ups).where(follow_ups.c.seq == bindparam("seq_"))


async def finished(service: Lambda) -> None:
    async with asyncio.timeout(5):
        while service.flows._background:
            await asyncio.sleep(0)


async def test_a_queued_event_is_kept_until_it_is_done(service: Lambda) -> None:
    await service.create()

    answer = await invoke(service, InvocationType="Event", Payload=b'{"a":1}')
    before = [row.body["arn"] for row in service.waiting()]
    await work_off(service, after_s=0.0)

    assert answer == {"StatusCode": 202, "Payload": b""}
    assert before == [ARN]
    assert service.workers.calls == [("$LATEST", b'{"a":1}', ARN, None)]
    assert service.waiting() == []


async def test_a_queued_event_that_fails_is_tried_twice_again_and_later(service: Lambda) -> None:
    await service.create()
    service.workers.answers = [FAILED, FAILED, FAILED]
    await invoke(service, InvocationType="Event")

    due = []
    for _ in range(3):
        await work_off(service, after_s=200.0)
        due.append([row.due_at - service.store.clock.now() for row in service.waiting()])

    assert due == [[60.0], [120.0], []]
    assert len(service.workers.calls) == 3


async def test_a_queued_event_that_could_not_be_run_keeps_its_attempts(service: Lambda) -> None:
    await service.create()
    service.workers.answers = [Throttled("busy"), ServiceFailed("no disk")]
    await invoke(service, InvocationType="Event")

    for _ in range(2):
        await work_off(service, after_s=60.0)

    assert [row.body["attempt"] for row in service.waiting()] == [0]


async def test_a_queued_event_is_dropped_when_it_is_too_old(service: Lambda) -> None:
    await service.create()
    service.workers.answers = [Throttled("busy")]
    await invoke(service, InvocationType="Event")

    await work_off(service, after_s=6 * 3600.0)

    assert service.waiting() == []


async def test_an_event_whose_end_nobody_wrote_down_is_taken_up_again(service: Lambda) -> None:
    await service.create(Timeout=30)
    await invoke(service, InvocationType="Event")
    (row,) = service.waiting()

    await service.flows._schedule(row, delay_s=30 + 120.0, attempt=0)  # what on_event does first; then the power fails
    with service.store.tx() as tx:
        tx.run(follow_ups_delete(), seq_=row.seq)
    (lease,) = service.waiting()
    await work_off(service, after_s=200.0)

    assert lease.due_at == service.store.clock.now() - 200.0 + 150.0
    assert len(service.workers.calls) == 1
    assert service.waiting() == []


async def test_a_queued_event_of_a_deleted_function_is_dropped(service: Lambda) -> None:
    await service.create()
    await invoke(service, InvocationType="Event")
    service.store.run(service.functions.delete_function, {"FunctionName": "f"})

    await work_off(service, after_s=1.0)

    assert service.waiting() == []


async def test_an_event_that_is_too_long_is_refused(service: Lambda) -> None:
    await service.create()
    long = json.dumps("x" * 300_000).encode()

    with pytest.raises(EventTooLarge):
        await invoke(service, InvocationType="Event", Payload=long)
    assert (await invoke(service, Payload=long))["StatusCode"] == 200
    with pytest.raises(EventTooLarge):
        await invoke(service, Payload=json.dumps("x" * 6_300_000).encode())

    assert service.waiting() == []


@pytest.mark.spec("DR-40", "BS-30")
async def test_a_service_invokes_only_with_a_permission(service: Lambda) -> None:
    await service.create()
    rule = "arn:aws:iot:eu-central-1:123456789012:rule/r"

    async def fire() -> Invoked:
        return await service.flows.invoke_function(
            "123456789012", ARN, b'{"a":1}', source="iot.amazonaws.com", source_arn=rule
        )

    with pytest.raises(AccessDenied, match="AddPermission"):
        await fire()
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "iot.amazonaws.com"}
    service.store.run(service.permissions.add_permission, {"FunctionName": "f", **permission, "SourceArn": rule})
    done = await fire()

    assert done.payload == b'{"a":1}'


async def test_our_own_parts_queue_durably(service: Lambda) -> None:
    await service.create()

    done = await service.flows.invoke_function("123456789012", "f", b"1", invocation_type="Event")

    (row,) = service.waiting()
    assert (row.kind, row.key, base64.b64decode(row.body["payload"])) == (QUEUED, done.request_id, b"1")
