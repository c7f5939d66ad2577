"""What a thing's type adds to each publication of its device, and that others pay nothing for it."""

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, Property, Publish
from hedgerow.core.mqtt.properties import user_properties, write_properties
from hedgerow.gateway.ports import Regrant
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import Client, World

SITE, LAMP = ("site", "north"), ("iot:ClientId", "lamp")


def publications(client: Client) -> list[Publish]:
    return [packet for packet in client.take() if isinstance(packet, Publish)]


def added(packet: Publish) -> list[tuple[str, str]]:
    return list(packet.properties.get(Property.USER_PROPERTY, ()))


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
def test_each_publication_gets_it_whatever_its_device_speaks(world: World, version: int, qos: int) -> None:
    world.control.enrichment = {"lamp": (LAMP, SITE)}
    receiver = world.client("receiver", version=MQTT_5)
    receiver.subscribe("a/+")
    lamp = world.client("lamp", version=version)

    for _ in range(3):
        lamp.publish("a/b", b"on", qos)

    found = publications(receiver)
    assert len(found) >= 3
    assert [added(packet) for packet in found] == [[LAMP, SITE]] * len(found)


def test_it_comes_after_what_the_device_says_itself(world: World) -> None:
    world.control.enrichment = {"lamp": (SITE,)}
    receiver, lamp = world.client("receiver", version=MQTT_5), world.client("lamp", version=MQTT_5)
    receiver.subscribe("a")

    lamp.publish("a", properties={Property.USER_PROPERTY: [("site", "said"), ("b", "c")]})

    assert {tuple(added(packet)) for packet in publications(receiver)} == {(("site", "said"), ("b", "c"), SITE)}


def test_a_receiver_of_3_1_1_gets_the_message_alone(world: World) -> None:
    world.control.enrichment = {"lamp": (SITE,)}
    receiver, lamp = world.client("receiver"), world.client("lamp")
    receiver.subscribe("a")

    lamp.publish("a", b"on")

    assert set(receiver.messages()) == {("a", b"on")}


def test_rules_see_it(world: World) -> None:
    world.control.enrichment = {"lamp": (SITE,)}
    lamp = world.client("lamp")

    lamp.publish("$aws/rules/keep/a", b"on")
    lamp.publish("b", b"on")

    heard = {message.topic: list(user_properties(message.properties)) for message in world.control.heard}
    assert heard["$aws/rules/keep/a"] == heard["b"] == [SITE]


def test_a_change_counts_for_who_is_connected(world: World) -> None:
    receiver, lamp = world.client("receiver", version=MQTT_5), world.client("lamp")
    receiver.subscribe("a")
    lamp.publish("a")
    before = publications(receiver)

    world.control.enrichment = {"lamp": (SITE,)}
    world.hub.tell("*", Regrant(account=ACCOUNT))
    world.run()
    lamp.publish("a")

    assert {tuple(added(packet)) for packet in before} == {()}
    assert {tuple(added(packet)) for packet in publications(receiver)} == {(SITE,)}


def test_whose_type_adds_nothing_still_takes_the_short_way(world: World) -> None:
    if world.kind == "two gateways":
        pytest.skip("the short way is for one gateway")
    world.control.hear_nothing = True
    world.control.enrichment = {"lamp": (SITE,)}
    receiver = world.client("receiver")
    receiver.subscribe("a")
    lamp, other = world.client("lamp"), world.client("other")

    for client in (lamp, other):
        client.publish("a")
        client.publish("a")

    assert lamp.connection.routes == {}
    assert list(other.connection.routes) == [b"a"]


def test_user_properties_are_read_as_they_were_written() -> None:
    pairs = [("a", "1"), ("b", ""), ("a", "2")]
    encoded = write_properties({Property.CONTENT_TYPE: "x", Property.USER_PROPERTY: pairs})

    assert list(user_properties(encoded)) == pairs
    assert list(user_properties(b"")) == []
