"""TestAuthorization says what a connection would be allowed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from hedgerow.base.errors import NotImplementedYet, ServiceError
from hedgerow.cloud.admission import GrantsCompiler
from hedgerow.cloud.device_standing import DeviceStanding
from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.gateway.ports import Admit, Admitted
from hedgerow.services.iot.certificates import Certificate
from hedgerow.services.iot.errors import InvalidRequest, ResourceNotFound
from hedgerow.services.iot.policies import AuthorizationTestOperations
from tests.support.cloud import Cloud, wait
from tests.support.registry import arn_of, certificate_pem, group_arn
from tests.support.store import CALLER, OTHER_ACCOUNT

IOT = "arn:aws:iot:eu-central-1:123456789012:"
NAME = "${iot:Connection.Thing.ThingName}"


def allow(action: str, resource: str, effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": IOT + resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Bench:
    def __init__(self) -> None:
        self.cloud = Cloud()
        registry = self.registry = self.cloud.registry
        self.operations = AuthorizationTestOperations(
            policies=registry.policy_store,
            effective=registry.effective,
            groups=registry.group_store,
            connections=DeviceStanding(certificates=registry.certificate_store, things=registry.thing_store),
        )
        self.certificate = registry.certificate()

    def attach(self, name: str, document: str, target: str | None = None) -> None:
        self.registry.policy(name, document)
        request = {"policyName": name, "target": target or arn_of(self.certificate)}
        self.registry.store.run(self.registry.attachments.attach_policy, request)

    def ask(self, *infos: tuple[str, str], caller: Caller = CALLER, **more: Any) -> list[Mapping[str, Any]]:
        infos_sent = [{"actionType": kind, "resources": [IOT + resource]} for kind, resource in infos]
        request = {"principal": arn_of(self.certificate), "authInfos": infos_sent, **more}
        answer = self.registry.store.run(self.operations.test_authorization, request, caller)
        return list(answer.response["authResults"])

    def decision(self, kind: str, resource: str, **more: Any) -> str:
        return str(self.ask((kind, resource), **more)[0]["authDecision"])


@pytest.fixture
def bench() -> Bench:
    return Bench()


def names(part: Mapping[str, Any]) -> list[str]:
    return [policy["policyName"] for policy in part["policies"]]


@pytest.mark.spec("JB-40")
def test_the_answer_names_the_policies_that_decided(bench: Bench) -> None:
    bench.attach("may", allow("iot:Publish", "topic/*"))
    bench.attach("not", allow("iot:Publish", "topic/secret", "Deny"))

    open_one, secret, other = bench.ask(
        ("PUBLISH", "topic/open"), ("PUBLISH", "topic/secret"), ("SUBSCRIBE", "topicfilter/open")
    )

    assert open_one == {
        "authInfo": {"actionType": "PUBLISH", "resources": [IOT + "topic/open"]},
        "allowed": {"policies": [{"policyName": "may", "policyArn": IOT + "policy/may"}]},
        "denied": {"implicitDeny": {"policies": []}, "explicitDeny": {"policies": []}},
        "authDecision": "ALLOWED",
        "missingContextValues": [],
    }
    assert (secret["authDecision"], names(secret["denied"]["explicitDeny"])) == ("EXPLICIT_DENY", ["not"])
    assert (other["authDecision"], names(other["denied"]["implicitDeny"])) == ("IMPLICIT_DENY", ["may", "not"])


def test_the_worst_of_several_resources_decides(bench: Bench) -> None:
    bench.attach("may", allow("iot:Publish", "topic/a"))
    info = {"actionType": "PUBLISH", "resources": [IOT + "topic/a", IOT + "topic/b"]}

    (result,) = bench.ask(authInfos=[info])

    assert (result["authDecision"], names(result["allowed"])) == ("IMPLICIT_DENY", ["may"])


def test_policies_are_added_and_skipped_for_the_test_alone(bench: Bench) -> None:
    bench.attach("may", allow("iot:Publish", "topic/a"))
    bench.registry.policy("more", allow("iot:Subscribe", "topicfilter/a"))

    assert bench.decision("SUBSCRIBE", "topicfilter/a", policyNamesToAdd=["more"]) == "ALLOWED"
    assert bench.decision("SUBSCRIBE", "topicfilter/a") == "IMPLICIT_DENY"
    assert bench.decision("PUBLISH", "topic/a", policyNamesToSkip=["may"]) == "IMPLICIT_DENY"


def test_what_the_test_cannot_know_is_named(bench: Bench) -> None:
    at_home = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    bench.attach("home", allow("iot:Publish", "topic/a", Condition=at_home))

    (result,) = bench.ask(("PUBLISH", "topic/a"))

    assert (result["authDecision"], result["missingContextValues"]) == ("IMPLICIT_DENY", ["aws:SourceIp"])


@pytest.mark.parametrize("client_id", ["pump-1", "pump-2", None])
@pytest.mark.parametrize(
    ("kind", "resource"),
    [("CONNECT", "client/pump-1"), ("CONNECT", "client/pump-2"), ("PUBLISH", "topic/hall/x"), ("RECEIVE", "topic/g")],
)
def test_it_says_what_the_connection_finds(bench: Bench, kind: str, resource: str, client_id: str | None) -> None:
    registry = bench.registry
    registry.thing("pump-1", attributePayload={"attributes": {"site": "hall"}})
    registry.attach("pump-1", bench.certificate)
    registry.group("g")
    registry.join("pump-1", "g")
    bench.attach("own", allow("iot:Connect", f"client/{NAME}"))
    bench.attach("site", allow("iot:Publish", "topic/${iot:Connection.Thing.Attributes[site]}/*"))
    bench.attach("group", allow("iot:Receive", "topic/g"), group_arn("g"))

    said = bench.decision(kind, resource, **({} if client_id is None else {"clientId": client_id}))

    assert said == found(bench, kind, resource, client_id or "nobody")


def found(bench: Bench, kind: str, resource: str, client_id: str) -> str:
    der = pki.der_of(pki.read_certificate(certificate_pem(1)))
    question = Admit(client_id=client_id, peer="192.0.2.1", server_name=None, certificate=der)
    admitted = wait(bench.cloud.admission.admit(question))
    assert isinstance(admitted, Admitted)
    grants = GrantsCompiler(clock=bench.cloud.store.clock)(admitted, client_id)
    allowed = grants.decide(f"iot:{kind.title()}", IOT + resource).allowed
    return "ALLOWED" if allowed else "IMPLICIT_DENY"


def test_a_thing_group_is_asked_with_the_groups_above_it(bench: Bench) -> None:
    bench.registry.group("all")
    bench.registry.group("pumps", parentGroupName="all")
    bench.attach("may", allow("iot:Publish", "topic/a"), group_arn("all"))

    assert bench.decision("PUBLISH", "topic/a", principal=group_arn("pumps")) == "ALLOWED"
    assert bench.decision("PUBLISH", "topic/b", principal=group_arn("pumps")) == "IMPLICIT_DENY"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"principal": group_arn("none")}, ResourceNotFound),
        ({"principal": IOT + "cert/" + "0" * 64}, ResourceNotFound),
        ({"principal": "lamp"}, InvalidRequest),
        ({"policyNamesToAdd": ["none"]}, ResourceNotFound),
        ({"policyNamesToSkip": ["none"]}, ResourceNotFound),
        ({"authInfos": [{"resources": ["x"]}]}, InvalidRequest),
        ({"cognitoIdentityPoolId": "eu-central-1:1"}, NotImplementedYet),
    ],
)
def test_what_is_not_there_is_refused(bench: Bench, more: dict[str, Any], error: type[ServiceError]) -> None:
    with pytest.raises(error):
        bench.ask(("PUBLISH", "topic/a"), **more)


def test_nobody_asks_about_another_accounts_device(bench: Bench) -> None:
    foreign: Certificate = bench.certificate

    with pytest.raises(ServiceError):
        bench.ask(("PUBLISH", "topic/a"), caller=OTHER_ACCOUNT, principal=arn_of(foreign))
    with pytest.raises(ResourceNotFound):
        bench.ask(("PUBLISH", "topic/a"), caller=OTHER_ACCOUNT, principal=arn_of(foreign, OTHER_ACCOUNT))
