"""Packets that are cut short, changed or too long, at every byte: the sender alone is cut, with the right reason.

`test_fuzz` does the same by chance, with several packets at once.
"""

import asyncio

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, TO_SERVER, Connect, Disconnect, Publish, encode
from hedgerow.core.mqtt.limits import AWS_SHAPES, OWN, Limits
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway import deadlines
from hedgerow.gateway.summary import summary
from tests.unit.core.mqtt.vectors import VECTORS, Vector
from tests.unit.gateway.world import Client, World

PACKETS = [vector for vector in VECTORS if vector.side is TO_SERVER]
VERSIONS = {"3.1.1": MQTT_3_1_1, "5": MQTT_5}
TOO_LONG = AWS_SHAPES.packet + 1


class Witness:
    """Somebody else, who must not notice."""

    def __init__(self, world: World) -> None:
        self._client = world.client("witness", keep_alive=0)
        self._client.subscribe("witnessed")
        self._count = 0

    def is_served(self) -> bool:
        self._count += 1
        payload = b"%d" % self._count
        self._client.publish("witnessed", payload)
        return ("witnessed", payload) in self._client.messages()


def speaker(world: World, version: int, first: int) -> Client:
    """A client that may send this kind of packet: CONNECT on a new transport, all else on a connection."""
    if first >> 4 == 1:
        return world.open(version)
    client = world.client("speaker", version=version)
    client.subscribe("a/b", "t")
    client.take()
    return client


@pytest.mark.parametrize("vector", PACKETS, ids=lambda vector: vector.name)
def test_a_packet_that_ends_early_waits_for_the_rest_and_holds_up_nobody(vector: Vector) -> None:
    wire, version = vector.wire, vector.version
    world = World()
    witness = Witness(world)

    for size in range(1, len(wire)):
        client = speaker(world, version, wire[0])
        client.push(wire[:size])
        assert client.take() == []
        assert not client.wire.closed
        client.drop()

    assert witness.is_served()
    assert world.gateways[0].statistics()["connections"] == 1


@pytest.mark.parametrize("vector", PACKETS, ids=lambda vector: vector.name)
def test_a_packet_with_any_byte_changed_is_taken_or_ends_its_connection_alone(vector: Vector) -> None:
    wire, version = vector.wire, vector.version
    world = World()
    witness = Witness(world)

    for at in range(len(wire)):
        for value in {0x00, 0x7F, 0x80, 0xFF, wire[at] ^ 1} - {wire[at]}:
            client = speaker(world, version, wire[0])
            client.push(wire[:at] + bytes((value,)) + wire[at + 1 :])
            assert client.connection.state.value in ("new", "open", "closed")
            client.drop()

    assert witness.is_served()
    assert world.gateways[0].statistics()["connections"] == 1


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@pytest.mark.parametrize("first", [0x10, 0x30, 0x32, 0x82, 0xA2, 0xC0, 0xE0])
def test_a_packet_that_says_it_is_too_long_is_refused_before_it_is_there(version: int, first: int) -> None:
    world = World()
    witness = Witness(world)
    client = speaker(world, version, first)
    length = bytearray()
    rest = TOO_LONG
    while rest:
        length.append(rest & 127 | (128 if rest > 127 else 0))
        rest >>= 7

    client.push(bytes((first,)) + length)

    assert client.wire.closed
    if version == MQTT_5 and first != 0x10:
        assert client.take() == [Disconnect(Reason.PACKET_TOO_LARGE)]
    assert witness.is_served()


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_a_length_of_more_than_four_bytes_is_malformed(version: int) -> None:
    world = World()
    client = world.client("c", version=version)

    client.push(b"\x30\xff\xff\xff\xff\x01")

    assert client.wire.closed
    assert client.take() == ([Disconnect(Reason.MALFORMED_PACKET)] if version == MQTT_5 else [])


def test_half_a_connect_is_cut_when_its_time_is_over_and_no_sooner() -> None:
    world = World()
    witness = Witness(world)
    wire = encode(Connect("late", True, 60), MQTT_3_1_1)
    clients = [world.open() for _ in range(len(wire))]
    for size, client in enumerate(clients):
        client.push(wire[:size])

    world.advance(deadlines.CONNECT_WITHIN_S - 1)
    before = [client.wire.closed for client in clients]
    world.advance(2)

    assert not any(before)
    assert all(client.wire.closed for client in clients)
    assert witness.is_served()
    assert world.gateways[0].statistics()["connections"] == 1


