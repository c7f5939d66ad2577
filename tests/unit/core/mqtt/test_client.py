import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    TO_SERVER,
    Ack,
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Kind,
    Packet,
    Pingreq,
    Pingresp,
    Property,
    Publish,
    Reason,
    Suback,
    Subscribe,
    encode,
)
from hedgerow.core.mqtt.client import (
    Accepted,
    Acknowledged,
    Arrived,
    ClientSession,
    Ended,
    Granted,
    Refused,
)


def begun(version: int = MQTT_5, *, keep_alive: int = 60) -> ClientSession:
    connect = Connect("c", keep_alive=keep_alive, version=version)
    return ClientSession(connect, now=100.0, answer_within_s=10)


def connected(version: int = MQTT_5, **properties: int) -> ClientSession:
    session = begun(version)
    session.output()
    known: dict[int, int] = {Property[name]: value for name, value in properties.items()}
    session.receive(encode(Connack(False, 0, known), version), now=100.0)
    return session


def sent(session: ClientSession, version: int = MQTT_5) -> list[Packet]:
    return Decoder(TO_SERVER, version=version).feed(session.output())


@pytest.mark.parametrize("version", [MQTT_3_1_1, MQTT_5])
def test_a_session_begins_with_its_connect(version: int) -> None:
    session = begun(version)

    packets = sent(session, version)

    assert packets == [Connect("c", keep_alive=60, version=version)]
    assert session.output() == b""


def test_the_server_lets_us_in_with_its_limits() -> None:
    session = begun()
    properties: dict[int, int] = {
        Property.RECEIVE_MAXIMUM: 3,
        Property.MAXIMUM_PACKET_SIZE: 200,
        Property.SERVER_KEEP_ALIVE: 20,
    }

    events = session.receive(encode(Connack(True, 0, properties), MQTT_5), now=101.0)

    expected = Accepted(session_present=True, receive_maximum=3, maximum_packet=200, keep_alive_s=20)
    assert events == [expected]
    assert session.limits == expected
    assert session.deadline() == 120.0


@pytest.mark.parametrize(
    ("version", "code", "expected"),
    [
        (MQTT_3_1_1, 5, Reason.NOT_AUTHORIZED),
        (MQTT_5, 0x8A, Reason.BANNED),
        (MQTT_3_1_1, 2, Reason.CLIENT_ID_NOT_VALID),
    ],
)
def test_a_refusal_ends_the_session_with_one_code_for_both_versions(version: int, code: int, expected: Reason) -> None:
    session = begun(version)

    events = session.receive(encode(Connack(False, code), version), now=101.0)

    assert events == [Refused(code=expected, text=expected.name.lower().replace("_", " "))]
    assert session.over


def test_no_answer_to_connect_ends_the_session() -> None:
    session = begun()

    assert session.deadline() == 110.0
    assert session.tick(now=109.9) == []
    assert session.tick(now=110.0) == [Ended(code=None, text="no answer to CONNECT within 10 s")]


def test_silence_for_the_keep_alive_sends_a_ping_and_the_pong_keeps_the_session() -> None:
    session = connected()

    session.tick(now=160.0)
    assert sent(session) == [Pingreq()]
    session.receive(encode(Pingresp(), MQTT_5), now=161.0)

    assert session.tick(now=175.0) == []
    assert not session.over


def test_a_ping_without_a_pong_ends_the_session() -> None:
    session = connected()
    session.tick(now=160.0)

    events = session.tick(now=170.0)

    assert events == [Ended(code=None, text="no answer to PINGREQ within 10 s")]


def test_what_we_send_puts_the_ping_off() -> None:
    session = connected()

    session.publish("t", b"", now=150.0)

    assert session.deadline() == 210.0


def test_a_message_of_qos_1_is_acknowledged_by_its_packet_id() -> None:
    session = connected()

    packet_id = session.publish("a/b", b"hi", now=101.0, qos=1)
    events = session.receive(encode(Ack(Kind.PUBACK, packet_id, 0x10), MQTT_5), now=102.0)

    assert sent(session) == [Publish("a/b", b"hi", 1, packet_id=packet_id)]
    assert events == [Acknowledged(packet_id=packet_id, code=0x10)]


