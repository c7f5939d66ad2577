import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.base.errors import ProtocolViolation
from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    TO_CLIENT,
    TO_SERVER,
    BadPacket,
    Connect,
    Decoder,
    Pingreq,
    Property,
    Publish,
    Reason,
    Subscribe,
    Will,
    encode,
)
from hedgerow.core.mqtt.properties import write_varint
from tests.unit.core.mqtt.vectors import VECTORS, Vector

vectors = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)


@vectors
def test_a_packet_is_decoded_from_its_bytes(vector: Vector) -> None:
    decoder = Decoder(vector.side, version=vector.version)

    assert decoder.feed(vector.wire) == [vector.packet]


@vectors
def test_a_packet_is_encoded_to_its_bytes(vector: Vector) -> None:
    assert encode(vector.packet, vector.version) == vector.wire


@vectors
def test_a_packet_is_the_same_when_it_comes_in_two_pieces(vector: Vector) -> None:
    for cut in range(1, len(vector.wire)):
        decoder = Decoder(vector.side, version=vector.version)

        assert decoder.feed(vector.wire[:cut]) == []
        assert decoder.feed(vector.wire[cut:]) == [vector.packet]


@vectors
def test_a_packet_is_the_same_byte_by_byte(vector: Vector) -> None:
    decoder = Decoder(vector.side, version=vector.version)

    found = [packet for byte in vector.wire for packet in decoder.feed(bytes((byte,)))]

    assert found == [vector.packet]


@vectors
def test_a_packet_that_is_cut_short_inside_is_refused(vector: Vector) -> None:
    for length in range(2, len(vector.wire) - 1):
        decoder = Decoder(vector.side, version=vector.version)
        wire = vector.wire[:1] + write_varint(length - 1) + vector.wire[2 : length + 1]

        try:
            packets = decoder.feed(wire)
        except BadPacket:
            continue

        assert packets != [vector.packet]


def test_all_packets_of_a_read_come_at_once_and_the_rest_is_kept() -> None:
    decoder = Decoder(TO_SERVER)
    wire = encode(Publish("a", b"1"), MQTT_3_1_1) * 3 + encode(Publish("b", b"2"), MQTT_3_1_1)

    first = decoder.feed(wire[:-1])
    second = decoder.feed(wire[-1:])

    assert first == [Publish("a", b"1")] * 3
    assert second == [Publish("b", b"2")]


def test_packets_before_a_bad_one_are_not_lost() -> None:
    decoder = Decoder(TO_SERVER)

    with pytest.raises(BadPacket):
        decoder.feed(b"\xc0\x00" + b"\x00\x00")

    assert decoder.decoded == [Pingreq()]


def test_a_server_learns_the_version_from_the_connect() -> None:
    decoder = Decoder(TO_SERVER)
    publish = Publish("t", b"x", properties={Property.TOPIC_ALIAS: 1})

    packets = decoder.feed(encode(Connect("c", version=MQTT_5), MQTT_5) + encode(publish, MQTT_5))

    assert packets == [Connect("c", version=MQTT_5), publish]


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x36\x05\x00\x01a\x00\x01", Reason.MALFORMED_PACKET),  # QoS 3
        (b"\x38\x03\x00\x01a", Reason.MALFORMED_PACKET),  # DUP with QoS 0
        (b"\x32\x05\x00\x01a\x00\x00", Reason.PROTOCOL_ERROR),  # packet identifier 0
        (b"\x30\x03\x00\x01\xff", Reason.MALFORMED_PACKET),  # not UTF-8
        (b"\x30\x03\x00\x01\x00", Reason.MALFORMED_PACKET),  # null character
        (b"\x30\x05\x00\x03\xed\xa0\x80", Reason.MALFORMED_PACKET),  # half of a surrogate pair
        (b"\x30\xff\xff\xff\xff", Reason.MALFORMED_PACKET),  # length of five bytes
        (b"\x80\x06\x00\x01\x00\x01a\x00", Reason.MALFORMED_PACKET),  # SUBSCRIBE without its flag
        (b"\xa0\x05\x00\x01\x00\x01a", Reason.MALFORMED_PACKET),  # UNSUBSCRIBE without its flag
        (b"\x82\x02\x00\x01", Reason.PROTOCOL_ERROR),  # no filter
        (b"\x82\x06\x00\x01\x00\x01a\x03", Reason.MALFORMED_PACKET),  # subscription QoS 3
        (b"\xa2\x02\x00\x01", Reason.PROTOCOL_ERROR),  # no filter
        (b"\x20\x02\x00\x00", Reason.PROTOCOL_ERROR),  # CONNACK to a server
        (b"\xf0\x00", Reason.PROTOCOL_ERROR),  # AUTH in MQTT 3.1.1
        (b"\x10\x0c\x00\x04MQTT\x03\x02\x00\x00\x00\x00", Reason.UNSUPPORTED_PROTOCOL_VERSION),
        (b"\x10\x0c\x00\x04MQTT\x04\x03\x00\x00\x00\x00", Reason.MALFORMED_PACKET),  # reserved flag
        (b"\x10\x0c\x00\x04MQTT\x04\x42\x00\x00\x00\x00", Reason.MALFORMED_PACKET),  # password alone
        (b"\x10\x0c\x00\x04MQTT\x04\x22\x00\x00\x00\x00", Reason.MALFORMED_PACKET),  # will retain without will
        (b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x00!", Reason.MALFORMED_PACKET),  # bytes left over
    ],
)
def test_what_the_protocol_forbids_is_refused_with_its_reason_code(wire: bytes, code: Reason) -> None:
    with pytest.raises(BadPacket) as caught:
        Decoder(TO_SERVER).feed(wire)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        (b"\x23\x00\x00", Reason.TOPIC_ALIAS_INVALID),
        (b"\x01\x02", Reason.PROTOCOL_ERROR),  # payload format 2
        (b"\x01\x00\x01\x00", Reason.PROTOCOL_ERROR),  # twice
        (b"\x11\x00\x00\x00\x01", Reason.MALFORMED_PACKET),  # session expiry in a PUBLISH
        (b"\x7f", Reason.MALFORMED_PACKET),  # no such property
        (b"\x02\x00", Reason.MALFORMED_PACKET),  # ends early
    ],
)
def test_a_bad_property_is_refused_with_its_reason_code(properties: bytes, code: Reason) -> None:
    body = b"\x00\x01a" + bytes((len(properties),)) + properties

    with pytest.raises(BadPacket) as caught:
        Decoder(TO_SERVER, version=MQTT_5).feed(b"\x30" + bytes((len(body),)) + body)

    assert caught.value.code == code


