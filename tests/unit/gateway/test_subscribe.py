from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hedgerow.core.mqtt import MQTT_5, Disconnect, Publish, Reason, Suback, Subscribe, Unsuback, Unsubscribe
from hedgerow.core.mqtt.limits import AWS, AWS_SHAPES, OWN, Limits
from hedgerow.core.mqtt.packets import MQTT_3_1_1
from hedgerow.core.mqtt.properties import Properties, Property
from hedgerow.core.mqtt.session import NO_LOCAL, RETAIN_AS_PUBLISHED
from tests.unit.gateway.world import Client, World


def published(client: Client) -> list[Publish]:
    return [packet for packet in client.take() if isinstance(packet, Publish)]


def test_the_answer_has_a_code_for_each_filter(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    client.send(Subscribe(9, (("a", 0), ("b/#", 1), ("c/+/d", 1), ("bad/#/filter", 1))))

    assert client.take() == [Suback(9, (0, 1, 1, Reason.TOPIC_FILTER_INVALID))]


def test_in_mqtt_3_a_failure_is_0x80(world: World) -> None:
    client = world.client("a")

    assert client.subscribe("a#") == Suback(1, (0x80,))


def test_qos_2_is_never_granted_as_less(world: World) -> None:
    old, new = world.client("o"), world.client("n", version=MQTT_5)

    assert old.subscribe("a", qos=2) == Suback(1, (0x80,))
    assert new.subscribe("a", qos=2) == Disconnect(0xFF)
    assert new.inbox == [Disconnect(Reason.QOS_NOT_SUPPORTED)]


@pytest.mark.spec("JB-40")
def test_a_refused_filter_is_told_in_mqtt_5_and_the_others_are_granted(world: World) -> None:
    world.control.denied = ("iot:Subscribe topicfilter/secret/*",)
    client = world.client("a", version=MQTT_5)

    assert client.subscribe("secret/#", "open") == Suback(1, (Reason.NOT_AUTHORIZED, 1))


@pytest.mark.spec("JB-40")
def test_a_refused_filter_is_0x80_in_mqtt_3_and_the_others_are_granted(world: World) -> None:
    world.control.denied = ("iot:Subscribe topicfilter/secret/*",)
    client = world.client("a")

    assert client.subscribe("secret/#", "open") == Suback(1, (0x80, 1))


@pytest.mark.spec("JB-40")
def test_a_refused_filter_ends_the_connection_in_mqtt_3_under_the_limits_of_aws(
    world_with: Callable[[Limits], World],
) -> None:
    world = world_with(AWS)
    world.control.denied = ("iot:Subscribe topicfilter/secret/*",)
    client = world.client("a")

    client.subscribe("secret/#", "open")

    assert client.wire.closed


def test_without_the_right_to_receive_messages_are_not_delivered(world: World) -> None:
    world.control.denied = ("iot:Receive topic/a/secret",)
    client, sender = world.client("a"), world.client("s")
    client.subscribe("a/#")

    sender.publish("a/secret", b"no", 1)
    sender.publish("a/open", b"yes", 1)

    assert client.messages() == [("a/open", b"yes")]


def test_a_right_to_receive_that_may_change_is_asked_each_time(world: World) -> None:
    world.control.uncacheable = ("iot:Receive *",)
    client, sender = world.client("a"), world.client("s")
    client.subscribe("t")

    for number in range(3):
        sender.publish("t", b"%d" % number, 1)

    assert client.messages() == [("t", b"0"), ("t", b"1"), ("t", b"2")]
    asked = [one[0] for one in client.connection.permissions._grants.asked]  # type: ignore[attr-defined]  # the fake
    assert asked.count("iot:Receive") >= 3


def test_more_than_eight_filters_end_the_connection(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    client.subscribe(*[f"t/{number}" for number in range(9)])

    assert client.inbox == [Disconnect(Reason.QUOTA_EXCEEDED)]


def test_more_than_fifty_subscriptions_are_refused(world: World) -> None:
    client = world.client("a", version=MQTT_5)
    for number in range(50):
        client.subscribe(f"t/{number}")

    assert client.subscribe("t/50", "t/1") == Suback(1, (Reason.QUOTA_EXCEEDED, 1))


def test_subscription_identifiers_are_refused(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    client.send(Subscribe(1, (("t", 0),), {Property.SUBSCRIPTION_ID: [1]}))

    assert client.take() == [Disconnect(Reason.SUBSCRIPTION_IDS_NOT_SUPPORTED)]


def test_one_packet_cannot_go_beyond_the_bound_and_may_name_a_filter_twice(world: World) -> None:
    client = world.client("a")
    for number in range(49):
        client.subscribe(f"t/{number}")

    suback = client.subscribe("t/0", "new", "new", "another")

    assert suback == Suback(1, (1, 1, 1, 0x80))


def test_a_receiver_is_told_the_identifiers_of_all_subscriptions_that_match(
    world_with: Callable[[Limits], World],
) -> None:
    world = world_with(OWN)
    client, plain, sender = world.client("a", version=MQTT_5), world.client("p", version=MQTT_5), world.client("s")
    client.send(Subscribe(1, (("t/#", 1),), {Property.SUBSCRIPTION_ID: [7]}))
    client.send(Subscribe(2, (("t/+", 0), ("u", 0)), {Property.SUBSCRIPTION_ID: [300]}))
    client.send(Subscribe(3, (("t/1", 0),)))
    plain.subscribe("#")
    client.take()

    sender.publish("t/1", b"x", 1)
    sender.publish("u", b"y")

    told = {packet.payload: packet.properties for packet in client.take() if isinstance(packet, Publish)}
    assert {payload: sorted(one[Property.SUBSCRIPTION_ID]) for payload, one in told.items()} == {
        b"x": [7, 300],
        b"y": [300],
    }
    assert {one.properties.get(Property.SUBSCRIPTION_ID) for one in plain.take() if isinstance(one, Publish)} == {None}


def test_an_identifier_comes_with_retained_and_shared_messages_and_after_a_crash(
    world_with: Callable[[Limits], World],
) -> None:
    world = world_with(OWN)
    kept: Properties = {Property.SESSION_EXPIRY: 600}
    client, sender = world.client("a", version=MQTT_5, clean=False, properties=kept), world.client("s")
    sender.publish("r", b"retained", 1, retain=True)
    client.send(Subscribe(1, (("r", 1),), {Property.SUBSCRIPTION_ID: [5]}))
    client.send(Subscribe(2, (("$share/g/t", 1),), {Property.SUBSCRIPTION_ID: [6]}))
    client.take()
    first = [packet for packet in client.inbox if isinstance(packet, Publish)]
    client.drop()
    sender.publish("t", b"shared", 1)

    with world.restarted():
        again = world.client("a", version=MQTT_5, clean=False, properties=kept)

    told = {packet.payload: packet.properties for packet in [*first, *again.inbox] if isinstance(packet, Publish)}
    assert {payload: one[Property.SUBSCRIPTION_ID] for payload, one in told.items()} == {
        b"retained": [5],
        b"shared": [6],
    }


@pytest.mark.parametrize("identifiers", [[0], [1, 2]])
def test_a_subscription_has_one_identifier_above_0(
    world_with: Callable[[Limits], World], identifiers: list[int]
) -> None:
    client = world_with(OWN).client("a", version=MQTT_5)

    client.send(Subscribe(1, (("t", 0),), {Property.SUBSCRIPTION_ID: identifiers}))

    assert client.take() == [Disconnect(Reason.PROTOCOL_ERROR)]


@pytest.mark.parametrize(
    "topic_filter", ["$SYS/#", "$aws/rules/r/x", "$other", "$share/g/$SYS/x", "$share/g", "$share//x"]
)
def test_reserved_filters_are_refused(world: World, topic_filter: str) -> None:
    client = world.client("a", version=MQTT_5)

    assert client.subscribe(topic_filter) == Suback(1, (Reason.TOPIC_FILTER_INVALID,))


def test_after_unsubscribing_nothing_comes(world: World) -> None:
    client = world.client("a", version=MQTT_5)
    client.subscribe("t")
    client.publish("t", b"1")

    client.send(Unsubscribe(2, ("t", "never")))
    client.publish("t", b"2")

    packets = client.take()
    assert b"2" not in [packet.payload for packet in packets if isinstance(packet, Publish)]
    assert [packet for packet in packets if not isinstance(packet, Publish)] == [
        Unsuback(2, (0, Reason.NO_SUBSCRIPTION_EXISTED))
    ]


@pytest.mark.spec("JB-41")
def test_leading_wildcards_do_not_match_reserved_topics(world: World) -> None:
    client = world.client("a")
    client.subscribe("#", "+/events/presence/connected/b")

    world.client("b")

    assert client.messages() == []


def test_the_parent_of_a_hash_does_not_match_as_in_aws(world: World) -> None:
    client = world.client("a")
    client.subscribe("sensor/#")

    for topic in ("sensor", "sensor/", "sensor/a/b"):
        client.publish(topic)

    assert client.messages() == [("sensor/", b"x"), ("sensor/a/b", b"x")]


def test_the_parent_of_a_hash_matches_with_own_limits(world_with: Callable[[Limits], World]) -> None:
    world = world_with(OWN)
    client = world.client("a")
    client.subscribe("sensor/#")

    client.publish("sensor")

    assert client.messages() == [("sensor", b"x")]


def test_overlapping_filters_deliver_once(world: World) -> None:
    client = world.client("a")
    client.subscribe("t", "#", "+")

    client.connection.receive(b"\x30\x04\x00\x01tx")

    assert len(published(client)) == 1


def test_no_local_keeps_ones_own_messages_away(world: World) -> None:
    client, other = world.client("a", version=MQTT_5), world.client("b")
    client.send(Subscribe(1, (("t", 1 | NO_LOCAL),)))

    client.publish("t", b"mine")
    other.publish("t", b"theirs")

    assert client.messages() == [("t", b"theirs")]


@pytest.mark.spec("JB-41")
def test_retained_messages_come_at_once_for_exact_filters_only(world: World) -> None:
    sender = world.client("s")
    sender.publish("t/1", b"kept", 1, retain=True)
    exact, wild = world.client("e"), world.client("w")

    exact.send(Subscribe(1, (("t/1", 1),)))
    wild.send(Subscribe(1, (("t/#", 1),)))

    (found,) = published(exact)
    assert (found.topic, found.payload, found.retain) == ("t/1", b"kept", True)
    assert published(wild) == []


def test_retained_messages_come_for_wildcards_with_own_limits(world_with: Callable[[Limits], World]) -> None:
    world = world_with(OWN)
    world.client("s").publish("t/1", b"kept", 1, retain=True)
    client = world.client("w")

    client.send(Subscribe(1, (("t/#", 1),)))

    assert [packet.payload for packet in published(client)] == [b"kept"]


def test_an_empty_retained_message_deletes_and_is_delivered(world: World) -> None:
    sender, listener = world.client("s"), world.client("l")
    listener.subscribe("t")
    sender.publish("t", b"kept", retain=True)

    sender.publish("t", b"", retain=True)
    late = world.client("late")
    late.send(Subscribe(1, (("t", 0),)))

    assert listener.messages() == [("t", b"kept"), ("t", b"")]
    assert published(late) == []


def test_a_full_retained_store_refuses_and_says_so(world_with: Callable[[Limits], World]) -> None:
    world = world_with(replace(AWS_SHAPES, retained=1))
    client = world.client("a", version=MQTT_5)

    client.publish("t", b"1", 1, retain=True)
    client.publish("u", b"1", 1, retain=True)
    client.publish("t", b"2", 1, retain=True)
    client.publish("t", b"", 1, retain=True)
    client.publish("u", b"1", 1, retain=True)

    assert client.acks() == [0, Reason.QUOTA_EXCEEDED, 0, 0, 0]


def test_live_messages_are_not_marked_retained_unless_asked_for(world: World) -> None:
    plain, asked = world.client("p"), world.client("a", version=MQTT_5)
    plain.subscribe("t")
    asked.send(Subscribe(1, (("t", RETAIN_AS_PUBLISHED),)))
    asked.take()

    world.client("s").publish("t", retain=True)

    assert {packet.retain for packet in published(plain)} == {False}
    assert {packet.retain for packet in published(asked)} == {True}


@pytest.mark.parametrize(("handling", "first", "second"), [(0x00, 1, 1), (0x10, 1, 0), (0x20, 0, 0)])
def test_retain_handling_says_when_retained_messages_come(world: World, handling: int, first: int, second: int) -> None:
    world.client("s").publish("t", retain=True)
    client = world.client("a", version=MQTT_5)

    client.send(Subscribe(1, (("t", handling),)))
    assert len(published(client)) == first
    client.send(Subscribe(1, (("t", handling),)))

    assert len(published(client)) == second


@pytest.mark.spec("JB-41")
def test_a_shared_subscription_delivers_to_one_member(kind: str) -> None:
    world = World("wire" if kind == "two gateways" else kind)  # groups across gateways are not joined
    members = [world.client(name) for name in ("a", "b", "c")]
    for member in members:
        member.subscribe("$share/g/t/#")

    for number in range(9):
        world.client("s").publish("t/x", b"%d" % number)

    found = [sorted(payload for _, payload in member.messages()) for member in members]
    assert [len(one) for one in found] == [3, 3, 3]
    assert sorted(payload for one in found for payload in one) == [b"%d" % number for number in range(9)]


def test_two_groups_get_a_copy_each(kind: str) -> None:
    world = World("wire" if kind == "two gateways" else kind)
    one, two, alone = world.client("1"), world.client("2"), world.client("3")
    one.subscribe("$share/g/t")
    two.subscribe("$share/h/t")
    alone.subscribe("t")

    alone.publish("t")

    assert [client.messages() for client in (one, two, alone)] == [[("t", b"x")]] * 3


def test_no_local_on_a_shared_subscription_is_a_protocol_error(world: World) -> None:
    client = world.client("a", version=MQTT_5)

    client.send(Subscribe(1, (("$share/g/t", NO_LOCAL),)))

    assert client.take() == [Disconnect(Reason.PROTOCOL_ERROR)]


@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
def test_subscriptions_are_told_as_lifecycle_events(world: World, version: int) -> None:
    client = world.client("a", version=version)

    client.subscribe("t/1", "t/2")
    client.send(Unsubscribe(2, ("t/1",)))

    events: dict[str, Any] = {
        message.topic: message.payload for message in world.control.heard if "subscriptions" in message.topic
    }
    assert b'"topics":["t/1","t/2"]' in events["$aws/events/subscriptions/subscribed/a"]
    assert b'"topics":["t/1"]' in events["$aws/events/subscriptions/unsubscribed/a"]
