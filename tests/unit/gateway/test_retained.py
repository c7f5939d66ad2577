"""Many retained messages for one new subscription: all arrive, and others have their turn between."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hedgerow.core.mqtt import MQTT_5, Ack, Kind, Property, Publish, Subscribe, Unsubscribe
from hedgerow.core.mqtt.limits import OWN
from hedgerow.gateway.ports import Message
from hedgerow.gateway.retained import STEPS, Retained
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import Client, World

if TYPE_CHECKING:
    from collections.abc import Coroutine

MANY = 3 * STEPS


class Turns:
    """Runs the gateway's tasks a step at a time."""

    def __init__(self, world: World) -> None:
        self.tasks: list[Coroutine[Any, Any, None]] = []
        for gateway in world.gateways:
            gateway.spawn = self.tasks.append

    def turn(self) -> None:
        for task in tuple(self.tasks):
            try:
                task.send(None)
            except StopIteration:
                self.tasks.remove(task)


def filled(count: int = MANY) -> World:
    world = World(limits=OWN)
    retained = world.gateways[0].account(ACCOUNT).retained
    for number in range(count):
        retained.keep(Message(account=ACCOUNT, topic=f"r/{number}", payload=b"%d" % number, qos=1), 0.0)
    return world


def payloads(client: Client) -> list[int]:
    return [int(packet.payload) for packet in client.take() if isinstance(packet, Publish)]


def test_others_have_their_turn_while_much_is_handed_out() -> None:
    world = filled()
    client, other = world.client("c"), world.client("other")
    turns = Turns(world)

    client.send(Subscribe(1, (("r/#", 0),)))
    at_once = payloads(client)
    other.publish("r/live", b"-1")
    between = payloads(client)
    while turns.tasks:
        turns.turn()

    assert 0 < len(at_once) <= STEPS
    assert between == [-1]
    assert sorted(at_once + payloads(client)) == list(range(MANY))


def test_what_was_subscribed_and_left_is_not_handed_out_to_the_end() -> None:
    world = filled()
    client = world.client("c")
    turns = Turns(world)
    client.send(Subscribe(1, (("r/#", 0), ("r/+", 0))))
    client.send(Unsubscribe(2, ("r/#",)))
    client.take()

    turns.turn()
    turns.turn()
    client.send(Unsubscribe(3, ("r/+",)))
    while turns.tasks:
        turns.turn()

    assert len(payloads(client)) <= 2 * STEPS
    assert world.gateways[0].retrievals.statistics() == {"waiting": 0}


def test_a_client_that_is_gone_gets_the_rest_when_its_session_goes_on() -> None:
    world = filled()
    kept: dict[str, Any] = {"version": MQTT_5, "clean": False, "properties": {Property.SESSION_EXPIRY: 600}}
    client = world.client("c", **kept)
    turns = Turns(world)
    client.send(Subscribe(1, (("r/#", 1),)))
    client.drop()
    while turns.tasks:
        turns.turn()
    world.gateways[0].spawn = world.drive

    again = world.client("c", **kept)
    found: set[int] = set()
    packets = again.inbox
    while publishes := [packet for packet in packets if isinstance(packet, Publish)]:
        found |= {int(packet.payload) for packet in publishes}
        again.send(*[Ack(Kind.PUBACK, packet.packet_id) for packet in publishes])
        packets = again.take()

    assert found == set(range(MANY))


@pytest.mark.parametrize("slow", ["congested", "window"])
def test_a_slow_client_is_waited_for(slow: str) -> None:
    world = filled(10 * STEPS)
    client = world.client("c")

    async def main() -> tuple[int, int]:
        async with asyncio.TaskGroup() as tasks:
            running: list[asyncio.Task[None]] = []
            world.gateways[0].spawn = lambda work: running.append(tasks.create_task(work))
            client.connection.congested = slow == "congested"
            client.send(Subscribe(1, (("r/#", 1),)))
            for _ in range(50):
                await asyncio.sleep(0)
            session = client.connection.session
            waits = len(session.queue)
            client.drop()
            for task in running:
                await task
            return waits, world.gateways[0].retrievals.statistics()["waiting"]

    waits, left = asyncio.run(main())

    assert waits < 4 * STEPS
    assert left == 0


def test_only_what_expires_is_looked_at_for_its_time() -> None:
    retained = Retained(by_wildcard=False, parent_of_hash=False)
    retained.keep(Message(account=ACCOUNT, topic="a", payload=b"x", expires_at=5.0), 0.0)
    retained.keep(Message(account=ACCOUNT, topic="b", payload=b"x", expires_at=5.0), 0.0)
    retained.keep(Message(account=ACCOUNT, topic="b", payload=b"for ever"), 0.0)

    assert retained.expired(4.0) == []
    assert retained.expired(5.0) == ["a"]
    retained.drop("a")
    assert (retained.expired(5.0), retained.topics()) == ([], ["b"])
