"""Asking custom authorizers about clients: which one, with what, and what counts as an answer."""

import asyncio
import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import AccessDenied, HedgerowError
from hedgerow.core.caller import Caller
from hedgerow.services.iot.authorizers import (
    Attempt,
    AuthorizerOperations,
    AuthorizerStore,
    CustomAuthentication,
    LetIn,
    NotLetIn,
    asking,
)
from tests.support.cloud import Deciding
from tests.support.registry import ALLOW_ALL, Registry
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun

FUNCTION = "arn:aws:lambda:eu-central-1:{}:function:decide"
NAME, SIGNATURE = "x-amz-customauthorizer-name", "x-amz-customauthorizer-signature"
LET_IN = {"isAuthenticated": True, "principalId": "lamp1", "policyDocuments": [ALLOW_ALL]}


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem() -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key().public_key().public_bytes(serialization.Encoding.PEM, form).decode("ascii")


def signature(token: str) -> str:
    return base64.b64encode(key().sign(token.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.registry, self.function, store = registry, Deciding(), AuthorizerStore()
        self.function.result = LET_IN
        self.operations = AuthorizerOperations(authorizers=store, pages=registry.pages)
        self.authentication = CustomAuthentication(
            run=MemoryRun(registry.store),
            authorizers=store,
            invoker=self.function,
            clock=registry.store.clock,
            region="eu-central-1",
        )

    def call(self, method: str, caller: Caller = CALLER, **request: Any) -> Mapping[str, Any]:
        return self.registry.store.run(getattr(self.operations, method), request, caller).response

    def create(self, name: str = "door", caller: Caller = CALLER, **more: Any) -> None:
        terms = {"authorizerFunctionArn": FUNCTION.format(caller.account), **(more or {"signingDisabled": True})}
        self.call("create_authorizer", caller, authorizerName=name, **terms)

    def signing(self) -> None:
        self.create(tokenKeyName="Ticket", tokenSigningPublicKeys={"a": public_pem()})

    def ask(self, attempt: Attempt, account: str = CALLER.account) -> LetIn:
        return asyncio.run(self.authentication.ask(account, attempt))

    def refusal(self, attempt: Attempt, account: str = CALLER.account) -> tuple[str, str]:
        with pytest.raises(NotLetIn) as caught:
            self.ask(attempt, account)
        return caught.value.word, caught.value.detail


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


def by_mqtt(username: str | None = f"ann?{NAME}=door", **more: Any) -> Attempt:
    return Attempt(connection_id="1", client_id="lamp", username=username, **more)


@pytest.mark.spec("JB-35")
def test_the_function_sees_how_the_client_came(bench: Bench) -> None:
    bench.create()

    let_in = bench.ask(
        Attempt(
            connection_id="one",
            server_name="cloud.test",
            headers={"host": "cloud.test", NAME: "door"},
            query="a=b%2F",
            client_id="lamp",
            username="ann?SDK=PythonV2",
            password=b"\x00secret",
        )
    )

    assert bench.function.asked == [
        {
            "protocols": ["tls", "http", "mqtt"],
            "protocolData": {
                "tls": {"serverName": "cloud.test"},
                "http": {"headers": {"host": "cloud.test", NAME: "door"}, "queryString": "?a=b%2F"},
                "mqtt": {"username": "ann?SDK=PythonV2", "password": "AHNlY3JldA==", "clientId": "lamp"},
            },
            "connectionMetadata": {"id": "one"},
        }
    ]
    assert bench.function.sources == ["arn:aws:iot:eu-central-1:123456789012:authorizer/door"]
    assert let_in == LetIn(principal="lamp1", policies=(ALLOW_ALL,), disconnect_after_s=86_400, refresh_after_s=None)


def test_what_was_not_sent_is_not_in_the_event(bench: Bench) -> None:
    bench.create()

    bench.ask(by_mqtt(secure=False))

    (event,) = bench.function.asked
    assert event["protocols"] == ["mqtt"]
    assert event["protocolData"] == {"mqtt": {"username": f"ann?{NAME}=door", "clientId": "lamp"}}


def test_the_function_says_when_to_refresh_and_to_disconnect(bench: Bench) -> None:
    bench.create()
    bench.function.result = {**LET_IN, "disconnectAfterInSeconds": 301, "refreshAfterInSeconds": 300}

    let_in = bench.ask(by_mqtt())

    assert (let_in.disconnect_after_s, let_in.refresh_after_s) == (301, 300)


def test_a_token_is_verified_wherever_it_stands(bench: Bench) -> None:
    bench.signing()
    signed = signature("the token")
    quoted = signed.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    headers = {NAME: "door", "ticket": "the token", SIGNATURE: signed}
    query = f"{NAME}=door&TICKET=the%20token&{SIGNATURE}="

    for attempt in (
        Attempt(connection_id="1", headers=headers),
        Attempt(connection_id="1", headers={}, query=query + quoted),
        by_mqtt("?" + query + quoted),
        by_mqtt("ann?SDK=x&" + query + signed),  # not quoted, as some clients send it
    ):
        bench.ask(attempt)

    assert [(event["token"], event["signatureVerified"]) for event in bench.function.asked] == [("the token", True)] * 4


@pytest.mark.parametrize(
    ("username", "word"),
    [
        (f"?{NAME}=door", "CUSTOM_AUTHORIZER_PARAMETER_INVALID"),
        (f"?{NAME}=door&Ticket=a", "CUSTOM_AUTHORIZER_PARAMETER_INVALID"),
        (f"?{NAME}=door&{SIGNATURE}=AAAA", "CUSTOM_AUTHORIZER_PARAMETER_INVALID"),
        (f"?{NAME}=door&{NAME}=door", "CUSTOM_AUTHORIZER_PARAMETER_INVALID"),
        (f"?{NAME}=%FF", "CUSTOM_AUTHORIZER_PARAMETER_INVALID"),
        (f"?{NAME}=door&Ticket=a&{SIGNATURE}=AAAA", "SECURITY_TOKEN_SIGNATURE_MISMATCH"),
        (f"?{NAME}=door&Ticket=a&{SIGNATURE}=%00!", "SECURITY_TOKEN_SIGNATURE_MISMATCH"),
        (f"?{NAME}=gate", "CUSTOM_AUTHORIZER_NOT_FOUND"),
        ("ann", "NOT_AUTHENTICATED"),
        (None, "NOT_AUTHENTICATED"),
    ],
)
def test_who_does_not_present_itself_well_is_refused_unasked(bench: Bench, username: str | None, word: str) -> None:
    bench.signing()

    said, detail = bench.refusal(by_mqtt(username))

    assert (said, bench.function.asked) == (word, [])
    assert "AAAA" not in detail


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(TEXT, TEXT, st.sampled_from(["", "ann", "SDK=PythonV2&Version=1"]))
def test_what_is_quoted_is_said_as_it_was_wherever_it_stands(name: str, token: str, user: str) -> None:
    query = f"{NAME.upper()}={quote(name, safe='')}&ticket={quote(token)}&Platform=x"

    attempts = by_mqtt(f"{user}?{query}"), Attempt(connection_id="1", headers={}, query=query)

    assert [(each.said(NAME), each.said("Ticket"), each.said("other")) for each in attempts] == [
        (name, token, None)
    ] * 2


@given(st.text(max_size=60))
def test_no_user_name_breaks_anything(username: str) -> None:
    registry = Registry()
    bench = Bench(registry)

    word, _ = bench.refusal(by_mqtt(username))

    assert word in {"NOT_AUTHENTICATED", "CUSTOM_AUTHORIZER_NOT_FOUND", "CUSTOM_AUTHORIZER_PARAMETER_INVALID"}


def test_an_inactive_authorizer_lets_nobody_in(bench: Bench) -> None:
    bench.create()
    bench.call("update_authorizer", authorizerName="door", status="INACTIVE")

    word, detail = bench.refusal(by_mqtt())

    assert (word, detail) == ("CUSTOM_AUTHORIZER_NOT_FOUND", "authorizer door is INACTIVE")
    assert not asyncio.run(bench.authentication.is_open(CALLER.account))


def test_the_default_authorizer_is_asked_about_who_names_none(bench: Bench) -> None:
    bench.create()
    bench.create("gate")
    bench.call("set_default_authorizer", authorizerName="gate")

    bench.ask(by_mqtt("ann"))
    bench.ask(by_mqtt())

    assert [source.rpartition("/")[2] for source in bench.function.sources] == ["gate", "door"]


def test_an_account_has_authorizers_of_its_own(bench: Bench) -> None:
    bench.create()
    bench.call("set_default_authorizer", authorizerName="door")
    other = OTHER_ACCOUNT.account

    named, unnamed = bench.refusal(by_mqtt(), other), bench.refusal(by_mqtt("ann"), other)

    assert (named[0], unnamed[0]) == ("CUSTOM_AUTHORIZER_NOT_FOUND", "NOT_AUTHENTICATED")
    assert [asyncio.run(bench.authentication.is_open(each)) for each in (CALLER.account, other)] == [True, False]


BAD_ANSWERS: dict[str, tuple[object, str]] = {
    "no": ({"isAuthenticated": False}, "NOT_AUTHENTICATED"),
    "nothing": (b"", "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
    "very much": ({**LET_IN, "more": "a" * 200_000}, "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
    "a bad principal": ({**LET_IN, "principalId": "a/b"}, "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
    "a bad policy": ({**LET_IN, "policyDocuments": ["{}"]}, "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
    "no permission": (AccessDenied("add a permission"), "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
    "an error": (HedgerowError("ValueError"), "CUSTOM_AUTHORIZER_LAMBDA_EXECUTION_ERROR"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_only_a_good_answer_lets_anybody_in(bench: Bench, answer: str) -> None:
    bench.create()
    bench.function.result, word = BAD_ANSWERS[answer]

    said, detail = bench.refusal(by_mqtt(password=b"secret"))

    assert said == word
    assert "secret" not in detail
    figures = bench.authentication.statistics()
    assert (figures["waiting"], figures["asked"], figures["failed"]) == (0, 1, int(answer != "no"))


class Slow(Deciding):
    """Answers when it is told to; counts how many are asked at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.result = LET_IN
        self.go = asyncio.Event()
        self.now = self.most = 0

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.go.wait()
        self.now -= 1
        return json.dumps(self.result).encode()


def test_a_function_that_hangs_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "INVOKED_WITHIN_S", 0.01)
    bench.create()

    async def scene() -> str:
        bench.authentication._invoker = Slow()
        with pytest.raises(NotLetIn) as caught:
            await bench.authentication.ask(CALLER.account, by_mqtt())
        return caught.value.detail

    assert "took longer" in asyncio.run(scene())


def test_who_gets_no_turn_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "AT_ONCE", 1)
    monkeypatch.setattr(asking, "TURN_WITHIN_S", 0.01)
    bench.create()
    ask = bench.authentication.ask

    async def scene() -> tuple[object, object]:
        bench.authentication._invoker = slow = Slow()
        async with asyncio.TaskGroup() as tasks:
            first, second = (tasks.create_task(_answer(ask(CALLER.account, by_mqtt()))) for _ in range(2))
            refused = await second
            slow.go.set()
        return first.result(), refused

    let_in, refused = asyncio.run(scene())

    assert isinstance(let_in, LetIn)
    assert isinstance(refused, NotLetIn)
    assert "to begin" in refused.detail


def test_a_storm_waits_its_turn_and_does_not_touch_other_accounts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "WAITING", 40)
    bench.create()
    bench.create(caller=OTHER_ACCOUNT)
    ask = bench.authentication.ask

    async def scene() -> tuple[list[object], Slow]:
        bench.authentication._invoker = slow = Slow()
        async with asyncio.TaskGroup() as tasks:
            storm = [tasks.create_task(_answer(ask(CALLER.account, by_mqtt()))) for _ in range(60)]
            await asyncio.sleep(0)
            while slow.now < asking.AT_ONCE:
                await asyncio.sleep(0)
            other = tasks.create_task(_answer(ask(OTHER_ACCOUNT.account, by_mqtt())))
            while slow.now <= asking.AT_ONCE:
                await asyncio.sleep(0)
            slow.go.set()
        return [*(task.result() for task in storm), other.result()], slow

    answers, slow = asyncio.run(scene())

    assert slow.most == asking.AT_ONCE + 1  # the other account's is beside them
    assert [type(answer) for answer in answers].count(LetIn) == 41
    assert bench.authentication._turns == {}


async def _answer(asked: Any) -> object:
    try:
        return await asked
    except NotLetIn as error:
        return error
