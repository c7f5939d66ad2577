"""The fuzz target of the MQTT codec, for a minute, from the packets that its tests know."""

import random
import time
from typing import Final

import pytest

from hedgerow.core.mqtt import MQTT_5, TO_SERVER
from tests.fuzz.mqtt_codec import one_input
from tests.unit.core.mqtt.vectors import VECTORS

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]
SECONDS: Final = 60.0


def test_the_codec_keeps_its_laws_for_a_minute_of_chance() -> None:
    chance, ended, inputs = random.Random(20261121), time.monotonic() + SECONDS, 0
    while time.monotonic() < ended:
        vectors = chance.choices(VECTORS, k=chance.randint(1, 5))
        choice = (1 if vectors[0].side == TO_SERVER else 0) | (2 if vectors[0].version == MQTT_5 else 0)
        wire = bytearray(b"".join(vector.wire for vector in vectors))
        for _ in range(chance.randint(0, 4)):
            wire[chance.randrange(len(wire))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        if chance.random() < 0.2:
            del wire[chance.randrange(len(wire)) :]
        one_input(bytes((choice, chance.randrange(256))) + bytes(wire))
        inputs += 1

    assert inputs > 10_000
