"""Packets to bytes, MQTT 3.1.1 and 5, both directions.

`encode(packet, version)` for any packet; the `encode_*` functions for one kind without making a value first.
Spec: MQTT 5.0 sections 2 and 3, MQTT 3.1.1 sections 2 and 3.
"""

# hot path

from collections.abc import Iterable
from typing import Final

from hedgerow.core.mqtt.decoder import FLAGS
from hedgerow.core.mqtt.packets import (
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
)
from hedgerow.core.mqtt.properties import (
    NO_PROPERTIES,
    Properties,
    with_length,
    write_binary,
    write_properties,
    write_string,
    write_varint,
)

PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"


def _packet(first: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((first,)) + write_varint(len(body)) + body


def _properties(properties: Properties, version: int) -> bytes:
    if version != MQTT_5:
        return b""
    return with_length(write_properties(properties)) if properties else b"\0"


def encode_connect(packet: Connect) -> bytes:
    will = packet.will
    flags = packet.clean_start << 1
    parts = [write_string(packet.client_id)]
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        parts += [_properties(will.properties, packet.version), write_string(will.topic), write_binary(will.payload)]
    if packet.username is not None:
        flags |= 0x80
        parts.append(write_string(packet.username))
    if packet.password is not None:
        flags |= 0x40
        parts.append(write_binary(packet.password))
    start = b"\0\x04MQTT" + bytes((packet.version, flags)) + packet.keep_alive.to_bytes(2, "big")
    return _packet(0x10, start, _properties(packet.properties, packet.version), *parts)


def encode_connack(session_present: bool, code: int, version: int, properties: Properties = NO_PROPERTIES) -> bytes:
    """In MQTT 3.1.1 the code is the return code (`reasons.CONNACK_V3`)."""
    return _packet(0x20, bytes((session_present, code)), _properties(properties, version))


def encode_publish(
    topic: str,
    payload: bytes,
    version: int,
    *,
    qos: int = 0,
    retain: bool = False,
    dup: bool = False,
    packet_id: int = 0,
    properties: Properties = NO_PROPERTIES,
) -> bytes:
    return _packet(
        0x30 | dup << 3 | qos << 1 | retain,
        write_string(topic),
        packet_id.to_bytes(2, "big") if qos else b"",
        _properties(properties, version),
        payload,
    )


def encode_ack(
    kind: Kind, packet_id: int, version: int, code: int = 0, properties: Properties = NO_PROPERTIES
) -> bytes:
    """PUBACK, PUBREC, PUBREL or PUBCOMP; MQTT 3.1.1 has no code, so a refusal cannot be said there."""
    first = kind << 4 | FLAGS[kind]
    start = packet_id.to_bytes(2, "big")
    if version != MQTT_5 or not (code or properties):
        return bytes((first, 2)) + start
    return _packet(first, start, bytes((code,)), _properties(properties, version) if properties else b"")


def encode_subscribe(
    packet_id: int,
    subscriptions: Iterable[tuple[str, int]],
    version: int,
    properties: Properties = NO_PROPERTIES,
) -> bytes:
    parts = [write_string(topic_filter) + bytes((options,)) for topic_filter, options in subscriptions]
    return _packet(0x82, packet_id.to_bytes(2, "big"), _properties(properties, version), *parts)


def encode_suback(packet_id: int, codes: Iterable[int], version: int, properties: Properties = NO_PROPERTIES) -> bytes:
    """In MQTT 3.1.1 every code above 2 is said as 0x80."""
    said = bytes(codes) if version == MQTT_5 else bytes(min(code, 0x80) for code in codes)
    return _packet(0x90, packet_id.to_bytes(2, "big"), _properties(properties, version), said)


def encode_unsubscribe(
    packet_id: int, filters: Iterable[str], version: int, properties: Properties = NO_PROPERTIES
) -> bytes:
    parts = [write_string(topic_filter) for topic_filter in filters]
    return _packet(0xA2, packet_id.to_bytes(2, "big"), _properties(properties, version), *parts)


def encode_unsuback(
    packet_id: int, codes: Iterable[int], version: int, properties: Properties = NO_PROPERTIES
) -> bytes:
    if version != MQTT_5:
        return b"\xb0\x02" + packet_id.to_bytes(2, "big")
    return _packet(0xB0, packet_id.to_bytes(2, "big"), _properties(properties, version), bytes(codes))


def encode_disconnect(version: int, code: int = 0, properties: Properties = NO_PROPERTIES) -> bytes:
    """A server must not send one to a client of MQTT 3.1.1."""
    if version != MQTT_5 or not (code or properties):
        return b"\xe0\x00"
    return _packet(0xE0, bytes((code,)), _properties(properties, version) if properties else b"")


def encode_auth(code: int = 0, properties: Properties = NO_PROPERTIES) -> bytes:
    if not (code or properties):
        return b"\xf0\x00"
    return _packet(0xF0, bytes((code,)), _properties(properties, MQTT_5))


def encode(packet: Packet, version: int) -> bytes:  # noqa: C901  # one line for each packet
    """Answer the packet's bytes; a Connect carries its own version."""
    match packet:
        case Publish(topic, payload, qos, retain, dup, packet_id, properties):
            return encode_publish(
                topic, payload, version, qos=qos, retain=retain, dup=dup, packet_id=packet_id, properties=properties
            )
        case Ack(kind, packet_id, code, properties):
            return encode_ack(kind, packet_id, version, code, properties)
        case Connect():
            return encode_connect(packet)
        case Connack(present, code, properties):
            return encode_connack(present, code, version, properties)
        case Subscribe(packet_id, subscriptions, properties):
            return encode_subscribe(packet_id, subscriptions, version, properties)
        case Suback(packet_id, codes, properties):
            return encode_suback(packet_id, codes, version, properties)
        case Unsubscribe(packet_id, filters, properties):
            return encode_unsubscribe(packet_id, filters, version, properties)
        case Unsuback(packet_id, codes, properties):
            return encode_unsuback(packet_id, codes, version, properties)
        case Pingreq():
            return PINGREQ
        case Pingresp():
            return PINGRESP
        case Disconnect(code, properties):
            return encode_disconnect(version, code, properties)
        case Auth(code, properties):
            return encode_auth(code, properties)
