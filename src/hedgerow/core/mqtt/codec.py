"""The codec, MQTT 3.1.1 and 5, both directions: `Decoder.feed(data)` answers packets, `encode(packet, version)` bytes.

What a packet means, and whether it may come now, is the session's business.
"""

from hedgerow.core.mqtt.decoder import LARGEST, TO_CLIENT, TO_SERVER, Decoder
from hedgerow.core.mqtt.encoder import (
    PINGREQ,
    PINGRESP,
    encode,
    encode_ack,
    encode_auth,
    encode_connack,
    encode_connect,
    encode_disconnect,
    encode_publish,
    encode_suback,
    encode_subscribe,
    encode_unsuback,
    encode_unsubscribe,
)

__all__ = [
    "LARGEST",
    "PINGREQ",
    "PINGRESP",
    "TO_CLIENT",
    "TO_SERVER",
    "Decoder",
    "encode",
    "encode_ack",
    "encode_auth",
    "encode_connack",
    "encode_connect",
    "encode_disconnect",
    "encode_publish",
    "encode_suback",
    "encode_subscribe",
    "encode_unsuback",
    "encode_unsubscribe",
]
