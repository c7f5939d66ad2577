"""Clauses of MQTT 5.0 and 3.1.1, one test each, with the limits `own`; what other files show is not shown again."""

import pytest

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Properties,
    Property,
    Publish,
    Reason,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from hedgerow.core.mqtt.encoder import encode_auth
from hedgerow.core.mqtt.limits import OWN
from hedgerow.gateway.ports import NotAdmitted
from tests.unit.gateway.control import ACCOUNT
from tests.unit.gateway.world import Client, World

HOUR = {Property.SESSION_EXPIRY: 3600}
NONE: Properties = {}
pytestmark = [pytest.mark.spec("JB-41")]


@pytest.fixture
def world(kind: str) -> World:
    return World(kind, OWN)


def one_gateway(world: World) -> None:
    """What a client left with one gateway, another knows only from the journal."""
    del world.gateways[1:]


def publications(client: Client) -> list[Publish]:
    return [packet for packet in client.take() if isinstance(packet, Publish)]


def connecting(world: World, client_id: str, *, will: Will | None = None, clean: bool = False, **more: int) -> Client:
    """A client of MQTT 5 whose session is kept for an hour."""
    properties: Properties = {Property.SESSION_EXPIRY: more.get("expiry", 3600)}
    return world.client(client_id, version=MQTT_5, clean=clean, will=will, properties=properties, keep_alive=0)


def delayed(seconds: int, **more: int) -> Will:
    return Will("gone", b"gone", 1, False, {Property.WILL_DELAY: seconds, **({0x02: more["lives"]} if more else {})})


def listener(world: World) -> Client:
    client = world.client("listener", version=MQTT_5, keep_alive=0)
    client.subscribe("gone")
    return client


# --- 3.1.2.5 and 3.1.3.2.2: the will and its delay


def test_a_will_waits_no_longer_than_its_session(world: World) -> None:
    """Section 3.1.3.2.2: whichever happens first."""
    listening = listener(world)
    connecting(world, "c", will=delayed(600), expiry=30).drop()

    world.advance(29)
    before = listening.messages()
    world.advance(3)

    assert (before, listening.messages()) == ([], [("gone", b"gone")])


def test_a_clean_start_ends_the_session_and_so_sends_the_will(world: World) -> None:
    one_gateway(world)
    listening = listener(world)
    connecting(world, "c", will=delayed(600)).drop()

    connecting(world, "c", clean=True)

    assert listening.messages() == [("gone", b"gone")]


def test_a_return_to_the_session_takes_the_will_back(world: World) -> None:
    """[MQTT-3.1.3-9]"""
    one_gateway(world)
    listening = listener(world)
    connecting(world, "c", will=delayed(60)).drop()

    connecting(world, "c")
    world.advance(120)

    assert listening.messages() == []


def test_an_expiry_of_a_will_begins_when_it_is_published(world: World) -> None:
    """Section 3.1.3.2.4."""
    listening = listener(world)
    connecting(world, "c", will=delayed(60, lives=100)).drop()

    world.advance(61)

    found = publications(listening)
    assert {packet.properties[Property.MESSAGE_EXPIRY] for packet in found} == {100}


def test_a_will_that_waits_outlives_a_crash_and_is_sent_once(world: World) -> None:
    one_gateway(world)
    connecting(world, "c", will=delayed(60)).drop()
    world.advance(10)
    world.control.heard.clear()

    with world.restarted():
        listening = listener(world)
    world.advance(40)
    early = listening.messages()
    world.advance(20)
    sent = listening.messages()
    with world.restarted():
        again = listener(world)
    world.advance(100)

    assert (early, sent, again.messages()) == ([], [("gone", b"gone")], [])


def test_a_crash_is_the_end_of_a_connection_and_its_will_waits_from_then_on(world: World) -> None:
    one_gateway(world)
    connecting(world, "c", will=delayed(60))

    with world.restarted():
        listening = listener(world)
    world.advance(59)
    early = listening.messages()
    world.advance(3)

    assert (early, listening.messages()) == ([], [("gone", b"gone")])


def test_a_disconnect_with_another_code_than_0_sends_the_will(world: World) -> None:
    """[MQTT-3.14.4-3]"""
    listening = listener(world)
    client = connecting(world, "c", will=Will("gone", b"gone"), expiry=0)

    client.send(Disconnect(Reason.UNSPECIFIED))

    assert listening.messages() == [("gone", b"gone")]


# --- 3.1.2.11: what a CONNECT asks for