def test_from_a_client_that_takes_nothing_nothing_more_is_read() -> None:
    world = World()
    client = world.client("deaf")

    client.connection.pause_writing()
    paused = client.wire.paused
    client.connection.resume_writing()

    assert paused
    assert not client.wire.paused


def test_a_client_that_takes_nothing_for_long_is_cut_with_its_reason() -> None:
    world = World()
    client = world.client("deaf", keep_alive=1200)
    client.wire.left = 1_000_000
    client.connection.pause_writing()

    world.advance(deadlines.TAKE_WITHIN_S / 2)
    world.advance(deadlines.TAKE_WITHIN_S / 2 - 1)
    before = client.wire.closed
    world.advance(deadlines.TAKE_WITHIN_S)

    assert not before
    assert client.wire.closed
    (told,) = world.heard("$aws/events/presence/disconnected/deaf")
    assert b'"disconnectReason":"CONNECTION_LOST"' in told


def test_a_client_that_takes_a_little_now_and_then_stays() -> None:
    world = World()
    client = world.client("slow", keep_alive=30)
    client.wire.left = 1_000_000
    client.connection.pause_writing()

    for _ in range(10):
        client.wire.left -= 1
        world.advance(deadlines.TAKE_WITHIN_S - 5)

    assert not client.wire.closed


def test_what_waits_for_a_slow_client_is_bounded_and_counted() -> None:
    world = World()
    slow, talker = world.client("slow", clean=False), world.client("talker")
    slow.subscribe("t")
    slow.connection.pause_writing()
    before = len(slow.wire.written)

    for _ in range(AWS_SHAPES.queued + 10):
        talker.connection.receive(encode(Publish("t", b"x", 1, packet_id=1), MQTT_3_1_1))
    talker.publish("t", b"y")

    figures = world.gateways[0].statistics()
    assert len(slow.wire.written) == before
    assert asyncio.run(summary(world.gateways[0])).queued == AWS_SHAPES.queued
    assert figures["congested"] == 1
    assert figures["dropped"] == 11


@pytest.mark.parametrize("limits", [AWS_SHAPES, OWN], ids=lambda limits: limits.name)
def test_a_storm_of_connections_with_one_client_id_leaves_one(limits: Limits) -> None:
    world = World("direct", limits)
    witness = Witness(world)

    clients = [world.client("one") for _ in range(200)]

    assert [client.wire.closed for client in clients] == [True] * 199 + [False]
    assert world.gateways[0].statistics()["connections"] == 2
    told = world.control.heard
    assert sum(b'"disconnectReason":"DUPLICATE_CLIENTID"' in message.payload for message in told) == 199
    assert witness.is_served()


def test_ten_thousand_subscriptions_of_one_client_are_served_and_leave_nothing() -> None:
    world = World("direct", OWN)
    client, talker = world.client("many", clean=False), world.client("talker")
    topics = [f"site/{number % 100}/device/{number}" for number in range(10_000)]
    for at in range(0, len(topics), 500):
        client.subscribe(*topics[at : at + 500])

    talker.publish("site/42/device/4242", b"hello", qos=1)
    got = client.messages()
    subscribed = world.gateways[0].statistics()["subscriptions"]
    world.client("many", clean=True)

    assert got == [("site/42/device/4242", b"hello")]
    assert subscribed == 10_000
    assert world.gateways[0].statistics()["subscriptions"] == 0


def test_a_transport_that_fails_ends_its_connection_and_no_other(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_data: bytes) -> None:
        raise ZeroDivisionError

    world = World()
    broken, whole = world.client("broken"), world.client("whole")
    for client in (broken, whole):
        client.subscribe("t")
    monkeypatch.setattr(broken.wire, "write", fail)

    world.client("talker").publish("t", b"x")

    assert whole.messages() == [("t", b"x")]
    assert broken.wire.closed
    assert world.gateways[0].statistics()["connections"] == 2
    assert "a write failed" in caplog.text
