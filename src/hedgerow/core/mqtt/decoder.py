"""Bytes to packets, MQTT 3.1.1 and 5, both directions.

`Decoder.feed(data)` answers all packets that a read completes. What a packet means, and whether it may come now, is the
session's business; the way back is in `encoder`. Spec: MQTT 5.0 sections 2 and 3, MQTT 3.1.1 sections 2 and 3.
"""

# hot path

from collections.abc import Callable
from typing import Final

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
from hedgerow.core.mqtt.properties import (
    NO_PROPERTIES,
    WILL,
    Properties,
    Property,
    read_binary,
    read_properties,
    read_string,
)
from hedgerow.core.mqtt.reasons import Reason

# The flags that a fixed header must have; PUBLISH carries its own. [MQTT-2.1.3-1]
FLAGS: Final = {
    1: 0, 2: 0, 4: 0, 5: 0, 6: 2, 7: 0, 8: 2, 9: 0, 10: 2, 11: 0, 12: 0, 13: 0, 14: 0, 15: 0,
}  # fmt: skip
TO_SERVER: Final = frozenset({1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15})
TO_CLIENT: Final = frozenset({2, 3, 4, 5, 6, 7, 9, 11, 13, 14, 15})
LARGEST: Final = 268_435_460


class Decoder:
    """Collects bytes and answers packets.

    `accepts` is TO_SERVER or TO_CLIENT. A client gives the version that it asked for; a server's decoder learns it from
    the CONNECT. Raises BadPacket, and only that; after it the decoder must not be used again. Packets that came before
    the bad one in the same read are in `decoded`.
    """

    __slots__ = ("_accepts", "_need", "_rest", "decoded", "max_packet", "version")

    def __init__(self, accepts: frozenset[int], *, version: int = MQTT_3_1_1, max_packet: int = LARGEST) -> None:
        self._accepts = accepts
        self._rest = bytearray()
        self._need = 0
        self.version = version
        self.max_packet = max_packet
        self.decoded: list[Packet] = []

    def feed(self, data: bytes) -> list[Packet]:
        """Answer the packets that are complete now, in order."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._need:
                return []
            data = bytes(rest)
            rest.clear()
        self._need = 0
        self.decoded = packets = []
        at, size = 0, len(data)
        while at < size:
            frame = header(data, at, size, self.max_packet)
            if frame is None:
                rest += data[at:]
                break
            body, end = frame
            if end > size:
                rest += data[at:]
                self._need = end - at
                break
            kind = data[at] >> 4
            if kind not in self._accepts:
                raise BadPacket(f"packet type {kind} is not for this side", Reason.PROTOCOL_ERROR)
            packet = decode_body(data[at], data, body, end, self.version)
            if kind == 1:
                self.version = packet.version  # type: ignore[union-attr]  # type 1 is a Connect
            packets.append(packet)
            at = end
        return packets


def header(data: bytes, at: int, size: int, max_packet: int = LARGEST) -> tuple[int, int] | None:
    """Answer where the packet's body starts and ends; None while its header is not complete."""
    length = shift = 0
    body = at + 1
    while True:
        if body >= size:
            return None
        byte = data[body]
        body += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 21:
            raise BadPacket("a length of more than four bytes")
    end = body + length
    if end - at > max_packet:
        raise BadPacket(f"a packet of {end - at} bytes; at most {max_packet}", Reason.PACKET_TOO_LARGE)
    return body, end


def decode_body(first: int, data: bytes, at: int, end: int, version: int) -> Packet:
    """Answer the packet whose first byte and body are given; raise BadPacket."""
    kind = first >> 4
    if kind == 3:
        return decode_publish(first, data, at, end, version)
    if FLAGS.get(kind) != first & 0x0F:
        raise BadPacket(f"first byte 0x{first:02x}: no such packet or reserved flags set")
    return _DECODERS[kind](kind, data, at, end, version)


def decode_publish(first: int, data: bytes, at: int, end: int, version: int) -> Publish:
    qos = first >> 1 & 3
    if qos == 3:
        raise BadPacket("QoS 3")  # [MQTT-3.3.1-4]
    if first & 0x08 and not qos:
        raise BadPacket("DUP with QoS 0")  # [MQTT-3.3.1-2]
    topic, at = read_string(data, at, end)
    packet_id = 0
    if qos:
        packet_id, at = _read_id(data, at, end)
    properties = NO_PROPERTIES
    if version == MQTT_5:
        properties, at = read_properties(data, at, end, Kind.PUBLISH)
    return Publish(topic, data[at:end], qos, bool(first & 1), bool(first & 8), packet_id, properties)