def test_a_session_is_kept_for_as_long_as_the_last_word_said(world: World) -> None:
    """Section 3.14.2.2.2: DISCONNECT may change it."""
    one_gateway(world)
    client = connecting(world, "c", expiry=30)
    client.send(Disconnect(0, {Property.SESSION_EXPIRY: 300}))

    world.advance(200)
    kept = world.connack(connecting(world, "c", expiry=30)).session_present
    world.gateways[0].account(ACCOUNT).connections["c"].lost()
    world.advance(31)

    assert kept
    assert not world.connack(connecting(world, "c")).session_present


def test_a_clean_start_forgets_subscriptions_and_what_waits(world: World) -> None:
    """[MQTT-3.1.2-4]"""
    one_gateway(world)
    client = connecting(world, "c")
    client.subscribe("a")
    client.drop()
    world.client("sender").publish("a", b"waiting", 1)

    again = connecting(world, "c", clean=True)
    world.client("other").publish("a", b"live", 1)

    assert world.connack(again).session_present is False
    assert len(again.inbox) == 1
    assert publications(again) == []


def test_response_information_may_be_asked_for_and_is_not_there(world: World) -> None:
    """[MQTT-3.1.2-28] lets the server leave it out."""
    client = world.client("c", version=MQTT_5, properties={Property.REQUEST_RESPONSE_INFORMATION: 1})

    assert world.connack(client).code == 0
    assert Property.RESPONSE_INFORMATION not in world.connack(client).properties


def test_what_the_server_can_is_said_where_it_is_less_than_everything(world: World) -> None:
    said = world.connack(world.client("c", version=MQTT_5, keep_alive=0)).properties

    assert said[Property.SUBSCRIPTION_IDS_AVAILABLE] == said[Property.SHARED_AVAILABLE] == 1
    assert said[Property.SERVER_KEEP_ALIVE] == 0
    assert Property.MAXIMUM_QOS not in said  # [MQTT-3.2.2-9]
    assert Property.SESSION_EXPIRY not in said


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({Property.AUTHENTICATION_METHOD: "SCRAM-SHA-1"}, Reason.BAD_AUTHENTICATION_METHOD),
        ({Property.AUTHENTICATION_METHOD: "m", Property.AUTHENTICATION_DATA: b"x"}, Reason.BAD_AUTHENTICATION_METHOD),
    ],
)
def test_enhanced_authentication_is_refused_by_name(world: World, properties: Properties, code: Reason) -> None:
    client = world.open(MQTT_5)

    client.send(Connect("c", version=MQTT_5, properties=properties))

    assert client.take() == [Connack(False, code)]
    assert client.reasons == ["enhanced authentication is not supported"]


def test_authentication_data_without_a_method_ends_the_connection(world: World) -> None:
    """Section 3.1.2.11.10."""
    client = world.open(MQTT_5)

    client.send(Connect("c", version=MQTT_5, properties={Property.AUTHENTICATION_DATA: b"x"}))

    assert client.take() == []
    assert client.wire.closed


def test_an_auth_packet_ends_the_connection_with_a_word(world: World) -> None:
    client = world.client("c", version=MQTT_5)

    client.push(encode_auth(0x19, {Property.AUTHENTICATION_METHOD: "m"}))

    assert client.take() == [Disconnect(Reason.PROTOCOL_ERROR)]
    assert client.reasons == ["AUTH: enhanced authentication is not supported"]


@pytest.mark.parametrize(
    ("connect", "refused", "code"),
    [
        (Connect("c"), NotAdmitted(reason="NOT_AUTHENTICATED", detail="a stranger"), 5),
        (Connect("", clean_start=False), None, 2),
        (Connect("$c"), None, 2),
    ],
)
def test_a_client_of_3_1_1_gets_a_return_code(
    world: World, connect: Connect, refused: NotAdmitted | None, code: int
) -> None:
    """MQTT 3.1.1 section 3.2.2.3."""
    world.control.refuse = refused
    client = world.open(MQTT_3_1_1)

    client.send(connect)

    assert client.take() == [Connack(False, code)]
    assert client.wire.closed


# --- reason strings: 3.1.2.11.7, 3.14.2.2.3


def test_what_a_client_did_wrong_is_said_in_words(world: World) -> None:
    client = world.client("c", version=MQTT_5)

    client.publish("", b"x")

    assert client.take() == [Disconnect(Reason.PROTOCOL_ERROR)]
    assert client.reasons == ["neither topic nor topic alias"]


