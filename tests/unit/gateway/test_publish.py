from collections.abc import Callable
from dataclasses import replace

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, Ack, Disconnect, Kind, Properties, Property, Publish, Reason, encode
from hedgerow.core.mqtt.limits import AWS, OWN, Limits
from tests.unit.gateway.world import World


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("subscribed", [0, 1])
@pytest.mark.parametrize("sender_version", [MQTT_3_1_1, MQTT_5])
@pytest.mark.parametrize("receiver_version", [MQTT_3_1_1, MQTT_5])
def test_a_message_reaches_a_subscriber_at_the_lower_qos(
    world: World, qos: int, subscribed: int, sender_version: int, receiver_version: int
) -> None:
    sender = world.client("sender", version=sender_version)
    receiver = world.client("receiver", version=receiver_version)
    receiver.subscribe("a/+", qos=subscribed)

    for number in range(3):  # the first takes the long way, the others may take the short one
        sender.publish("a/b", b"%d" % number, qos)

    found = [packet for packet in receiver.take() if isinstance(packet, Publish)]
    assert {packet.qos for packet in found} == {min(qos, subscribed)}
    assert list(dict.fromkeys(packet.payload for packet in found)) == [b"0", b"1", b"2"]
    assert {packet.topic for packet in found} == {"a/b"}


def test_the_short_way_and_the_long_way_deliver_the_same(world: World) -> None:
    world.control.hear_nothing = True
    sender, receiver = world.client("sender"), world.client("receiver")
    receiver.subscribe("t", qos=1)
    receiver.subscribe("u", qos=0)
    large = b"y" * 3000

    for _ in range(2):
        for topic in ("t", "u"):
            sender.publish(topic, b"small", 1)
            sender.publish(topic, large, 1)
            sender.publish(topic, b"at most once", 0)
            found = [packet for packet in receiver.take() if isinstance(packet, Publish)]
            receiver.send(*[Ack(Kind.PUBACK, packet.packet_id) for packet in found if packet.qos])
            bodies = list(dict.fromkeys(packet.payload for packet in found))
            assert bodies == [b"small", large, b"at most once"]
        assert set(sender.acks()) == {0}


def test_a_publication_of_qos_1_is_acknowledged(world: World) -> None:
    client = world.client("a")

    client.publish("t", qos=1)

    assert client.take() == [Ack(Kind.PUBACK, 7)]


def test_control_hears_every_publication_that_interests_it(world: World) -> None:
    client = world.client("a")

    client.publish("t", b"1")
    client.publish("t", b"2", 1)

    assert world.heard("t") == [b"1", b"2"]
    message = next(message for message in world.control.heard if message.topic == "t")
    assert (message.client_id, message.principal) == ("a", "cert-of-a")


def test_a_publication_that_control_could_not_store_is_not_acknowledged_as_stored(world: World) -> None:
    world.control.stores = False
    old, new = world.client("a"), world.client("b", version=MQTT_5)

    old.publish("t", qos=1)
    new.publish("t", qos=1)

    assert old.take() == []
    assert new.take() == [Ack(Kind.PUBACK, 7, Reason.QUOTA_EXCEEDED)]


@pytest.mark.spec("DR-10")
@pytest.mark.parametrize(("version", "qos"), [(MQTT_3_1_1, 0), (MQTT_3_1_1, 1), (MQTT_5, 0)])
def test_publishing_to_anothers_topic_is_cut_off(world: World, version: int, qos: int) -> None:
    world.control.denied = ("iot:Publish topic/other",)
    listener = world.client("listener")
    listener.subscribe("#")
    client = world.client("a", version=version)

    client.publish("other", qos=qos)

    answer = [Disconnect(Reason.NOT_AUTHORIZED)] if version == MQTT_5 else []
    assert client.take() == answer
    assert client.wire.closed
    assert listener.messages() == []


def test_a_refused_publication_of_qos_1_is_told_in_mqtt_5_and_the_connection_stays(world: World) -> None:
    world.control.denied = ("iot:Publish topic/other",)
    client = world.client("a", version=MQTT_5)

    client.publish("other", qos=1)

    assert client.take() == [Ack(Kind.PUBACK, 7, Reason.NOT_AUTHORIZED)]
    assert not client.wire.closed


def test_retaining_needs_a_right_of_its_own(world: World) -> None:
    world.control.denied = ("iot:RetainPublish *",)
    client = world.client("a", version=MQTT_5)

    client.publish("t", qos=1, retain=True)

    assert client.acks() == [Reason.NOT_AUTHORIZED]