def _read_id(data: bytes, at: int, end: int) -> tuple[int, int]:
    if at + 2 > end:
        raise BadPacket("a packet identifier ends early")
    packet_id = data[at] << 8 | data[at + 1]
    if not packet_id:
        raise BadPacket("packet identifier 0", Reason.PROTOCOL_ERROR)  # [MQTT-2.2.1-3]
    return packet_id, at + 2


def _done(at: int, end: int) -> None:
    if at != end:
        raise BadPacket("bytes after the end of the packet's fields")


def _decode_connect(_kind: int, data: bytes, at: int, end: int, _version: int) -> Connect:
    name, at = read_binary(data, at, end)
    if at + 4 > end:
        raise BadPacket("CONNECT ends early")
    level, flags, keep_alive = data[at], data[at + 1], data[at + 2] << 8 | data[at + 3]
    at += 4
    if name != b"MQTT" or level not in (MQTT_3_1_1, MQTT_5):
        raise BadPacket(f"protocol {name[:16]!r} level {level}", Reason.UNSUPPORTED_PROTOCOL_VERSION)
    if flags & 1:
        raise BadPacket("CONNECT with the reserved flag set")  # [MQTT-3.1.2-3]
    properties = NO_PROPERTIES
    if level == MQTT_5:
        properties, at = _read_connect_properties(data, at, end)
    client_id, at = read_string(data, at, end)
    will = username = password = None
    if flags & 0x04:
        will, at = _read_will(flags, data, at, end, level)
    elif flags & 0x38:
        raise BadPacket("will QoS or will retain without a will")  # [MQTT-3.1.2-11]
    if flags & 0x80:
        username, at = read_string(data, at, end)
    elif flags & 0x40 and level == MQTT_3_1_1:
        raise BadPacket("a password without a user name")  # [MQTT-3.1.2-22]
    if flags & 0x40:
        password, at = read_binary(data, at, end)
    _done(at, end)
    return Connect(client_id, bool(flags & 2), keep_alive, username, password, will, level, properties)


def _read_connect_properties(data: bytes, at: int, end: int) -> tuple[Properties, int]:
    properties, at = read_properties(data, at, end, Kind.CONNECT)
    if Property.AUTHENTICATION_DATA in properties and Property.AUTHENTICATION_METHOD not in properties:
        raise BadPacket("authentication data without a method", Reason.PROTOCOL_ERROR)  # section 3.1.2.11.10
    return properties, at


def _read_will(flags: int, data: bytes, at: int, end: int, level: int) -> tuple[Will, int]:
    qos = flags >> 3 & 3
    if qos == 3:
        raise BadPacket("will QoS 3")
    properties = NO_PROPERTIES
    if level == MQTT_5:
        properties, at = read_properties(data, at, end, WILL)
    topic, at = read_string(data, at, end)
    payload, at = read_binary(data, at, end)
    return Will(topic, payload, qos, bool(flags & 0x20), properties), at


def _decode_connack(_kind: int, data: bytes, at: int, end: int, version: int) -> Connack:
    if at + 2 > end:
        raise BadPacket("CONNACK ends early")
    flags, code = data[at], data[at + 1]
    if flags > 1:
        raise BadPacket("CONNACK with reserved flags set")
    at += 2
    properties = NO_PROPERTIES
    if version == MQTT_5 and at < end:  # a server that knows no MQTT 5 answers in the old form
        properties, at = read_properties(data, at, end, Kind.CONNACK)
    _done(at, end)
    return Connack(bool(flags), code, properties)


def _decode_ack(kind: int, data: bytes, at: int, end: int, version: int) -> Ack:
    packet_id, at = _read_id(data, at, end)
    code, properties, at = _read_code(kind, data, at, end, version)
    _done(at, end)
    return Ack(Kind(kind), packet_id, code, properties)