def refused_things(world: World, properties: Properties) -> list[str]:
    world.control.denied = ("iot:Publish topic/no", "iot:Subscribe topicfilter/no")
    client = world.client("c", version=MQTT_5, properties=properties)
    client.publish("no", b"x", 1)
    puback = client.take()
    suback = client.subscribe("no")
    client.publish("no", b"x", 0)
    disconnect = client.take()

    assert puback == [Ack(Kind.PUBACK, 7, Reason.NOT_AUTHORIZED)]
    assert suback == Suback(1, (Reason.NOT_AUTHORIZED,))
    assert disconnect == [Disconnect(Reason.NOT_AUTHORIZED)]
    return client.reasons


def test_refusals_are_explained(world: World) -> None:
    assert refused_things(world, NONE) == ["may not publish to no", "NOT_AUTHORIZED: no", "may not publish to no"]


def test_who_wants_no_problem_information_gets_it_with_the_disconnect_alone(world: World) -> None:
    """[MQTT-3.1.2-29]"""
    assert refused_things(world, {Property.REQUEST_PROBLEM_INFORMATION: 0}) == ["may not publish to no"]


def test_a_reason_that_makes_a_packet_too_large_is_left_out(world: World) -> None:
    """[MQTT-3.2.2-19] [MQTT-3.14.2-3]"""
    assert refused_things(world, {Property.MAXIMUM_PACKET_SIZE: 20}) == []


def test_who_is_not_let_in_is_told_awss_word_and_nothing_more(world: World) -> None:
    world.control.refuse = NotAdmitted(reason="DEVICE_CERTIFICATE_INACTIVE", detail="a secret of the registry")
    client = world.client("c", version=MQTT_5)

    assert client.inbox == [Connack(False, Reason.NOT_AUTHORIZED)]
    assert client.reasons == ["DEVICE_CERTIFICATE_INACTIVE"]


# --- 3.3: PUBLISH


def test_an_alias_takes_its_newest_topic_and_is_one_connections_own(world: World) -> None:
    """[MQTT-3.3.2-12]"""
    listening = world.client("l")
    listening.subscribe("a", "b")
    client, other = world.client("c", version=MQTT_5), world.client("o", version=MQTT_5)
    alias = {Property.TOPIC_ALIAS: 3}

    for topic in ("a", "", "b", ""):
        client.publish(topic, topic.encode() or b"by alias", properties=alias)
    other.publish("", b"x", properties=alias)

    assert listening.messages() == [("a", b"a"), ("a", b"by alias"), ("b", b"b"), ("b", b"by alias")]
    assert other.take() == [Disconnect(Reason.TOPIC_ALIAS_INVALID)]


def test_a_client_that_allows_aliases_gets_them_and_no_more_than_it_allows(world: World) -> None:
    """[MQTT-3.1.2-26] [MQTT-3.1.2-27]"""
    one_gateway(world)
    none, some = (
        world.client(f"c{most}", version=MQTT_5, properties={Property.TOPIC_ALIAS_MAXIMUM: most}) for most in (0, 1)
    )
    for client in (none, some):
        client.send(Subscribe(1, (("a", 1), ("b", 0))))
        client.take()
    sender = world.client("sender", version=MQTT_5)

    for topic in ("a", "b"):
        for qos in (1, 0, 1):
            sender.publish(topic, b"x", qos)

    plain, short = publications(none), publications(some)
    assert [packet.topic for packet in plain] == ["a", "a", "a", "b", "b", "b"]
    assert not any(Property.TOPIC_ALIAS in packet.properties for packet in plain)
    assert [packet.topic for packet in short] == ["a", "", "", "b", "b", "b"]
    assert [packet.properties.get(Property.TOPIC_ALIAS) for packet in short] == [1, 1, 1, None, None, None]


def test_what_comes_again_says_its_topic_to_the_new_connection(world: World) -> None:
    one_gateway(world)
    properties: Properties = {Property.SESSION_EXPIRY: 3600, Property.TOPIC_ALIAS_MAXIMUM: 8}
    client = world.client("c", version=MQTT_5, clean=False, properties=properties)
    client.subscribe("a")
    sender = world.client("sender", version=MQTT_5)
    for number in range(2):
        sender.publish("a", b"%d" % number, 1)
    first = publications(client)
    client.drop()

    again = world.client("c", version=MQTT_5, clean=False, properties=properties)

    found = [packet for packet in again.inbox if isinstance(packet, Publish)]
    assert [packet.topic for packet in first] == [packet.topic for packet in found] == ["a", ""]
    assert [packet.payload for packet in found] == [b"0", b"1"]


