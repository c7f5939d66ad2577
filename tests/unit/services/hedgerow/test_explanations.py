"""Explanations of devices' rights, over the registry as the cloud joins it."""

from typing import Any

import pytest

from hedgerow.cloud.explaining import Devices
from hedgerow.cloud.registry import Stores
from hedgerow.services.hedgerow.explanations import ExplanationOperations
from hedgerow.services.hedgerow.explanations.errors import InvalidQuestion, NothingToExplain
from tests.support.registry import Registry
from tests.support.store import OTHER_ACCOUNT

OWN = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},
    {"Sid": "Own", "Effect": "Allow", "Action": "iot:Publish",
     "Resource": "arn:aws:iot:eu-central-1:123456789012:topic/${iot:Connection.Thing.ThingName}/*"},
    {"Effect": "Deny", "Action": "iot:Publish", "Resource": "arn:aws:iot:eu-central-1:123456789012:topic/*/secret"}
]}"""


class World:
    def __init__(self) -> None:
        self.registry = Registry()
        self.operations = ExplanationOperations(devices=Devices(stores=Stores()))
        run, registry = self.registry.store.run, self.registry
        run(registry.things.create_thing, {"thingName": "pump"})
        self.certificate = registry.certificate()
        run(registry.policies.create_policy, {"policyName": "own", "policyDocument": OWN})

    def attach(self) -> None:
        run, registry = self.registry.store.run, self.registry
        principal = f"arn:aws:iot:eu-central-1:123456789012:cert/{self.certificate.id}"
        run(registry.attachments.attach_policy, {"policyName": "own", "target": principal})
        run(registry.principals.attach_thing_principal, {"thingName": "pump", "principal": principal})

    def explain(self, **request: Any) -> dict[str, Any]:
        (found,) = self.registry.store.run(self.operations.explain_authorization, request).response["explanations"]
        return dict(found)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("topic", "decision", "statement"),
    [("pump/a", "ALLOWED", 2), ("pump/secret", "EXPLICIT_DENY", 3), ("other/a", "IMPLICIT_DENY", 2)],
)
def test_the_statement_that_decides_is_named(world: World, topic: str, decision: str, statement: int) -> None:
    world.attach()

    found = world.explain(thingName="pump", action="iot:Publish", topic=topic)

    assert (found["decision"], found["policyName"], found["statementNumber"]) == (decision, "own", statement)
    assert (found["certificateId"], found["certificateStatus"]) == (world.certificate.id, "ACTIVE")
    assert found["resource"].endswith(f":topic/{topic}")


def test_a_variable_without_a_value_is_named(world: World) -> None:
    world.attach()

    found = world.explain(certificateId=world.certificate.id, clientId="x", action="iot:Publish", topic="pump/a")

    assert found["decision"] == "IMPLICIT_DENY"
    assert found["missingVariable"] == "iot:Connection.Thing.ThingName"


def test_a_connection_is_about_the_client_id(world: World) -> None:
    world.attach()

    assert world.explain(thingName="pump", action="iot:Connect")["resource"].endswith(":client/pump")


@pytest.mark.parametrize(
    "request_",
    [
        {"action": "iot:Publish", "topic": "a"},
        {"action": "iot:Publish", "thingName": "pump"},
        {"action": "iot:Connect", "thingName": "pump", "topic": "a"},
    ],
)
def test_a_question_that_leaves_something_open_is_refused(world: World, request_: dict[str, Any]) -> None:
    world.attach()

    with pytest.raises(InvalidQuestion):
        world.explain(**request_)


def test_what_nobody_has_is_not_explained(world: World) -> None:
    with pytest.raises(NothingToExplain, match="no certificate: it cannot connect"):
        world.explain(thingName="pump", action="iot:Connect")
    with pytest.raises(NothingToExplain, match="no thing"):
        world.explain(thingName="none", action="iot:Connect")
    with pytest.raises(NothingToExplain):
        world.explain(certificateId="0" * 64, clientId="x", action="iot:Connect")


def test_accounts_do_not_meet(world: World) -> None:
    world.attach()

    for whom in ({"thingName": "pump"}, {"certificateId": world.certificate.id, "clientId": "pump"}):
        with pytest.raises(NothingToExplain):
            world.registry.store.run(
                world.operations.explain_authorization, {**whom, "action": "iot:Connect"}, caller=OTHER_ACCOUNT
            )