def test_a_message_larger_than_the_server_takes_is_not_sent() -> None:
    session = connected(MAXIMUM_PACKET_SIZE=50)
    session.output()

    with pytest.raises(ValueError, match="the server takes 50"):
        session.publish("t", bytes(60), now=101.0, qos=1)
    assert session.output() == b""


def test_a_subscription_is_answered_filter_by_filter() -> None:
    session = connected()

    packet_id = session.subscribe([("a/+", 1), ("b", 0)], now=101.0)
    events = session.receive(encode(Suback(packet_id, (1, 0x87)), MQTT_5), now=102.0)

    assert sent(session) == [Subscribe(packet_id, (("a/+", 1), ("b", 0)))]
    assert events == [Granted(packet_id=packet_id, codes=(1, 0x87))]


def test_a_message_arrives_and_is_acknowledged_only_when_told() -> None:
    session = connected()
    message = Publish("t", b"x", 1, packet_id=7)

    events = session.receive(encode(message, MQTT_5), now=101.0)
    assert (events, session.output()) == ([Arrived(message=message)], b"")
    session.acknowledge(7, now=101.0)

    assert sent(session) == [Ack(Kind.PUBACK, 7)]


def test_a_topic_alias_stands_for_the_topic_that_it_was_given() -> None:
    session = connected()
    alias: dict[int, int] = {Property.TOPIC_ALIAS: 1}
    wire = encode(Publish("long", b"1", properties=alias), MQTT_5) + encode(Publish("", b"2", properties=alias), MQTT_5)

    events = session.receive(wire, now=101.0)

    assert [event.message.topic for event in events if isinstance(event, Arrived)] == ["long", "long"]


@pytest.mark.parametrize(
    "packet",
    [
        Publish("t", b"", 2, packet_id=1),
        Publish("", b"", properties={Property.TOPIC_ALIAS: 9}),
        Connack(False, 0),
        Ack(Kind.PUBREC, 1),
    ],
)
def test_what_the_server_must_not_send_ends_the_session_with_a_word_to_it(packet: Packet) -> None:
    session = connected()

    events = session.receive(encode(packet, MQTT_5), now=101.0)

    assert [type(event) for event in events] == [Ended]
    assert sent(session) == [Disconnect(Reason.PROTOCOL_ERROR)]


def test_a_packet_before_connack_ends_the_session() -> None:
    session = begun()

    events = session.receive(encode(Publish("t", b""), MQTT_5), now=101.0)

    assert isinstance(events[0], Ended)
    assert session.over


def test_the_servers_disconnect_says_why() -> None:
    session = connected()

    events = session.receive(encode(Disconnect(Reason.SESSION_TAKEN_OVER), MQTT_5), now=101.0)

    assert events == [Ended(code=Reason.SESSION_TAKEN_OVER, text="session taken over", by_server=True)]


def test_the_end_of_the_stream_ends_the_session_once() -> None:
    session = connected()

    assert isinstance(session.receive(b"", now=101.0)[0], Ended)
    assert session.receive(b"", now=101.0) == []
    assert session.tick(now=1000.0) == []


def test_packet_identifiers_under_way_are_not_given_twice() -> None:
    session = connected()

    first = [session.publish("t", b"", now=101.0, qos=1) for _ in range(65_535)]

    assert len(set(first)) == 65_535
    with pytest.raises(ValueError, match="every packet identifier"):
        session.publish("t", b"", now=101.0, qos=1)
    session.receive(encode(Ack(Kind.PUBACK, 77), MQTT_5), now=101.0)
    assert session.publish("t", b"", now=101.0, qos=1) == 77


@given(st.lists(st.binary(max_size=20), max_size=5), st.data())
def test_any_split_gives_the_same_events(payloads: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(encode(Publish("t", payload, 1, packet_id=9), MQTT_5) for payload in payloads)
    at = data.draw(st.integers(1, max(1, len(wire))))
    whole, split = connected(), connected()

    expected = whole.receive(wire, now=101.0) if wire else []
    found = [
        *(split.receive(wire[:at], now=101.0) if wire else []),
        *(split.receive(wire[at:], now=101.0) if wire[at:] else []),
    ]

    assert found == expected


@given(st.binary(min_size=1, max_size=60))
def test_random_bytes_only_end_the_session(noise: bytes) -> None:
    session = connected()

    events = session.receive(noise, now=101.0)

    assert all(isinstance(event, Ended | Arrived | Granted | Acknowledged) for event in events)