def test_a_decision_that_may_change_is_asked_each_time(world: World) -> None:
    world.control.uncacheable = ("iot:Publish *",)
    client = world.client("a")

    for _ in range(3):
        client.publish("t")

    asked = [one[0] for one in client.connection.permissions._grants.asked]  # type: ignore[attr-defined]  # the fake
    assert asked.count("iot:Publish") == 3


def test_a_decision_that_stays_is_asked_once(world: World) -> None:
    client = world.client("a")

    for _ in range(3):
        client.publish("t")

    asked = [one[0] for one in client.connection.permissions._grants.asked]  # type: ignore[attr-defined]  # the fake
    assert asked.count("iot:Publish") == 1


@pytest.mark.parametrize(
    ("topic", "code"),
    [
        ("a/+", Reason.TOPIC_NAME_INVALID),
        ("#", Reason.TOPIC_NAME_INVALID),
        ("a/b/c/d/e/f/g/h/i", Reason.TOPIC_NAME_INVALID),
        ("x" * 257, Reason.TOPIC_NAME_INVALID),
    ],
)
def test_a_topic_that_may_not_be_ends_the_connection(world: World, topic: str, code: int) -> None:
    client = world.client("a", version=MQTT_5)

    client.publish(topic)

    assert client.take() == [Disconnect(code)]


def test_eight_levels_and_256_bytes_are_allowed(world: World) -> None:
    client = world.client("a")

    client.publish("a/b/c/d/e/f/g/h", qos=1)
    client.publish("x" * 256, qos=1)

    assert client.acks() == [0, 0]


def test_a_payload_above_128_kib_ends_the_connection(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    client.publish("t", b"x" * 131_072, 1)
    assert client.acks() == [0]
    client.publish("t", b"x" * 131_073, 1)

    assert client.take() == [Disconnect(Reason.PACKET_TOO_LARGE)]


def test_qos_2_is_refused_by_name(world: World) -> None:
    new, old = world.client("a", version=MQTT_5), world.client("b")

    new.publish("t", qos=2)
    old.publish("t", qos=2)

    assert new.take() == [Disconnect(Reason.QOS_NOT_SUPPORTED)]
    assert old.wire.closed


def test_a_topic_alias_stands_for_its_topic(world: World) -> None:
    client = world.client("a", version=MQTT_5)
    client.subscribe("t")

    client.publish("t", b"1", properties={Property.TOPIC_ALIAS: 8})
    client.publish("", b"2", properties={Property.TOPIC_ALIAS: 8})

    assert client.messages() == [("t", b"1"), ("t", b"2")]


@pytest.mark.parametrize("alias", [1, 9])
def test_a_topic_alias_that_stands_for_nothing_ends_the_connection(world: World, alias: int) -> None:
    client = world.client("a", version=MQTT_5)

    client.publish("", properties={Property.TOPIC_ALIAS: alias})

    assert client.take() == [Disconnect(Reason.TOPIC_ALIAS_INVALID)]


def test_properties_are_forwarded_in_mqtt_5_only(world: World) -> None:
    old, new, sender = world.client("o"), world.client("n", version=MQTT_5), world.client("s", version=MQTT_5)
    old.subscribe("t")
    new.subscribe("t")
    sent: Properties = {
        Property.CONTENT_TYPE: "text/plain",
        Property.RESPONSE_TOPIC: "r",
        Property.CORRELATION_DATA: b"\0",
        Property.USER_PROPERTY: [("b", "1"), ("a", "2")],
    }

    sender.publish("t", properties=sent)

    assert old.take()[0] == Publish("t", b"x")
    assert new.take()[0] == Publish("t", b"x", properties=sent)


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({Property.CONTENT_TYPE: "x" * 257}, Reason.QUOTA_EXCEEDED),
        ({Property.CORRELATION_DATA: b"x" * 8193}, Reason.QUOTA_EXCEEDED),
        ({Property.USER_PROPERTY: [("k", "x" * 8192)]}, Reason.QUOTA_EXCEEDED),
        ({Property.RESPONSE_TOPIC: "a/#"}, Reason.TOPIC_NAME_INVALID),
        ({Property.SUBSCRIPTION_ID: [1]}, Reason.PROTOCOL_ERROR),
    ],
)
def test_a_property_beyond_what_is_allowed_ends_the_connection(world: World, properties: Properties, code: int) -> None:
    client = world.client("a", version=MQTT_5)

    client.publish("t", properties=properties)

    assert client.take() == [Disconnect(code)]


