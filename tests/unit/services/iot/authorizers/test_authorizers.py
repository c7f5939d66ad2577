import asyncio
import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from hedgerow.base.errors import AccessDenied, HedgerowError, ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.authorizers import AuthorizerFlows, AuthorizerOperations, AuthorizerStore
from hedgerow.services.iot.authorizers.errors import (
    AuthorizerActive,
    AuthorizerExists,
    AuthorizerIsDefault,
    AuthorizerNotFound,
    InvalidResponse,
    NoDefaultAuthorizer,
    TooManyAuthorizers,
)
from hedgerow.services.iot.errors import InvalidRequest
from tests.support.registry import ALLOW_ALL, Registry
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryRun

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:decide"
OPEN = {"authorizerFunctionArn": FUNCTION, "signingDisabled": True}
LET_IN = {"isAuthenticated": True, "principalId": "lamp1", "policyDocuments": [ALLOW_ALL]}


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(private: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(private.public_key().public_bytes(serialization.Encoding.PEM, form).decode("ascii"))


def signature(token: str) -> str:
    return base64.b64encode(key().sign(token.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


class Function:
    """Answers what it is told to, remembers what it was asked."""

    def __init__(self) -> None:
        self.result: object = LET_IN
        self.asked: list[dict[str, Any]] = []
        self.sources: list[str] = []

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        self.asked.append(json.loads(payload))
        self.sources.append(source_arn)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result if isinstance(self.result, bytes) else json.dumps(self.result).encode()


class Bench:
    def __init__(self, registry: Registry) -> None:
        self.registry, self.function, store = registry, Function(), AuthorizerStore()
        self.operations = AuthorizerOperations(authorizers=store, pages=registry.pages)
        self.flows = AuthorizerFlows(
            run=MemoryRun(registry.store), ids=registry.ids, authorizers=store, invoker=self.function
        )

    def call(self, method: str, caller: Caller = CALLER, **request: Any) -> Mapping[str, Any]:
        return self.registry.store.run(getattr(self.operations, method), request, caller).response

    def create(self, name: str = "door", caller: Caller = CALLER, **more: Any) -> Mapping[str, Any]:
        return self.call("create_authorizer", caller, authorizerName=name, **{**OPEN, **more})

    def signing(self) -> None:
        request: dict[str, Any] = {"tokenKeyName": "token", "tokenSigningPublicKeys": {"a": public_pem(key())}}
        self.create(signingDisabled=False, **request)

    def describe(self, name: str = "door", caller: Caller = CALLER) -> Mapping[str, Any]:
        described: Mapping[str, Any] = self.call("describe_authorizer", caller, authorizerName=name)[
            "authorizerDescription"
        ]
        return described

    def test(self, name: str = "door", **request: Any) -> dict[str, Any]:
        recorded = Request({"authorizerName": name, **request})
        answer = asyncio.run(self.flows.test_invoke_authorizer(recorded, CALLER))
        assert recorded.unread() == []
        return dict(answer)


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry)


@pytest.mark.spec("JB-35")
def test_an_authorizer_is_described_changed_and_deleted(bench: Bench) -> None:
    created = bench.create(enableCachingForHttp=True)
    cached = bench.describe()["enableCachingForHttp"]
    bench.call("update_authorizer", authorizerName="door", status="INACTIVE", authorizerFunctionArn=FUNCTION + ":2")
    still = bench.describe()["enableCachingForHttp"]
    bench.call("update_authorizer", authorizerName="door", enableCachingForHttp=False)

    described = bench.describe()
    bench.call("delete_authorizer", authorizerName="door")

    assert created["authorizerArn"] == "arn:aws:iot:eu-central-1:123456789012:authorizer/door"
    assert (described["status"], described["signingDisabled"]) == ("INACTIVE", True)
    assert (cached, still, described["enableCachingForHttp"]) == (True, True, False)
    assert described["authorizerFunctionArn"] == FUNCTION + ":2"
    with pytest.raises(AuthorizerNotFound):
        bench.describe()


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"signingDisabled": False}, InvalidRequest),  # neither a key nor its name
        ({"tokenKeyName": "t", "tokenSigningPublicKeys": {"a": "nothing"}}, InvalidRequest),
        ({"signingDisabled": False, "tokenKeyName": "t", "tokenSigningPublicKeys": {}}, InvalidRequest),
        ({"authorizerFunctionArn": "decide"}, InvalidRequest),
        ({"authorizerFunctionArn": FUNCTION.replace("123456789012", "210987654321")}, InvalidRequest),
    ],
)
def test_what_cannot_work_is_refused(bench: Bench, more: dict[str, Any], error: type[ServiceError]) -> None:
    with pytest.raises(error):
        bench.create(**more)