def test_a_packet_larger_than_allowed_is_refused_before_it_is_complete() -> None:
    decoder = Decoder(TO_SERVER, max_packet=100)

    with pytest.raises(BadPacket) as caught:
        decoder.feed(b"\x30\x64")

    assert caught.value.code == Reason.PACKET_TOO_LARGE


@given(st.lists(st.binary(max_size=60), max_size=4), st.sampled_from((TO_SERVER, TO_CLIENT)), st.sampled_from((4, 5)))
def test_random_bytes_raise_nothing_but_protocol_violations(
    pieces: list[bytes], side: frozenset[int], version: int
) -> None:
    decoder = Decoder(side, version=version)

    with contextlib.suppress(ProtocolViolation):
        for piece in pieces:
            decoder.feed(piece)


@given(st.data(), st.sampled_from(VECTORS))
def test_a_packet_with_changed_bytes_raises_nothing_but_protocol_violations(
    data: st.DataObject, vector: Vector
) -> None:
    wire = bytearray(vector.wire)
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    decoder = Decoder(vector.side, version=vector.version)

    with contextlib.suppress(ProtocolViolation):
        decoder.feed(bytes(wire))


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
user_properties = st.lists(st.tuples(text, text), min_size=1, max_size=3)
publish_properties = st.fixed_dictionaries(
    {},
    optional={
        int(Property.PAYLOAD_FORMAT): st.integers(0, 1),
        int(Property.MESSAGE_EXPIRY): st.integers(0, 2**32 - 1),
        int(Property.CONTENT_TYPE): text,
        int(Property.RESPONSE_TOPIC): text,
        int(Property.CORRELATION_DATA): st.binary(max_size=20),
        int(Property.TOPIC_ALIAS): st.integers(1, 65535),
        int(Property.USER_PROPERTY): user_properties,
        int(Property.SUBSCRIPTION_ID): st.lists(st.integers(1, 2**28 - 1), min_size=1, max_size=3),
    },
)
publishes = st.builds(
    lambda topic, payload, qos, retain, properties: Publish(
        topic, payload, qos, retain, False, 9 if qos else 0, properties
    ),
    text,
    st.binary(max_size=300),
    st.integers(0, 2),
    st.booleans(),
    publish_properties,
)
wills = st.builds(Will, text, st.binary(max_size=20), st.integers(0, 2), st.booleans(), st.just({}))
connects = st.builds(
    Connect,
    text,
    st.booleans(),
    st.integers(0, 65535),
    text,
    st.none() | st.binary(max_size=20),
    st.none() | wills,
    st.sampled_from((MQTT_3_1_1, MQTT_5)),
    st.just({}),
)
subscribes = st.builds(
    Subscribe,
    st.integers(1, 65535),
    st.lists(st.tuples(text, st.integers(0, 2)), min_size=1, max_size=9).map(tuple),
    st.just({}),
)


@given(st.lists(publishes | subscribes, min_size=1, max_size=5), st.data())
def test_what_was_encoded_is_decoded_wherever_the_stream_is_split(
    packets: list[Publish | Subscribe], data: st.DataObject
) -> None:
    wire = b"".join(encode(packet, MQTT_5) for packet in packets)
    cut = data.draw(st.integers(0, len(wire)))
    decoder = Decoder(TO_SERVER, version=MQTT_5)

    assert decoder.feed(wire[:cut]) + decoder.feed(wire[cut:]) == packets


@given(connects)
def test_a_connect_that_was_encoded_is_decoded(packet: Connect) -> None:
    assert Decoder(TO_SERVER).feed(encode(packet, packet.version)) == [packet]
