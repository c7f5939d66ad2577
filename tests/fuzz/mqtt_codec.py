"""A fuzz target for the MQTT codec: any bytes are packets, "need more", or one protocol error, however they are cut.

With coverage to guide it: `pip install atheris`, then `python -m tests.fuzz.mqtt_codec -max_total_time=600 [folder]`
(libFuzzer's arguments). `make test` runs the target by chance, `make soak` for longer.
"""

import sys
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.core.mqtt import MQTT_3_1_1, MQTT_5, TO_CLIENT, TO_SERVER, BadPacket, Connect, Decoder, Publish, encode
from hedgerow.core.mqtt.packets import Packet

LARGEST: Final = 65_536
"""Larger packets are refused here, so that a length alone makes nobody wait."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some bytes: the packets before the error, and its reason code when there was one."""

    packets: tuple[Packet, ...]
    error: int | None


def one_input(data: bytes) -> None:
    """Decode the bytes whole and cut in two; encode what came out and decode it again. Raise when a law is broken.

    The first byte chooses direction and version, the second the cut.
    """
    if len(data) < 2:
        return
    side = TO_SERVER if data[0] & 1 else TO_CLIENT
    version = MQTT_5 if data[0] & 2 else MQTT_3_1_1
    wire, cut = data[2:], data[1]
    whole = outcome(side, version, wire)
    assert outcome(side, version, wire[:cut], wire[cut:]) == whole
    for packet in whole.packets:
        version = packet.version if isinstance(packet, Connect) else version
        _goes_around(packet, side, version)


def outcome(side: frozenset[int], version: int, *pieces: bytes) -> Outcome:
    """Answer what comes of the pieces, fed one after another."""
    decoder = Decoder(side, version=version, max_packet=LARGEST)
    packets: list[Packet] = []
    for piece in pieces:
        try:
            packets += decoder.feed(piece)
        except BadPacket as error:
            return Outcome((*packets, *decoder.decoded), int(error.code))
    return Outcome(tuple(packets), None)


def _goes_around(packet: Packet, side: frozenset[int], version: int) -> None:
    if isinstance(packet, Publish) and not packet.topic and version == MQTT_3_1_1:
        return  # only an alias may stand for a topic
    (again,) = _around(packet, side, version)  # codes that a version does not have become those that it has
    assert type(again) is type(packet)
    assert _around(again, side, version) == (again,)


def _around(packet: Packet, side: frozenset[int], version: int) -> tuple[Packet, ...]:
    found = outcome(side, version, encode(packet, version))
    assert found.error is None
    return found.packets


if __name__ == "__main__":
    from importlib import import_module

    atheris: Any = import_module("atheris")  # only where it was installed for this

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
