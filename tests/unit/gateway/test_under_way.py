"""How much of a publisher may be under way to us, and what becomes of the rest."""

from typing import TYPE_CHECKING, Any

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, Kind, Publish
from hedgerow.core.mqtt.limits import OWN
from hedgerow.gateway.connection import UNDER_WAY
from tests.unit.gateway.test_exactly_once import SlowJournal, kinds
from tests.unit.gateway.test_sessions import kept_client
from tests.unit.gateway.world import World

if TYPE_CHECKING:
    from collections.abc import Coroutine


@pytest.fixture
def journal() -> SlowJournal:
    return SlowJournal()


@pytest.fixture(params=["direct", "wire"])
def world(request: pytest.FixtureRequest, journal: SlowJournal) -> World:
    return World(request.param, OWN, journal)


def burst(topic: str, count: int, qos: int = 1) -> list[Publish]:
    return [Publish(topic, b"%d" % number, qos, packet_id=number) for number in range(1, count + 1)]


@pytest.mark.parametrize("qos", [1, 2])
def test_a_client_of_3_1_1_that_sends_more_than_we_take_at_once_waits_and_loses_nothing(
    world: World, journal: SlowJournal, qos: int
) -> None:
    sender, receiver = kept_client(world, MQTT_3_1_1), kept_client(world, MQTT_3_1_1, "receiver")
    receiver.subscribe("t", qos=1)
    receiver.drop()
    sender.take()
    journal.held = True

    sender.send(*burst("t", 250, qos))
    at_first, stopped = kinds(sender.take()), sender.wire.paused
    journal.held = False
    journal.write()

    assert (at_first, stopped) == ([], True)
    wanted = Kind.PUBACK if qos == 1 else Kind.PUBREC
    assert kinds(sender.take()) == [(wanted, number, 0) for number in range(1, 251)]
    assert not sender.wire.paused


def test_who_waits_for_us_and_reads_nothing_is_read_from_when_both_is_over(world: World, journal: SlowJournal) -> None:
    sender, receiver = kept_client(world, MQTT_3_1_1), kept_client(world, MQTT_3_1_1, "receiver")
    receiver.subscribe("t", qos=1)
    receiver.drop()
    journal.held = True
    sender.send(*burst("t", 150))
    sender.connection.pause_writing()
    journal.held = False
    journal.write()
    still = sender.wire.paused

    sender.connection.resume_writing()

    assert still
    assert [number for _, number, _ in kinds(sender.take())] == list(range(1, 151))
    assert not sender.wire.paused


def test_requests_without_an_identifier_take_nothing_from_the_receive_maximum(world: World) -> None:
    client = world.client("a", version=MQTT_5)
    waiting: list[Coroutine[Any, Any, None]] = []
    for gateway in world.gateways:
        gateway.spawn = waiting.append
    client.send(*[Publish("$aws/things/a/shadow/get", b"") for _ in range(150)])

    client.send(Publish("t", b"x", 1, packet_id=1))

    assert kinds(client.take()) == [(Kind.PUBACK, 1, 0)]
    assert len(waiting) == world.limits.receive_maximum
    for work in waiting:
        work.close()


@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
def test_who_sends_more_bytes_than_we_hold_waits(world: World, journal: SlowJournal, version: int) -> None:
    sender, receiver = kept_client(world, version), kept_client(world, version, "receiver")
    receiver.subscribe("t", qos=1)
    receiver.drop()
    journal.held = True
    mebibyte = b"x" * (1024 * 1024)
    count = UNDER_WAY // len(mebibyte) + 3

    sender.send(*[Publish("t", mebibyte, 1, packet_id=number) for number in range(1, count + 1)])
    held, stopped = sender.connection.pending_bytes, sender.wire.paused
    journal.held = False
    journal.write()

    assert (held, stopped) == (UNDER_WAY, True)
    assert kinds(sender.take()) == [(Kind.PUBACK, number, 0) for number in range(1, count + 1)]
    assert (sender.connection.pending_bytes, sender.wire.paused) == (0, False)