def test_a_message_that_expires_says_how_long_it_still_lives(world: World) -> None:
    sender = world.client("s", version=MQTT_5)
    receiver = world.client("r", version=MQTT_5, properties={Property.SESSION_EXPIRY: 600})
    receiver.subscribe("t")
    receiver.drop()

    sender.publish("t", b"old", 1, properties={Property.MESSAGE_EXPIRY: 10})
    sender.publish("t", b"new", 1, properties={Property.MESSAGE_EXPIRY: 100})
    world.advance(30)
    again = world.client("r", version=MQTT_5, clean=False, properties={Property.SESSION_EXPIRY: 600})

    found = [packet for packet in again.inbox if isinstance(packet, Publish)]
    assert {packet.payload for packet in found} == {b"new"}
    assert found[0].properties[Property.MESSAGE_EXPIRY] == 70


def test_basic_ingest_goes_to_control_only(world: World) -> None:
    listener, client = world.client("l"), world.client("a")
    listener.subscribe("$aws/#")

    client.publish("$aws/rules/my_rule/a/b/c/d/e/f/g/h", qos=1)

    assert client.acks() == [0]
    assert world.heard("$aws/rules/my_rule/a/b/c/d/e/f/g/h") == [b"x"]
    assert [topic for topic, _ in listener.messages() if "rules" in topic] == []


@pytest.mark.spec("JB-41")
def test_a_publication_to_a_reserved_topic_that_nobody_answers_is_refused(world: World) -> None:
    new, old = world.client("n", version=MQTT_5), world.client("o")

    new.publish("$aws/events/presence/connected/x", qos=1)
    old.publish("$SYS/x", qos=1)

    assert new.acks() == [Reason.TOPIC_NAME_INVALID]
    assert old.wire.closed


def test_own_limits_let_long_topics_through(world_with: Callable[[Limits], World]) -> None:
    world = world_with(OWN)
    client = world.client("a")
    client.subscribe("#")

    client.publish("a/b/c/d/e/f/g/h/i/j/" + "x" * 1000, qos=1)

    assert client.messages() == [("a/b/c/d/e/f/g/h/i/j/" + "x" * 1000, b"x")]


def test_rates_of_aws_discard_the_excess_without_an_answer(world_with: Callable[[Limits], World]) -> None:
    world = world_with(replace(AWS, publishes_per_s=10))
    client = world.client("a")

    client.send(*[Publish("t", b"x", 1, packet_id=number) for number in range(1, 21)])

    assert len(client.acks()) == 10
    world.clock.advance(1)
    client.publish("t", qos=1)
    assert client.acks() == [0]


def test_a_slow_reader_loses_qos_0_and_gets_qos_1_later(world: World) -> None:
    sender, receiver = world.client("s"), world.client("r")
    receiver.subscribe("t")
    receiver.connection.pause_writing()

    sender.publish("t", b"lost", 0)
    sender.publish("t", b"kept", 1)
    assert receiver.take() == []
    receiver.connection.resume_writing()

    assert receiver.messages() == [("t", b"kept")]


def test_no_more_than_receive_maximum_is_in_flight(world: World) -> None:
    world.control.hear_nothing = True
    sender = world.client("s")
    receiver = world.client("r", version=MQTT_5, properties={Property.RECEIVE_MAXIMUM: 2})
    receiver.subscribe("t")

    for number in range(5):
        sender.publish("t", b"%d" % number, 1)

    first = [packet for packet in receiver.take() if isinstance(packet, Publish)]
    assert len(first) == 2
    receiver.send(Ack(Kind.PUBACK, first[0].packet_id))
    assert len(receiver.take()) == 1


def test_a_message_larger_than_the_client_takes_is_dropped_for_it(world: World) -> None:
    sender = world.client("s")
    receiver = world.client("r", version=MQTT_5, properties={Property.MAXIMUM_PACKET_SIZE: 600})
    receiver.subscribe("t")

    sender.publish("t", b"x" * 700, 1)
    sender.publish("t", b"small", 1)
    sender.publish("t", b"x" * 700, 0)

    assert receiver.messages() == [("t", b"small")]


def test_a_length_that_reaches_into_the_next_packet_is_malformed(world: World) -> None:
    client = world.client("a", version=MQTT_5)
    client.publish("abcd")
    wire = encode(Publish("abcd", b""), MQTT_5)

    client.push(b"\x30\x04\x00\x04ab" + b"cd" + wire)

    assert client.take() == [Disconnect(Reason.MALFORMED_PACKET)]
