"""QoS 2 in the set `own`: each message once, whatever is lost; and the same identifiers on a new connection."""

import asyncio
from collections.abc import Sequence

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, Ack, Disconnect, Kind, Packet, Publish, Reason, Suback, Will
from hedgerow.core.mqtt.limits import OWN
from hedgerow.core.mqtt.records import Loaded, Record
from hedgerow.gateway.journal import Done, MemoryJournal
from hedgerow.gateway.summary import summary
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.test_sessions import kept_client
from tests.unit.gateway.world import Client, World

versions = pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])


class SlowJournal(MemoryJournal):
    """Keeps nothing until `write`; what waits then is lost when the process dies."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False
        self._held: list[tuple[Sequence[Record], Done | None]] = []

    def append(self, records: Sequence[Record], done: Done | None = None) -> None:
        self._held.append((tuple(records), done))
        if not self.held:
            self.write()

    def write(self) -> None:
        while self._held:
            records, done = self._held.pop(0)
            super().append(records, done)

    def load(self, gateway: str) -> Loaded:
        self._held.clear()
        return super().load(gateway)


@pytest.fixture
def journal() -> SlowJournal:
    return SlowJournal()


@pytest.fixture(params=["direct", "wire"])
def world(request: pytest.FixtureRequest, journal: SlowJournal) -> World:
    return World(request.param, OWN, journal)


def publishes(client: Client) -> list[Publish]:
    return [packet for packet in client.take() if isinstance(packet, Publish)]


def kinds(packets: Sequence[Packet]) -> list[tuple[Kind, int, int]]:
    return [(packet.kind, packet.packet_id, packet.code) for packet in packets if isinstance(packet, Ack)]


def two(payload: bytes, packet_id: int, *, dup: bool = False) -> Publish:
    return Publish("t", payload, 2, False, dup, packet_id)


@versions
def test_a_message_passes_by_four_packets_on_each_side(world: World, version: int) -> None:
    sender, receiver = world.client("s", version=version), world.client("r", version=version)
    granted = receiver.subscribe("t", qos=2)

    sender.send(two(b"1", 9))
    assert kinds(sender.take()) == [(Kind.PUBREC, 9, 0)]
    sender.send(Ack(Kind.PUBREL, 9))
    assert kinds(sender.take()) == [(Kind.PUBCOMP, 9, 0)]
    (got,) = publishes(receiver)
    receiver.send(Ack(Kind.PUBREC, got.packet_id))
    assert kinds(receiver.take()) == [(Kind.PUBREL, got.packet_id, 0)]
    receiver.send(Ack(Kind.PUBCOMP, got.packet_id))

    assert isinstance(granted, Suback)
    assert list(granted.codes) == [2]
    assert (got.payload, got.qos, got.dup) == (b"1", 2, False)
    assert asyncio.run(summary(world.gateways[0])).in_flight == 0


@pytest.mark.parametrize(("published", "subscribed", "arrives"), [(2, 1, 1), (2, 0, 0), (1, 2, 1), (0, 2, 0)])
def test_the_lower_of_both_qualities_counts(world: World, published: int, subscribed: int, arrives: int) -> None:
    sender, receiver = world.client("s"), kept_client(world, MQTT_3_1_1)
    receiver.subscribe("t", qos=subscribed)

    sender.send(Publish("t", b"1", published, False, False, 9 if published else 0))

    assert [packet.qos for packet in publishes(receiver)] == [arrives]


def test_what_a_kept_session_gets_after_a_crash_has_its_subscriptions_quality(world: World) -> None:
    sender, receiver = world.client("s"), kept_client(world, MQTT_3_1_1)
    receiver.subscribe("t", qos=1)
    receiver.drop()
    sender.send(two(b"1", 9))

    with world.restarted():
        again = kept_client(world, MQTT_3_1_1)

    assert [(packet.payload, packet.qos) for packet in again.inbox if isinstance(packet, Publish)] == [(b"1", 1)]


@versions
def test_a_publication_that_comes_again_is_acknowledged_and_not_handed_on_again(world: World, version: int) -> None:
    sender, receiver = world.client("s", version=version), world.client("r", version=version)
    receiver.subscribe("t", qos=0)

    sender.send(two(b"1", 9))
    assert kinds(sender.take()) == [(Kind.PUBREC, 9, 0)]
    sender.send(two(b"1", 9, dup=True))

    assert kinds(sender.take()) == [(Kind.PUBREC, 9, 0)]
    assert [packet.payload for packet in publishes(receiver)] == [b"1"]


@versions
def test_a_sender_who_lost_the_pubrec_in_a_crash_does_not_double_his_message(world: World, version: int) -> None:
    sender, receiver = kept_client(world, version), kept_client(world, version, "receiver")
    receiver.subscribe("t", qos=1)
    receiver.drop()
    sender.send(two(b"1", 9))
    assert kinds(sender.take()) == [(Kind.PUBREC, 9, 0)]

    with world.restarted():
        again = kept_client(world, version)
        again.send(two(b"1", 9, dup=True))
        acknowledged = kinds(again.take())
        receiving = kept_client(world, version, "receiver")

    assert acknowledged == [(Kind.PUBREC, 9, 0)]
    assert [packet.payload for packet in receiving.inbox if isinstance(packet, Publish)] == [b"1"]


def test_an_identifier_that_was_released_before_a_crash_stands_for_another_message_after_it(world: World) -> None:
    sender = kept_client(world, MQTT_3_1_1)
    receiver = world.client("r")
    receiver.subscribe("t", qos=0)
    sender.send(two(b"1", 9))
    sender.send(Ack(Kind.PUBREL, 9))
    assert kinds(sender.take())[-1] == (Kind.PUBCOMP, 9, 0)

    with world.restarted():
        receiver = world.client("r")
        receiver.subscribe("t", qos=0)
        kept_client(world, MQTT_3_1_1).send(two(b"2", 9))

    assert [packet.payload for packet in publishes(receiver)] == [b"2"]


def test_nothing_is_acknowledged_before_it_is_on_disk(world: World, journal: SlowJournal) -> None:
    sender = kept_client(world, MQTT_3_1_1)
    journal.held = True

    sender.send(two(b"1", 9), two(b"1", 9, dup=True))
    before = kinds(sender.take())
    journal.write()
    world.run()
    after = kinds(sender.take())
    sender.send(Ack(Kind.PUBREL, 9))
    still = kinds(sender.take())
    journal.write()

    assert (before, after, still) == ([], [(Kind.PUBREC, 9, 0)], [])
    assert kinds(sender.take()) == [(Kind.PUBCOMP, 9, 0)]


def test_a_kept_client_gets_its_message_only_when_the_identifier_is_on_disk(world: World, journal: SlowJournal) -> None:
    sender, receiver = world.client("s"), kept_client(world, MQTT_3_1_1)
    receiver.subscribe("t", qos=2)
    journal.held = True

    sender.send(two(b"1", 9))
    before = publishes(receiver)
    journal.write()
    (got,) = publishes(receiver)
    receiver.send(Ack(Kind.PUBREC, got.packet_id), Ack(Kind.PUBREC, got.packet_id))
    released = kinds(receiver.take())
    journal.write()

    assert (before, released) == ([], [])
    assert kinds(receiver.take()) == [(Kind.PUBREL, got.packet_id, 0)]


@pytest.mark.parametrize("crash", [False, True])
@versions
def test_what_was_not_acknowledged_comes_again_with_its_identifier(world: World, version: int, crash: bool) -> None:
    sender, receiver = world.client("s"), kept_client(world, version)
    receiver.subscribe("t", qos=2)
    sender.send(two(b"1", 9), two(b"2", 10), two(b"3", 11))
    first = publishes(receiver)
    receiver.send(Ack(Kind.PUBREC, first[0].packet_id), Ack(Kind.PUBREC, first[1].packet_id))
    receiver.send(Ack(Kind.PUBCOMP, first[0].packet_id))

    if crash:
        with world.restarted():
            again = kept_client(world, version)
    else:
        receiver.drop()
        again = kept_client(world, version)

    assert kinds(again.inbox) == [(Kind.PUBREL, first[1].packet_id, 0)]
    sent = [packet for packet in again.inbox if isinstance(packet, Publish)]
    assert [(one.payload, one.packet_id, one.dup) for one in sent] == [(b"3", first[2].packet_id, True)]


def test_qos_1_comes_again_with_its_identifier_too(world: World) -> None:
    sender, receiver = world.client("s"), kept_client(world, MQTT_3_1_1)
    receiver.subscribe("t", qos=1)
    sender.send(Publish("t", b"1", 1, False, False, 9), Publish("t", b"2", 1, False, False, 10))
    first = publishes(receiver)
    receiver.send(Ack(Kind.PUBACK, first[0].packet_id))

    receiver.drop()
    sender.send(Publish("t", b"3", 1, False, False, 11))
    again = kept_client(world, MQTT_3_1_1)

    sent = [packet for packet in again.inbox if isinstance(packet, Publish)]
    assert [(one.payload, one.dup) for one in sent] == [(b"2", True), (b"3", False)]
    assert sent[0].packet_id == first[1].packet_id
    assert sent[1].packet_id != sent[0].packet_id


def test_a_client_that_will_not_have_it_is_rid_of_it(world: World) -> None:
    sender, receiver = world.client("s"), kept_client(world, MQTT_5)
    receiver.subscribe("t", qos=2)
    sender.send(two(b"1", 9))
    (got,) = publishes(receiver)

    receiver.send(Ack(Kind.PUBREC, got.packet_id, Reason.QUOTA_EXCEEDED))

    with world.restarted():
        again = kept_client(world, MQTT_5)
    assert publishes(again) == []
    assert kinds(again.inbox) == []


def test_identifiers_that_nobody_knows_are_said_to_be_unknown(world: World) -> None:
    client = world.client("c", version=MQTT_5)

    client.send(Ack(Kind.PUBREL, 5), Ack(Kind.PUBREC, 6), Ack(Kind.PUBCOMP, 7))

    assert kinds(client.take()) == [
        (Kind.PUBCOMP, 5, Reason.PACKET_ID_NOT_FOUND),
        (Kind.PUBREL, 6, Reason.PACKET_ID_NOT_FOUND),
    ]


def test_a_release_before_the_receipt_ends_the_connection(world: World, journal: SlowJournal) -> None:
    client = kept_client(world, MQTT_5)
    journal.held = True

    client.send(two(b"1", 9), Ack(Kind.PUBREL, 9))

    assert client.take() == [Disconnect(Reason.PROTOCOL_ERROR)]


def test_a_refused_publication_is_told_so_and_forgotten(world: World) -> None:
    world.control.denied = ("iot:Publish topic/t",)
    client = world.client("c", version=MQTT_5)
    client.send(two(b"1", 9))
    refused = kinds(client.take())
    client.send(Ack(Kind.PUBREL, 9))

    assert refused == [(Kind.PUBREC, 9, Reason.NOT_AUTHORIZED)]
    assert kinds(client.take()) == [(Kind.PUBCOMP, 9, Reason.PACKET_ID_NOT_FOUND)]


def test_a_publication_that_cannot_be_kept_is_refused_and_may_come_again(world: World, journal: SlowJournal) -> None:
    sender, receiver = kept_client(world, MQTT_5), kept_client(world, MQTT_5, "receiver")
    receiver.subscribe("t", qos=1)
    receiver.drop()
    journal.broken = True
    sender.send(two(b"1", 9))
    refused = kinds(sender.take())
    journal.broken = False
    sender.send(two(b"1", 9))

    assert refused == [(Kind.PUBREC, 9, Reason.QUOTA_EXCEEDED)]
    assert kinds(sender.take()) == [(Kind.PUBREC, 9, 0)]


def test_what_is_under_way_counts_until_it_is_released(world: World) -> None:
    client = world.client("c", version=MQTT_5)
    client.send(*[two(b"x", number) for number in range(1, OWN.receive_maximum + 1)])
    received = len(kinds(client.take()))

    client.send(two(b"x", 999))

    assert received == OWN.receive_maximum
    assert client.take() == [Disconnect(Reason.RECEIVE_MAXIMUM_EXCEEDED)]


def test_a_smaller_window_holds_back_what_comes_again(world: World) -> None:
    sender, receiver = world.client("s"), kept_client(world, MQTT_3_1_1)
    receiver.subscribe("t", qos=2)
    sender.send(two(b"1", 9), two(b"2", 10), two(b"3", 11))
    first = publishes(receiver)
    receiver.drop()
    session = world.gateways[0].account(ACCOUNT).sessions["kept"]

    session.window = 2
    session.link = world.client("other").connection
    session.resume(world.clock.now())

    assert len(session.again) == len(first) - 2


def test_a_will_may_have_quality_2(world: World) -> None:
    receiver = world.client("r")
    receiver.subscribe("gone", qos=2)
    client = world.client("c", will=Will("gone", b"bye", 2, False))

    client.drop()

    assert [(packet.payload, packet.qos) for packet in publishes(receiver)] == [(b"bye", 2)]