def test_a_packet_that_an_alias_would_make_too_large_goes_without(world: World) -> None:
    one_gateway(world)
    most = 2 + 2 + 1 + 1 + 100 + 2
    properties: Properties = {Property.TOPIC_ALIAS_MAXIMUM: 8, Property.MAXIMUM_PACKET_SIZE: most}
    client = world.client("c", version=MQTT_5, properties=properties)
    client.subscribe("a")

    for _ in range(2):
        world.client("sender", version=MQTT_5).publish("a", b"x" * 100, 1)

    assert [packet.topic for packet in publications(client)] == ["a", "a"]


def test_a_message_that_waits_too_long_is_never_delivered(world: World) -> None:
    """[MQTT-3.3.2-5], [MQTT-3.3.2-6] for the one that lives on."""
    one_gateway(world)
    client = connecting(world, "c")
    client.subscribe("a")
    client.drop()
    sender = world.client("sender", version=MQTT_5, keep_alive=0)
    for lives in (10, 100):
        sender.publish("a", b"%d" % lives, 1, properties={Property.MESSAGE_EXPIRY: lives})

    world.advance(40)

    found = [packet for packet in connecting(world, "c").inbox if isinstance(packet, Publish)]
    assert [packet.payload for packet in found] == [b"100"]
    assert 58 <= found[0].properties[Property.MESSAGE_EXPIRY] <= 60


def test_everything_that_a_publisher_says_of_a_message_arrives_in_order(world: World) -> None:
    """[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]"""
    listening, client = world.client("l", version=MQTT_5), world.client("c", version=MQTT_5)
    listening.subscribe("a")
    said = {
        Property.PAYLOAD_FORMAT: 1,
        Property.CONTENT_TYPE: "text/plain",
        Property.RESPONSE_TOPIC: "answers/c",
        Property.CORRELATION_DATA: b"\x00\x01",
        Property.USER_PROPERTY: [("b", "2"), ("a", "1"), ("b", "3"), ("", "")],
    }

    client.publish("a", b"x", 1, properties=said)

    assert dict(publications(listening)[0].properties) == said


def test_a_response_topic_has_no_wildcards(world: World) -> None:
    """[MQTT-3.3.2-14]"""
    client = world.client("c", version=MQTT_5)

    client.publish("a", properties={Property.RESPONSE_TOPIC: "answers/+"})

    assert client.take() == [Disconnect(Reason.TOPIC_NAME_INVALID)]


def test_no_more_is_under_way_to_a_client_than_it_takes(world: World) -> None:
    """[MQTT-3.3.4-9]"""
    client = world.client("c", version=MQTT_5, properties={Property.RECEIVE_MAXIMUM: 2})
    client.subscribe("a", qos=2)
    sender = world.client("sender")
    for number in range(4):
        sender.publish("a", b"%d" % number, 1)

    first = publications(client)
    client.send(Ack(Kind.PUBACK, first[0].packet_id))

    assert len(first) == 2
    assert len(publications(client)) == 1


def test_a_client_that_sends_more_than_it_may_is_cut_off(world: World) -> None:
    """[MQTT-3.3.4-7]"""
    client = world.client("c", version=MQTT_5)
    most = world.connack(client).properties[Property.RECEIVE_MAXIMUM]

    for identifier in range(1, most + 2):
        client.send(Publish("a", b"x", 2, False, False, identifier))

    assert client.take()[-1] == Disconnect(Reason.RECEIVE_MAXIMUM_EXCEEDED)


# --- 3.8 to 3.11: subscriptions


def test_a_subscription_is_replaced_and_its_retained_message_sent_again(world: World) -> None:
    """[MQTT-3.8.4-3]"""
    world.client("sender").publish("a", b"kept", 1, retain=True)
    client = world.client("c", version=MQTT_5)

    found = []
    for qos in (0, 1):
        client.send(Subscribe(1, (("a", qos),)))
        found += publications(client)
    world.client("other").publish("a", b"live", 1)

    assert [(packet.payload, packet.qos, packet.retain) for packet in found] == [(b"kept", 0, True), (b"kept", 1, True)]
    assert {(packet.payload, packet.qos) for packet in publications(client)} == {(b"live", 1)}


def test_without_no_local_ones_own_messages_come(world: World) -> None:
    client = world.client("c", version=MQTT_5)
    client.send(Subscribe(1, (("a", 0x01), ("b", 0x05))))

    client.publish("a", b"x")
    client.publish("b", b"y")

    assert client.messages() == [("a", b"x")]


