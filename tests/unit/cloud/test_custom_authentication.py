"""HTTP requests that a custom authorizer speaks for, and what is remembered of its answers."""

from typing import Any

import pytest

from hedgerow.api.ports import Grants, Stranger
from hedgerow.cloud.custom_authentication import Doorkeeper, Unauthorized
from hedgerow.core.caller import Caller, Kind
from hedgerow.services.iot.authorizers import asking
from tests.support.cloud import Cloud, wait
from tests.support.store import CALLER, OTHER_ACCOUNT
from tests.unit.cloud.test_admission import DER, FUNCTION, LET_IN, allow, policy, registered

NAME = "x-amz-customauthorizer-name"
ON_A = policy(allow("iot:Publish", "*:topic/${iot:DomainName}"))
TOPIC = "arn:aws:iot:eu-central-1:123456789012:topic/"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def door(cloud: Cloud, caller: Caller = CALLER, **more: Any) -> None:
    terms = {"authorizerFunctionArn": FUNCTION.format(caller.account), "signingDisabled": True, **more}
    cloud.run(cloud.authorizers.create_authorizer, {"authorizerName": "door", **terms}, caller)
    cloud.function.result = {**LET_IN, "policyDocuments": [ON_A], "refreshAfterInSeconds": 300}


def come(cloud: Cloud, *, name: str | None = "cloud.test", secure: bool = True, **headers: str) -> Any:
    said = {NAME: "door", "host": "localhost:8080", **{key.replace("_", "-"): value for key, value in headers.items()}}
    stranger = Stranger(headers=said, query="", server_name=name, source_ip="192.0.2.1", secure=secure, request_id="r")
    return wait(cloud.strangers.let_in(stranger))


@pytest.mark.spec("JB-35")
def test_an_authorizer_speaks_for_a_request(cloud: Cloud) -> None:
    door(cloud)

    found: tuple[Caller, Grants] = come(cloud, content_length="12", x_token="t")

    caller, grants = found
    assert (caller.account, caller.principal, caller.kind) == (CALLER.account, "lamp1", Kind.CUSTOM)
    assert grants.decide("iot:Publish", TOPIC + "cloud.test", {}).allowed
    assert not grants.decide("iot:Publish", TOPIC + "other", {}).allowed
    (event,) = cloud.function.asked
    assert event["protocols"] == ["tls", "http"]
    assert event["protocolData"]["http"] == {"headers": {NAME: "door", "host": "localhost:8080", "x-token": "t"}}


def test_who_is_refused_is_unauthorized(cloud: Cloud) -> None:
    door(cloud)
    cloud.function.result = {"isAuthenticated": False}

    with pytest.raises(Unauthorized):
        come(cloud)


def test_where_there_is_no_authorizer_nobody_is_asked(cloud: Cloud) -> None:
    door(cloud, OTHER_ACCOUNT)

    assert come(cloud) is None
    assert come(cloud, name=f"{OTHER_ACCOUNT.account}.cloud.test")[0].account == OTHER_ACCOUNT.account


def test_without_tls_the_host_header_names_the_account(cloud: Cloud) -> None:
    door(cloud, OTHER_ACCOUNT)

    caller, _ = come(cloud, name=None, secure=False, host=f"{OTHER_ACCOUNT.account}.localhost:8080")

    assert caller.account == OTHER_ACCOUNT.account
    assert cloud.function.asked[0]["protocols"] == ["http"]


def test_an_authorizers_policies_are_added_to_those_of_a_certificate(cloud: Cloud) -> None:
    certificate = registered(cloud, policy(allow("iot:Publish", TOPIC + "own")))
    door(cloud)
    said = [policy(allow("iot:Publish", "*:topic/added"))]
    cloud.function.result = {"isAuthenticated": True, "principalId": certificate.id, "policyDocuments": said}
    doorkeeper = Doorkeeper(strangers=cloud.strangers, grants=cloud.directory.vouched)
    caller = wait(cloud.directory.certificate(DER, None, None))
    stranger = Stranger(
        headers={NAME: "door"}, query="", server_name="cloud.test", source_ip=None, secure=True, request_id="r"
    )

    grants = wait(doorkeeper.vouch(stranger, DER, caller))

    may = [grants.decide("iot:Publish", TOPIC + name, {}).allowed for name in ("own", "added", "other")]
    assert may == [True, True, False]
    assert cloud.function.asked[0]["protocolData"]["tls"]["principalId"] == certificate.id


def asked(cloud: Cloud) -> int:
    return len(cloud.function.asked)


def test_the_function_is_asked_about_each_request_unless_its_answers_are_remembered(cloud: Cloud) -> None:
    door(cloud)

    come(cloud)
    come(cloud)

    assert asked(cloud) == 2


def test_an_answer_is_good_for_requests_that_look_the_same_until_it_is_to_be_refreshed(cloud: Cloud) -> None:
    door(cloud, enableCachingForHttp=True)

    for length in ("1", "2"):
        come(cloud, content_length=length)
    at_once = asked(cloud)
    cloud.store.clock.advance(299)
    come(cloud)
    before = asked(cloud)
    cloud.store.clock.advance(1)
    come(cloud)

    assert (at_once, before, asked(cloud)) == (1, 1, 2)


def test_nobody_gets_anothers_answer(cloud: Cloud) -> None:
    door(cloud, enableCachingForHttp=True)
    door(cloud, OTHER_ACCOUNT, enableCachingForHttp=True)

    for request in ({}, {"x_token": "t"}, {"x_token": "u"}, {"name": "a.test"}, {"secure": False}):
        come(cloud, **request)
    theirs = come(cloud, name=f"{OTHER_ACCOUNT.account}.cloud.test")

    assert asked(cloud) == 6
    assert theirs[0].account == OTHER_ACCOUNT.account


@pytest.mark.parametrize(
    "change",
    [{"authorizerFunctionArn": FUNCTION.format(CALLER.account) + ":2"}, {"enableCachingForHttp": False}],
    ids=["function", "no more caching"],
)
def test_a_changed_authorizer_is_asked_anew(cloud: Cloud, change: dict[str, Any]) -> None:
    door(cloud, enableCachingForHttp=True)
    come(cloud)
    cloud.store.clock.advance(1)

    cloud.run(cloud.authorizers.update_authorizer, {"authorizerName": "door", **change})
    come(cloud)

    assert asked(cloud) == 2


def test_an_inactive_authorizer_is_of_no_use_whatever_is_remembered(cloud: Cloud) -> None:
    door(cloud, enableCachingForHttp=True)
    come(cloud)

    cloud.run(cloud.authorizers.update_authorizer, {"authorizerName": "door", "status": "INACTIVE"})

    assert come(cloud) is None


@pytest.mark.parametrize("answer", [{"isAuthenticated": False}, {**LET_IN, "policyDocuments": [ON_A]}])
def test_a_no_and_an_answer_without_a_time_are_not_remembered(cloud: Cloud, answer: dict[str, Any]) -> None:
    door(cloud, enableCachingForHttp=True)
    cloud.function.result = answer

    for _ in range(2):
        try:
            come(cloud)
        except Unauthorized:
            assert not answer["isAuthenticated"]

    assert asked(cloud) == 2


def test_what_is_remembered_has_a_bound(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "REMEMBERED", 2)
    door(cloud, enableCachingForHttp=True)

    for token in ("a", "b", "a", "c", "a", "b"):  # c makes b go, which was used longest ago
        come(cloud, x_token=token)

    assert [event["protocolData"]["http"]["headers"]["x-token"] for event in cloud.function.asked] == list("abcb")
