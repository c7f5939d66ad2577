"""Messages to one client that need no subscription, with receipts."""

from typing import Any

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, Ack, Kind, Publish
from hedgerow.core.mqtt.limits import AWS_SHAPES, OWN, Limits
from hedgerow.core.mqtt.properties import Property, write_properties
from hedgerow.core.mqtt.session import Parcel
from hedgerow.gateway.direct import Unsent
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import Client, World

ORDER = Parcel("orders/reboot", b"now", 1, properties=write_properties({Property.CONTENT_TYPE: "text/plain"}))
PLAIN = Parcel("orders/reboot", b"now", 0)


@pytest.fixture
def direct() -> World:
    return World()


class Receipts:
    def __init__(self, world: World) -> None:
        self._world = world
        self.came: list[bool] = []
        self.number = 0

    def send(self, client_id: str = "c", parcel: Parcel = ORDER, account: str = ACCOUNT) -> Unsent | int:
        sent = self._world.gateways[0].direct.send(account, client_id, parcel, self.came.append)
        self._world.run()
        return sent


def received(client: Client) -> list[Publish]:
    return [packet for packet in client.take() if isinstance(packet, Publish)]


@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
@pytest.mark.parametrize("clean", [True, False])
def test_a_message_needs_no_subscription_and_its_acknowledgement_is_the_receipt(
    direct: World, version: int, clean: bool
) -> None:
    properties: dict[int, Any] = {} if clean or version == MQTT_3_1_1 else {Property.SESSION_EXPIRY: 100}
    client, receipts = direct.client("c", version=version, clean=clean, properties=properties), Receipts(direct)

    sent = receipts.send()
    (packet,) = received(client)
    before = list(receipts.came)
    client.send(Ack(Kind.PUBACK, packet.packet_id))

    assert isinstance(sent, int)
    assert (packet.topic, packet.payload, packet.qos, packet.retain) == ("orders/reboot", b"now", 1, False)
    assert packet.properties == ({} if version == MQTT_3_1_1 else {Property.CONTENT_TYPE: "text/plain"})
    assert (before, receipts.came) == ([], [True])


def test_without_a_receipt_it_is_sent_once_at_qos_0(direct: World) -> None:
    client = direct.client("c")

    assert direct.gateways[0].direct.send(ACCOUNT, "c", PLAIN) == 0
    direct.run()

    assert [(packet.topic, packet.qos) for packet in received(client)] == [("orders/reboot", 0)]


def test_nobody_else_gets_it(direct: World) -> None:
    others = direct.client("d"), direct.client("c", account="210987654321")
    direct.client("c")
    for other in others:
        other.subscribe("#")

    Receipts(direct).send()

    assert [received(other) for other in others] == [[], []]


def test_who_cannot_have_it_is_told_of_by_name(direct: World) -> None:
    receipts = Receipts(direct)
    gone = direct.client("gone", clean=False)
    gone.drop()
    direct.control.denied = ("iot:Receive topic/orders/*",)
    direct.client("denied")
    direct.control.denied = ()
    direct.client("small", version=MQTT_5, properties={Property.MAXIMUM_PACKET_SIZE: 512})
    stuck = direct.client("stuck")
    stuck.connection.pause_writing()
    large = Parcel("a", b"x" * 600, 1)

    found = [receipts.send(name) for name in ("nobody", "gone", "denied", "stuck")]

    assert found == [Unsent.UNKNOWN, Unsent.OFFLINE, Unsent.DENIED, Unsent.STUCK]
    assert receipts.send("small", large) is Unsent.TOO_LARGE
    assert receipts.send("gone", account="210987654321") is Unsent.UNKNOWN
    assert receipts.came == []


def test_a_client_with_a_full_window_takes_no_more(direct: World) -> None:
    client = direct.client("c", version=MQTT_5, properties={Property.RECEIVE_MAXIMUM: 2})
    receipts = Receipts(direct)

    sent = [receipts.send() for _ in range(3)]
    first, _ = received(client)
    client.send(Ack(Kind.PUBACK, first.packet_id))

    assert [isinstance(each, int) for each in sent] == [True, True, False]
    assert sent[2] is Unsent.BUSY
    assert receipts.came == [True]
    assert isinstance(receipts.send(), int)


@pytest.mark.parametrize("limits", [AWS_SHAPES, OWN])
def test_what_was_not_acknowledged_is_not_kept_for_who_goes(limits: Limits) -> None:
    world = World(limits=limits)
    client, receipts = world.client("c", clean=False), Receipts(world)
    client.subscribe("t")

    receipts.send()
    world.client("p").publish("t", b"kept", 1)
    client.drop()
    again = world.client("c", clean=False)

    packets: list[Any] = [*again.inbox, *again.take()]
    assert receipts.came == [False]
    assert [packet.payload for packet in packets if isinstance(packet, Publish)] == [b"kept"]


def test_a_receipt_that_nobody_waits_for_does_not_come(direct: World) -> None:
    client, receipts = direct.client("c", clean=False), Receipts(direct)
    sent = receipts.send()
    assert isinstance(sent, int)

    direct.gateways[0].direct.forget(sent)
    (packet,) = received(client)
    client.send(Ack(Kind.PUBACK, packet.packet_id))

    assert receipts.came == []
    assert client.connection.session.settled == []