def test_retain_as_published_says_what_the_publisher_said(world: World) -> None:
    """[MQTT-3.8.3-4] section 3.8.3.1"""
    client = world.client("c", version=MQTT_5)
    client.send(Subscribe(1, (("kept/as", 0x08), ("kept/not", 0x00))))
    client.take()
    sender = world.client("sender")

    for topic in ("kept/as", "kept/not"):
        sender.publish(topic, b"1", retain=True)
        sender.publish(topic, b"2")

    found = {(packet.topic, packet.payload, packet.retain) for packet in publications(client)}
    assert found == {
        ("kept/as", b"1", True),
        ("kept/as", b"2", False),
        ("kept/not", b"1", False),
        ("kept/not", b"2", False),
    }


def test_a_shared_subscription_retains_as_published_too(world: World) -> None:
    client = world.client("c", version=MQTT_5)
    client.send(Subscribe(1, (("$share/g/a", 0x08),)))
    client.take()

    world.client("sender").publish("a", b"1", retain=True)

    assert {(packet.payload, packet.retain) for packet in publications(client)} == {(b"1", True)}


def test_filters_that_overlap_let_through_what_one_of_them_does(world: World) -> None:
    client = world.client("c", version=MQTT_5)
    client.send(Subscribe(1, (("a/#", 0x05), ("a/+", 0x00), ("b/#", 0x05), ("b/+", 0x04))))  # 4 is no local
    client.take()

    client.publish("a/1", b"mine")
    client.publish("b/1", b"not heard")

    assert client.messages() == [("a/1", b"mine")]


def test_what_was_retained_is_said_to_be_after_a_crash_too(world: World) -> None:
    """[MQTT-3.3.1-8] of messages that wait for a session."""
    world.client("sender").publish("a", b"kept", 1, retain=True)
    connecting(world, "c").send(Subscribe(1, (("a", 1), ("b", 1), ("c", 0x09))))
    for topic in ("b", "c"):
        world.client("sender").publish(topic, b"live", 1, retain=True)

    with world.restarted():
        again = connecting(world, "c")

    found = {(packet.topic, packet.retain) for packet in again.inbox if isinstance(packet, Publish)}
    assert found == {("a", True), ("b", False), ("c", True)}


@pytest.mark.parametrize("text", ["$share//a", "$share/g", "$share/g+/a", "$share/g/"])
def test_a_shared_filter_needs_a_name_and_a_filter(world: World, text: str) -> None:
    """[MQTT-4.8.2-1] [MQTT-4.8.2-2]"""
    client = world.client("c", version=MQTT_5)

    assert client.subscribe(text) == Suback(1, (Reason.TOPIC_FILTER_INVALID,))


def test_a_topic_has_a_bound_of_levels_in_every_set(world: World) -> None:
    client = world.client("c", version=MQTT_5)
    deepest = "/".join("a" * (OWN.slashes + 1))

    client.send(Subscribe(1, ((deepest, 0), (f"{deepest}/a", 0))))
    (suback,) = client.take()
    client.publish(deepest, b"x")
    (message,) = publications(client)
    client.publish(f"{deepest}/a", b"x")

    assert suback.codes == (0, Reason.TOPIC_FILTER_INVALID)  # type: ignore[union-attr]  # it is a Suback
    assert message.topic == deepest
    assert client.take() == [Disconnect(Reason.TOPIC_NAME_INVALID)]


def test_what_is_not_subscribed_is_said_when_it_is_taken_back(world: World) -> None:
    """Section 3.11.3."""
    client = world.client("c", version=MQTT_5)
    client.subscribe("a", "$share/g/a")

    client.send(Unsubscribe(2, ("a", "b", "$share/g/a", "$share/h/a")))

    absent = Reason.NO_SUBSCRIPTION_EXISTED
    assert Unsuback(2, (0, absent, 0, absent)) in client.take()


def test_a_member_that_leaves_a_group_leaves_it_to_the_others(world: World) -> None:
    one, two = world.client("one", version=MQTT_5), world.client("two", version=MQTT_5)
    for client in (one, two):
        client.subscribe("$share/g/a")
    one.send(Unsubscribe(2, ("$share/g/a",)))
    one.take()

    for number in range(4):
        world.client("sender").publish("a", b"%d" % number, 1)

    assert publications(one) == []
    assert len(two.messages()) == 4
