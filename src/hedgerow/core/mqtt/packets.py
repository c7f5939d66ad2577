"""The fifteen packets of MQTT, as values. Spec: MQTT 5.0 section 3, MQTT 3.1.1 section 3.

One shape for both versions: what MQTT 3.1.1 does not have is empty there (properties) or success (codes).
"""

from enum import IntEnum
from typing import NamedTuple

from hedgerow.core.mqtt.properties import NO_PROPERTIES, Properties

MQTT_3_1_1 = 4
MQTT_5 = 5


class Kind(IntEnum):
    """Packet types; the number on the wire."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class Will(NamedTuple):
    """What the server publishes when the connection ends without a DISCONNECT."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NO_PROPERTIES


class Connect(NamedTuple):
    client_id: str
    clean_start: bool = True  # MQTT 3.1.1: clean session
    keep_alive: int = 0  # seconds
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    version: int = MQTT_3_1_1
    properties: Properties = NO_PROPERTIES


class Connack(NamedTuple):
    session_present: bool
    code: int  # MQTT 3.1.1: return code; MQTT 5: reason code
    properties: Properties = NO_PROPERTIES


class Publish(NamedTuple):
    topic: str  # "" when a topic alias stands for it
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0  # 0 for QoS 0
    properties: Properties = NO_PROPERTIES


class Ack(NamedTuple):
    """PUBACK, PUBREC, PUBREL or PUBCOMP."""

    kind: Kind
    packet_id: int
    code: int = 0
    properties: Properties = NO_PROPERTIES


class Subscribe(NamedTuple):
    packet_id: int
    subscriptions: tuple[tuple[str, int], ...]  # filter, options (MQTT 5 section 3.8.3.1; MQTT 3.1.1: the QoS)
    properties: Properties = NO_PROPERTIES


class Suback(NamedTuple):
    packet_id: int
    codes: tuple[int, ...]
    properties: Properties = NO_PROPERTIES


class Unsubscribe(NamedTuple):
    packet_id: int
    filters: tuple[str, ...]
    properties: Properties = NO_PROPERTIES


class Unsuback(NamedTuple):
    packet_id: int
    codes: tuple[int, ...] = ()  # MQTT 3.1.1 has none
    properties: Properties = NO_PROPERTIES


class Pingreq(NamedTuple):
    """Are you there?"""


class Pingresp(NamedTuple):
    """Yes."""


class Disconnect(NamedTuple):
    code: int = 0
    properties: Properties = NO_PROPERTIES


class Auth(NamedTuple):
    code: int = 0
    properties: Properties = NO_PROPERTIES


Packet = (
    Connect
    | Connack
    | Publish
    | Ack
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | Auth
)
