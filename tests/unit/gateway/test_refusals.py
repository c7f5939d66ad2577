"""Control hears what clients that want an identity may not do, and nothing of others."""

from typing import TYPE_CHECKING, Any

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.core.mqtt import Will
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway import refusals
from hedgerow.gateway.ports import Question, Reply
from tests.unit.gateway.control import FakeControl
from tests.unit.gateway.world import V5, Client, World

if TYPE_CHECKING:
    from collections.abc import Coroutine

OTHER = "$aws/provisioning-templates/other/provision/json"


def claim(world: World, **options: Any) -> Client:
    world.control.admitted = {"claim": True}
    client = world.client("new", **options)
    world.control.admitted = {}
    return client


def told(world: World) -> list[tuple[str, str]]:
    world.run()
    return [(each.message.topic, each.why) for each in world.control.refused]


@pytest.mark.parametrize("version", [4, V5])
@pytest.mark.parametrize("qos", [0, 1])
def test_who_may_not_be_provisioned_by_a_template_is_told_of_whatever_it_came_with(
    world: World, version: int, qos: int
) -> None:
    world.control.denied = ("iot:Publish *",)

    world.client("new", version=version).publish(OTHER, b'{"a": 1}', qos=qos)

    (question,) = world.control.refused
    assert question.message.topic == OTHER
    assert question.message.payload == b'{"a": 1}'
    assert (question.message.client_id, question.message.principal) == ("new", "cert-of-new")
    assert (question.peer, question.why) == ("192.0.2.1", f"may not publish to {OTHER}")


def test_a_subscription_to_the_answers_is_an_attempt_too(world: World) -> None:
    world.control.denied = ("iot:Subscribe *",)

    world.client("new").subscribe(f"$share/group/{OTHER}/accepted", "a/b")

    assert [topic for topic, _ in told(world)] == [f"{OTHER}/accepted"]


def test_a_connection_tells_of_each_template_once(world: World) -> None:
    world.control.denied = ("iot:Publish *", "iot:Subscribe *")
    client = world.client("new", version=V5)

    client.subscribe(f"{OTHER}/accepted", f"{OTHER}/rejected")
    for topic in (OTHER, OTHER, OTHER.replace("other", "third"), "$aws/certificates/create/json"):
        client.publish(topic, qos=1)

    assert [topic.split("/")[2] for topic, _ in told(world)] == ["other", "third", "create"]


def test_a_connection_tells_of_so_many_at_most(world: World) -> None:
    world.control.denied = ("iot:Publish *",)
    client = world.client("new", version=V5)

    for number in range(refusals.SUBJECTS + 5):
        client.publish(OTHER.replace("other", f"t{number}"), qos=1)

    assert len(told(world)) == refusals.SUBJECTS


def test_of_a_claim_everything_is_told(world: World) -> None:
    world.control.denied = ("iot:Publish topic/a*",)

    claim(world).publish("a")
    claim(world).push(b"\x30\xff\xff\xff\x7f")

    assert [topic for topic, _ in told(world)] == ["a", ""]


def test_a_claim_with_a_will_that_it_may_not_leave_is_told_of(world: World) -> None:
    world.control.denied = ("iot:Publish topic/a*",)

    claim(world, will=Will("a", b"x", 0))

    (question,) = world.control.refused
    assert question.message.client_id == "new"
    assert question.why.startswith("may not connect: ")


def test_of_others_nothing_is_told(world: World) -> None:
    world.control.denied = ("iot:Publish *", "iot:Subscribe *")
    world.client("lamp", will=Will("a", b"x", 0))
    client = world.client("lamp", version=V5)

    client.subscribe("#", "$aws/things/lamp/shadow/get/accepted")
    client.publish("a", qos=1)
    client.push(b"\x30\xff\xff\xff\x7f")

    assert told(world) == []


def test_a_long_payload_stays_with_the_gateway(world: World) -> None:
    world.control.denied = ("iot:Publish *",)

    world.client("new").publish(OTHER, b"x" * (refusals.LONGEST + 1))

    assert [question.message.payload for question in world.control.refused] == [b""]


def test_what_is_not_noted_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.control.denied = ("iot:Publish *",)

    async def ask(self: FakeControl, question: Question, *, deadline_s: float) -> Reply:
        raise Unavailable("the store is full")

    first, second = world.client("first"), world.client("second")
    waiting: list[Coroutine[Any, Any, None]] = []
    (gateway,) = world.gateways
    gateway.spawn = waiting.append
    monkeypatch.setattr(refusals, "AT_ONCE", 1)
    monkeypatch.setattr(FakeControl, "ask", ask)

    first.publish(OTHER)
    second.publish(OTHER)

    assert (gateway.statistics()["refusals_waiting"], gateway.statistics()["refusals_untold"]) == (1, 1)
    world.drive(waiting[0])
    assert (gateway.statistics()["refusals_waiting"], gateway.statistics()["refusals_untold"]) == (0, 2)


def test_a_refused_client_hears_the_same_as_any(world: World) -> None:
    world.control.denied = ("iot:Publish *",)
    client = claim(world, version=V5)

    client.publish(OTHER, qos=1)

    assert client.acks() == [Reason.NOT_AUTHORIZED]
