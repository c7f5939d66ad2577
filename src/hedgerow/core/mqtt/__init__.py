"""MQTT 3.1.1 and 5 without I/O: packets, codec, session, topics. Serves the gateway and the edge's client.

A client's side: `Decoder(TO_CLIENT, version=MQTT_5)`, `feed(data)` answers packets, `encode(packet, version)` bytes.
"""

from hedgerow.core.mqtt.codec import LARGEST, PINGREQ, PINGRESP, TO_CLIENT, TO_SERVER, Decoder, encode
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.packets import (
    MQTT_3_1_1,
    MQTT_5,
    Ack,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from hedgerow.core.mqtt.properties import NO_PROPERTIES, Properties, Property
from hedgerow.core.mqtt.reasons import Reason

__all__ = [
    "LARGEST",
    "MQTT_3_1_1",
    "MQTT_5",
    "NO_PROPERTIES",
    "PINGREQ",
    "PINGRESP",
    "TO_CLIENT",
    "TO_SERVER",
    "Ack",
    "Auth",
    "BadPacket",
    "Connack",
    "Connect",
    "Decoder",
    "Disconnect",
    "Kind",
    "Packet",
    "Pingreq",
    "Pingresp",
    "Properties",
    "Property",
    "Publish",
    "Reason",
    "Suback",
    "Subscribe",
    "Unsuback",
    "Unsubscribe",
    "Will",
    "encode",
]
