"""The fuzz target of the codec, by chance: bytes of any kind, and packets with bytes changed."""

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.mqtt import MQTT_5, TO_SERVER
from tests.fuzz.mqtt_codec import one_input
from tests.unit.core.mqtt.vectors import VECTORS, Vector

CHOICES = st.integers(0, 3)
CUTS = st.integers(0, 255)


@given(CHOICES, CUTS, st.binary(max_size=200))
def test_any_bytes_are_packets_or_need_more_or_are_one_error(choice: int, cut: int, data: bytes) -> None:
    one_input(bytes((choice, cut)) + data)


@given(st.data(), CUTS, st.lists(st.sampled_from(VECTORS), min_size=1, max_size=4))
def test_packets_with_some_bytes_changed_are_too(data: st.DataObject, cut: int, vectors: list[Vector]) -> None:
    first = vectors[0]
    choice = (1 if first.side == TO_SERVER else 0) | (2 if first.version == MQTT_5 else 0)
    wire = bytearray(b"".join(vector.wire for vector in vectors if vector.side == first.side))
    for at in data.draw(st.lists(st.integers(0, len(wire) - 1), max_size=3)):
        wire[at] = data.draw(st.integers(0, 255))

    one_input(bytes((choice, cut)) + bytes(wire))