def _read_code(kind: int, data: bytes, at: int, end: int, version: int) -> tuple[int, Properties, int]:
    """Both code and properties may be left out in MQTT 5; 3.1.1 has neither."""
    if version != MQTT_5 or at == end:
        return 0, NO_PROPERTIES, at
    code = data[at]
    at += 1
    if at == end:
        return code, NO_PROPERTIES, at
    properties, at = read_properties(data, at, end, kind)
    return code, properties, at


def _decode_subscribe(_kind: int, data: bytes, at: int, end: int, version: int) -> Subscribe:
    packet_id, at = _read_id(data, at, end)
    properties = NO_PROPERTIES
    if version == MQTT_5:
        properties, at = read_properties(data, at, end, Kind.SUBSCRIBE)
    wanted = []
    while at < end:
        topic_filter, at = read_string(data, at, end)
        if at >= end:
            raise BadPacket("SUBSCRIBE ends before its options")
        options = data[at]
        at += 1
        reserved = 0xC0 if version == MQTT_5 else 0xFC
        if options & reserved or options & 3 == 3 or options & 0x30 == 0x30:
            raise BadPacket(f"subscription options 0x{options:02x}")  # [MQTT-3.8.3-4] [MQTT-3.8.3-5]
        wanted.append((topic_filter, options))
    if not wanted:
        raise BadPacket("SUBSCRIBE without a filter", Reason.PROTOCOL_ERROR)  # [MQTT-3.8.3-2]
    return Subscribe(packet_id, tuple(wanted), properties)


def _decode_suback(_kind: int, data: bytes, at: int, end: int, version: int) -> Suback:
    packet_id, at = _read_id(data, at, end)
    properties = NO_PROPERTIES
    if version == MQTT_5:
        properties, at = read_properties(data, at, end, Kind.SUBACK)
    if at == end:
        raise BadPacket("SUBACK without a code", Reason.PROTOCOL_ERROR)
    return Suback(packet_id, tuple(data[at:end]), properties)


def _decode_unsubscribe(_kind: int, data: bytes, at: int, end: int, version: int) -> Unsubscribe:
    packet_id, at = _read_id(data, at, end)
    properties = NO_PROPERTIES
    if version == MQTT_5:
        properties, at = read_properties(data, at, end, Kind.UNSUBSCRIBE)
    filters = []
    while at < end:
        topic_filter, at = read_string(data, at, end)
        filters.append(topic_filter)
    if not filters:
        raise BadPacket("UNSUBSCRIBE without a filter", Reason.PROTOCOL_ERROR)  # [MQTT-3.10.3-2]
    return Unsubscribe(packet_id, tuple(filters), properties)


def _decode_unsuback(_kind: int, data: bytes, at: int, end: int, version: int) -> Unsuback:
    packet_id, at = _read_id(data, at, end)
    if version != MQTT_5:
        _done(at, end)
        return Unsuback(packet_id)
    properties, at = read_properties(data, at, end, Kind.UNSUBACK)
    if at == end:
        raise BadPacket("UNSUBACK without a code", Reason.PROTOCOL_ERROR)
    return Unsuback(packet_id, tuple(data[at:end]), properties)


def _decode_ping(kind: int, _data: bytes, at: int, end: int, _version: int) -> Pingreq | Pingresp:
    _done(at, end)
    return Pingreq() if kind == Kind.PINGREQ else Pingresp()


def _decode_disconnect(kind: int, data: bytes, at: int, end: int, version: int) -> Disconnect:
    code, properties, at = _read_code(kind, data, at, end, version)
    _done(at, end)
    return Disconnect(code, properties)


def _decode_auth(kind: int, data: bytes, at: int, end: int, version: int) -> Auth:
    if version != MQTT_5:
        raise BadPacket("AUTH is not of MQTT 3.1.1", Reason.PROTOCOL_ERROR)
    code, properties, at = _read_code(kind, data, at, end, version)
    _done(at, end)
    return Auth(code, properties)


_DECODERS: Final[dict[int, Callable[[int, bytes, int, int, int], Packet]]] = {
    1: _decode_connect,
    2: _decode_connack,
    4: _decode_ack,
    5: _decode_ack,
    6: _decode_ack,
    7: _decode_ack,
    8: _decode_subscribe,
    9: _decode_suback,
    10: _decode_unsubscribe,
    11: _decode_unsuback,
    12: _decode_ping,
    13: _decode_ping,
    14: _decode_disconnect,
    15: _decode_auth,
}