@pytest.mark.slow  # makes RSA keys
def test_only_strong_rsa_keys_sign_tokens(bench: Bench) -> None:
    weak = [rsa.generate_private_key(public_exponent=65537, key_size=1024), ec.generate_private_key(ec.SECP256R1())]
    for private in weak:
        request: dict[str, Any] = {"tokenKeyName": "token", "tokenSigningPublicKeys": {"a": public_pem(private)}}
        with pytest.raises(InvalidRequest, match="RSA"):
            bench.create(signingDisabled=False, **request)


def test_names_are_taken_once_per_account_and_seen_there_alone(bench: Bench) -> None:
    bench.create()

    with pytest.raises(AuthorizerExists):
        bench.create()
    with pytest.raises(AuthorizerNotFound):
        bench.describe(caller=OTHER_ACCOUNT)
    assert bench.call("list_authorizers", OTHER_ACCOUNT) == {"authorizers": []}


def test_an_active_authorizer_is_not_deleted(bench: Bench) -> None:
    bench.create()

    with pytest.raises(AuthorizerActive):
        bench.call("delete_authorizer", authorizerName="door")


def test_there_are_limits(bench: Bench) -> None:
    for number in range(32):
        bench.create(f"a{number}")

    with pytest.raises(TooManyAuthorizers, match="active"):
        bench.create("a32")
    bench.create("a32", status="INACTIVE")
    with pytest.raises(TooManyAuthorizers, match="active"):
        bench.call("update_authorizer", authorizerName="a32", status="ACTIVE")
    for number in range(33, 100):
        bench.create(f"a{number}", status="INACTIVE")
    with pytest.raises(TooManyAuthorizers, match="100"):
        bench.create("a100", status="INACTIVE")


def test_authorizers_are_listed_by_status_page_by_page(bench: Bench) -> None:
    for number, status in enumerate(("ACTIVE", "INACTIVE", "ACTIVE", "ACTIVE")):
        bench.create(f"a{number}", status=status)
        bench.registry.store.clock.advance(1)

    first = bench.call("list_authorizers", status="ACTIVE", pageSize=2)
    second = bench.call("list_authorizers", status="ACTIVE", pageSize=2, marker=first["nextMarker"])

    assert [a["authorizerName"] for page in (first, second) for a in page["authorizers"]] == ["a3", "a2", "a0"]


def test_one_authorizer_is_the_default_until_it_is_cleared(bench: Bench) -> None:
    bench.create()
    bench.create("gate")
    bench.call("set_default_authorizer", authorizerName="door")

    answer = bench.call("set_default_authorizer", authorizerName="gate")
    described = bench.call("describe_default_authorizer")["authorizerDescription"]
    bench.call("clear_default_authorizer")

    assert answer == {
        "authorizerName": "gate",
        "authorizerArn": "arn:aws:iot:eu-central-1:123456789012:authorizer/gate",
    }
    assert described["authorizerName"] == "gate"
    with pytest.raises(NoDefaultAuthorizer):
        bench.call("describe_default_authorizer")


def test_the_default_authorizer_is_not_deleted(bench: Bench) -> None:
    bench.create(status="INACTIVE")
    bench.call("set_default_authorizer", authorizerName="door")

    with pytest.raises(AuthorizerIsDefault):
        bench.call("delete_authorizer", authorizerName="door")


def test_a_default_is_of_its_own_account_and_must_be_there(bench: Bench) -> None:
    bench.create()
    bench.call("set_default_authorizer", authorizerName="door")

    with pytest.raises(AuthorizerNotFound):
        bench.call("set_default_authorizer", OTHER_ACCOUNT, authorizerName="door")
    with pytest.raises(NoDefaultAuthorizer):
        bench.call("describe_default_authorizer", OTHER_ACCOUNT)


def test_without_a_default_authorizer_there_is_none_to_describe(bench: Bench) -> None:
    bench.create()

    with pytest.raises(NoDefaultAuthorizer):
        bench.call("describe_default_authorizer")
    with pytest.raises(NoDefaultAuthorizer):
        bench.call("clear_default_authorizer")


