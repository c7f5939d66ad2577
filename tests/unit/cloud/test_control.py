"""Control answers `$aws` requests from its table."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cbor2
import pytest

from hedgerow.base.errors import ServiceError, Unavailable
from hedgerow.cloud.control import Admission, CloudControl, TopicTable
from hedgerow.cloud.failures import WHY, rejected
from hedgerow.cloud.rows import TopicRow
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.topics import TopicRequest
from hedgerow.gateway.ports import Admit, Admitted, Asked, Message, NotAdmitted, Refused, Replied
from hedgerow.store import Answer, Tx
from tests.support.clock import FakeClock, FakeIds

ACCOUNT = "123456789012"
CERTIFICATE = "c" * 64
SHADOW = "$aws/things/pump/shadow/get"


class DirectRun:
    async def write(self, operation: Callable[[Any], Answer], *, lane: str = "") -> Answer:
        return operation(None)

    async def read(self, query: Callable[[Any], Any]) -> Any:
        return query(None)


class Nobody:
    """Lets nobody in."""

    async def admit(self, question: Admit) -> Admitted | NotAdmitted:
        return NotAdmitted(reason="NOT_AUTHENTICATED", detail=f"{question.client_id} does not come in")

    async def admit_many(self, questions: Sequence[Admit]) -> Sequence[Admitted | NotAdmitted]:
        return [await self.admit(question) for question in questions]


class Notes:
    """Keeps what clients may not do."""

    def __init__(self) -> None:
        self.made: list[tuple[Refused, Caller]] = []
        self.stuck = False

    async def refused(self, question: Refused, caller: Caller) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        self.made.append((question, caller))


def control(*rows: TopicRow, admission: Admission | None = None, notes: Notes | None = None) -> CloudControl:
    return CloudControl(
        run=DirectRun(),
        ids=FakeIds(),
        clock=FakeClock(),
        region="eu-central-1",
        admission=admission or Nobody(),
        topics=TopicTable(rows),
        refusals=notes or Notes(),
    )


def asked(topic: str, principal: str = CERTIFICATE, payload: bytes = b"{}") -> Asked:
    message = Message(account=ACCOUNT, topic=topic, payload=payload, client_id="pump", principal=principal)
    return Asked(message=message, peer="192.0.2.1", variables={"iot:Connection.Thing.ThingName": "pump"})


def ask(answering: CloudControl, question: Asked | Admit | Refused, deadline_s: float = 5.0) -> Any:
    return asyncio.run(answering.ask(question, deadline_s=deadline_s))


class HeldRun(DirectRun):
    """Does nothing before it is released."""

    def __init__(self) -> None:
        self.released = asyncio.Event()

    async def write(self, operation: Callable[[Any], Answer], *, lane: str = "") -> Answer:
        await self.released.wait()
        return operation(None)


async def test_what_is_too_much_at_once_for_one_client_and_thing_is_answered_otherwise() -> None:
    done: list[str] = []

    def noting(word: str) -> Callable[[Tx, TopicRequest, Caller], Answer]:
        def operation(tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
            done.append(f"{word} {request.parts[0]}")
            return Answer()

        return operation

    run = HeldRun()
    row = TopicRow("$aws/things/+/shadow/update", operation=noting("done"), too_many=noting("refused"))
    answering = CloudControl(
        run=run,
        ids=FakeIds(),
        clock=FakeClock(),
        region="eu-central-1",
        admission=Nobody(),
        topics=TopicTable([row]),
        refusals=Notes(),
        at_once=2,
    )
    topics = [f"$aws/things/{thing}/shadow/update" for thing in ("a", "a", "a", "b")]

    async with asyncio.TaskGroup() as tasks:
        for topic in topics:
            tasks.create_task(answering.ask(asked(topic), deadline_s=5.0))
        await asyncio.sleep(0)
        run.released.set()
    await answering.ask(asked(topics[0]), deadline_s=5.0)

    assert done == ["done a", "done a", "refused a", "done b", "done a"]


def test_the_plainest_filter_wins() -> None:
    table = TopicTable([TopicRow("$aws/things/+/jobs/+/get"), TopicRow("$aws/things/+/jobs/$next/get")])

    row, parts = table.find("$aws/things/pump/jobs/$next/get") or (None, ())
    other, other_parts = table.find("$aws/things/pump/jobs/j1/get") or (None, ())

    assert row is not None
    assert other is not None
    assert (row.filter, parts) == ("$aws/things/+/jobs/$next/get", ("pump",))
    assert (other.filter, other_parts) == ("$aws/things/+/jobs/+/get", ("pump", "j1"))


def test_topics_of_another_length_are_not_ours() -> None:
    assert TopicTable([TopicRow("$aws/things/+/shadow/get")]).find("$aws/things/pump/shadow/get/accepted") is None


def test_an_operation_gets_the_caller_and_the_parts_and_its_replies_come_back() -> None:
    seen: list[tuple[TopicRequest, Caller]] = []

    def get(tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        seen.append((request, caller))
        return Answer({"replies": (("$aws/t/accepted", b"{}"),)})

    reply = ask(control(TopicRow("$aws/things/+/shadow/get", operation=get)), asked("$aws/things/pump/shadow/get"))

    ((request, caller),) = seen
    assert reply == Replied(replies=(("$aws/t/accepted", b"{}"),))
    assert request.parts == ("pump",)
    assert (caller.kind, caller.certificate_id, caller.thing) == (Kind.CERTIFICATE, CERTIFICATE, "pump")
    assert caller.principal == f"arn:aws:iot:eu-central-1:{ACCOUNT}:cert/{CERTIFICATE}"


def test_a_custom_principal_that_looks_like_a_certificate_is_none() -> None:
    seen: list[Caller] = []

    def get(tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        seen.append(caller)
        return Answer({})

    row = TopicRow("$aws/things/+/shadow/get", operation=get)
    ask(control(row), replace(asked("$aws/things/pump/shadow/get"), by_certificate=False))

    ((caller),) = seen
    assert (caller.certificate_id, caller.principal) == (None, CERTIFICATE)
    assert caller.kind is Kind.CUSTOM


def test_a_signed_caller_keeps_its_own_name() -> None:
    seen: list[Caller] = []

    async def flow(request: TopicRequest, caller: Caller) -> Mapping[str, Any]:
        seen.append(caller)
        return {}

    ask(control(TopicRow("$aws/x", flow=flow)), asked("$aws/x", principal=f"arn:aws:iam::{ACCOUNT}:user/ann"))

    assert (seen[0].kind, seen[0].certificate_id) == (Kind.USER, None)
    assert seen[0].principal == f"arn:aws:iam::{ACCOUNT}:user/ann"


def said(reply: Replied, topic: str) -> dict[str, Any]:
    (found,) = reply.replies
    assert found[0] == topic
    words: dict[str, Any] = cbor2.loads(found[1]) if topic.endswith("/cbor/rejected") else json.loads(found[1])
    return words


@pytest.mark.parametrize(
    ("error", "logged"),
    [
        (ServiceError("no"), "was not answered"),
        (Unavailable("busy"), "was not answered"),
        (KeyError("x"), "request by topic failed"),
    ],
)
def test_a_device_hears_of_a_request_that_we_failed_at(
    error: Exception, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        raise error

    reply = ask(control(TopicRow(SHADOW, operation=refuse)), asked(SHADOW, payload=b'{"clientToken":"t"}'))

    words = said(reply, f"{SHADOW}/rejected")
    assert words == {"code": 500, "message": WHY, "timestamp": int(FakeClock().now()), "clientToken": "t"}
    assert logged in caplog.text


def test_what_takes_too_long_is_rejected() -> None:
    async def never(request: TopicRequest, caller: Caller) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    reply = ask(control(TopicRow(SHADOW, flow=never)), asked(SHADOW), deadline_s=0.01)

    assert said(reply, f"{SHADOW}/rejected")["code"] == 500


def test_an_admission_that_takes_too_long_is_unavailable() -> None:
    class Never(Nobody):
        async def admit(self, question: Admit) -> Admitted | NotAdmitted:
            await asyncio.Event().wait()
            raise AssertionError

    question = Admit(client_id="c", peer="", server_name=None, certificate=None)
    with pytest.raises(Unavailable, match="no answer"):
        ask(control(admission=Never()), question, deadline_s=0.01)
    with pytest.raises(Unavailable, match="no answer"):
        asyncio.run(control(admission=Never()).ask_many([question], deadline_s=0.01))


def test_many_admissions_are_answered_in_their_order() -> None:
    questions = [Admit(client_id=name, peer="", server_name=None, certificate=None) for name in "abc"]

    replies = asyncio.run(control().ask_many(questions, deadline_s=5.0))

    assert [getattr(reply, "detail", "")[0] for reply in replies] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("topic", "where", "member", "code"),
    [
        ("$aws/things/t/jobs/j/update", "$aws/things/t/jobs/j/update/rejected", "code", "InternalError"),
        ("$aws/certificates/create/cbor", "$aws/certificates/create/cbor/rejected", "errorCode", "InternalFailure"),
        ("$aws/commands/things/t/executions/e/response/json", None, "error", "InternalError"),
    ],
)
def test_each_family_of_topics_has_its_own_words(topic: str, where: str | None, member: str, code: str) -> None:
    request = TopicRequest(topic=topic, parts=("things", "t", "e"), payload=b"\xff")

    words = said(Replied(replies=rejected(request, now=0)), where or topic.replace("/json", "/rejected/json"))

    assert words[member] == code


def test_a_topic_without_answers_has_none_when_it_fails() -> None:
    topic = "$aws/things/t/greengrassv2/health/json"

    assert rejected(TopicRequest(topic=topic, parts=("t",), payload=b""), now=0) == ()


def refused() -> Refused:
    message = Message(account=ACCOUNT, topic="a", payload=b"", client_id="pump", principal=CERTIFICATE)
    return Refused(message=message, peer="192.0.2.1", why="may not")


def test_what_a_client_may_not_do_is_noted_with_who_it_is() -> None:
    notes = Notes()

    reply = ask(control(notes=notes), refused())

    ((question, caller),) = notes.made
    assert (reply, question) == (Replied(), refused())
    assert (caller.account, caller.client_id, caller.certificate_id) == (ACCOUNT, "pump", CERTIFICATE)
    assert (caller.source_ip, caller.principal[-64:]) == ("192.0.2.1", CERTIFICATE)


def test_a_note_that_takes_too_long_is_given_up() -> None:
    notes = Notes()
    notes.stuck = True

    with pytest.raises(Unavailable, match="no answer within"):
        ask(control(notes=notes), refused(), deadline_s=0.01)
