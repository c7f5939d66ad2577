"""Whatever bytes come, the connection answers or closes; nothing is raised, nobody else is touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    TO_SERVER,
    Ack,
    Disconnect,
    Kind,
    Pingresp,
    Publish,
    Suback,
    encode,
)
from tests.unit.core.mqtt.vectors import VECTORS
from tests.unit.gateway.world import World

WIRES = [vector.wire for vector in VECTORS if vector.side is TO_SERVER]
PING = b"\xc0\x00"
FAST = [encode(Publish("t", b"x", qos, packet_id=9 if qos else 0), MQTT_3_1_1) for qos in (0, 1)]


@st.composite
def nearly_right(draw: st.DrawFn) -> bytes:
    wire = bytearray(draw(st.sampled_from(WIRES + FAST)))
    for _ in range(draw(st.integers(0, 2))):
        wire[draw(st.integers(0, len(wire) - 1))] = draw(st.integers(0, 255))
    return bytes(wire)


pieces = st.lists(nearly_right() | st.binary(max_size=30), max_size=8)


@pytest.mark.slow
@settings(max_examples=150)
@given(pieces, st.sampled_from((None, MQTT_3_1_1, MQTT_5)), st.booleans())
def test_no_bytes_raise_anything(reads: list[bytes], version: int | None, alone: bool) -> None:
    world = World()
    world.control.hear_nothing = alone
    other = world.client("other")
    other.subscribe("t")
    client = world.open(MQTT_3_1_1) if version is None else world.client("fuzz", version=version)
    if version is not None:
        client.subscribe("t", "a/b")
        client.publish("t", qos=1)
        client.take()

    for read in reads:
        client.push(read)

    other.take()
    other.publish("still", qos=1)
    assert other.acks() == [0]
    assert client.connection.state.value in ("new", "open", "closed")


@settings(max_examples=60)
@given(st.lists(st.sampled_from(FAST), min_size=1, max_size=10), st.data())
def test_where_a_stream_is_split_makes_no_difference(packets: list[bytes], data: st.DataObject) -> None:
    world = World()
    world.control.hear_nothing = True
    client = world.client("a")
    client.subscribe("t")
    wire = b"".join(packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=4)))

    for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        client.push(wire[start:stop])

    found = client.take()
    assert sum(isinstance(packet, Publish) for packet in found) == len(packets)
    assert not any(isinstance(packet, Suback | Disconnect) for packet in found)
    assert not client.wire.closed


LENGTHS = st.sampled_from((0, 1, 5, 90, 110, 117, 118, 119, 120, 121, 122, 200, 16_370, 16_384, 20_000))


@settings(max_examples=150)
@given(
    st.sampled_from((MQTT_3_1_1, MQTT_5)),
    st.sampled_from((0, 1)),
    st.sampled_from((0, 1)),
    LENGTHS,
    st.integers(0, 70_000),
    st.sampled_from(("t", "a/longer/topic/t", "$aws/rules/t")),
)
def test_a_packet_alone_means_what_it_means_among_others(
    version: int, qos: int, granted: int, length: int, identifier: int, topic: str
) -> None:
    world = World()
    world.control.hear_nothing = True
    reader = world.client("reader", version=version)
    reader.subscribe(topic, qos=granted)
    wire = encode(Publish(topic, b"p" * length, qos, packet_id=9 if qos else 0), version)
    at = wire.index(topic.encode()) + len(topic)
    changed = wire[:at] + (identifier % 65_536).to_bytes(2, "big") + wire[at + 2 :] if qos else wire
    seen = []
    for alone in (True, False):
        sender = world.client(f"sender-{alone}", version=version)
        for _ in range(2):  # the first goes the long way
            sender.push(wire)
        sender.take()
        reader.messages()

        sender.push(changed if alone else PING + changed)

        answers = [packet for packet in sender.take() if not isinstance(packet, Pingresp)]
        got = [(one.topic, one.payload, one.qos) for one in reader.take() if isinstance(one, Publish)]
        seen.append((answers, got, sender.wire.closed))
        for one in reader.inbox:
            if isinstance(one, Publish) and one.qos:
                reader.send(Ack(Kind.PUBACK, one.packet_id))
    assert seen[0] == seen[1]