# --- asking the function


def test_the_function_is_asked_as_for_a_connection(bench: Bench) -> None:
    bench.create()

    answer = bench.test(
        httpContext={"headers": {"X-A": "b"}, "queryString": "?a=b"},
        mqttContext={"username": "ann?x=1", "password": b"\x00secret", "clientId": "lamp"},
        tlsContext={"serverName": "cloud.test"},
    )

    (event,) = bench.function.asked
    assert event == {
        "protocols": ["tls", "http", "mqtt"],
        "protocolData": {
            "tls": {"serverName": "cloud.test"},
            "http": {"headers": {"X-A": "b"}, "queryString": "?a=b"},
            "mqtt": {"username": "ann?x=1", "password": "AHNlY3JldA==", "clientId": "lamp"},
        },
        "connectionMetadata": {"id": event["connectionMetadata"]["id"]},
    }
    assert bench.function.sources == ["arn:aws:iot:eu-central-1:123456789012:authorizer/door"]
    assert answer == LET_IN


def test_a_signed_token_is_verified_first(bench: Bench) -> None:
    bench.signing()

    bench.test(token="secret", tokenSignature=signature("secret"))  # that is the test

    (event,) = bench.function.asked
    assert (event["token"], event["signatureVerified"], event["protocols"]) == ("secret", True, [])


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"token": "secret"},
        {"token": "secret", "tokenSignature": "AAAA"},
        {"token": "secret", "tokenSignature": "no base64!"},
        {"token": "other", "tokenSignature": "GOOD"},
        {"token": "\ud800", "tokenSignature": "AAAA"},
    ],
)
def test_without_a_good_signature_the_function_is_not_asked(bench: Bench, request_: dict[str, str]) -> None:
    bench.signing()
    if request_.get("tokenSignature") == "GOOD":
        request_ = {**request_, "tokenSignature": signature("secret")}

    with pytest.raises(InvalidRequest):
        bench.test(**request_)

    assert bench.function.asked == []


def test_a_token_means_nothing_where_signing_is_disabled(bench: Bench) -> None:
    bench.create()

    with pytest.raises(InvalidRequest):
        bench.test(token="secret")  # that is the test


BAD_ANSWERS: dict[str, object] = {
    "no JSON": b"nothing",
    "very deep": b"[" * 100_000,
    "no map": [],
    "no decision": {},
    "a word": {"isAuthenticated": "true"},
    "no principal": {"isAuthenticated": True, "policyDocuments": [ALLOW_ALL]},
    "a bad principal": {**LET_IN, "principalId": "lamp-1"},
    "no policies": {"isAuthenticated": True, "principalId": "lamp1"},
    "a bad policy": {**LET_IN, "policyDocuments": ["{}"]},
    "a long policy": {**LET_IN, "policyDocuments": [ALLOW_ALL + " " * 2048]},
    "many policies": {**LET_IN, "policyDocuments": [ALLOW_ALL] * 11},
    "too short": {**LET_IN, "refreshAfterInSeconds": 299},
    "too long": {**LET_IN, "disconnectAfterInSeconds": 86_401},
    "no number": {**LET_IN, "disconnectAfterInSeconds": True},
    "broken": HedgerowError("the function ended with an error"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
def test_what_an_authorizer_must_not_answer_is_named(bench: Bench, answer: str) -> None:
    bench.create()
    bench.function.result = BAD_ANSWERS[answer]

    with pytest.raises(InvalidResponse):
        bench.test()


def test_a_function_that_may_not_be_invoked_is_the_requests_fault(bench: Bench) -> None:
    bench.create()
    bench.function.result = AccessDenied("add a permission")

    with pytest.raises(InvalidRequest, match="add a permission"):
        bench.test()


def test_no_is_an_answer_and_policies_may_be_objects(bench: Bench) -> None:
    bench.create()
    bench.function.result = {"isAuthenticated": False, "principalId": "?"}
    no = bench.test()
    bench.function.result = {**LET_IN, "policyDocuments": [json.loads(ALLOW_ALL)], "disconnectAfterInSeconds": 300}

    yes = bench.test()

    assert no == {"isAuthenticated": False}
    assert (json.loads(yes["policyDocuments"][0]), yes["disconnectAfterInSeconds"]) == (json.loads(ALLOW_ALL), 300)
