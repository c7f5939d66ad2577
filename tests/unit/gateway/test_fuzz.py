"""Whatever bytes come, the connection answers or closes; nothing is raised, nobody else is touched."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, TO_SERVER, Disconnect, Publish, Suback, encode
from tests.unit.core.mqtt.vectors import VECTORS
from tests.unit.gateway.world import World

WIRES = [vector.wire for vector in VECTORS if vector.side is TO_SERVER]
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
