"""Properties of MQTT 5: which there are, where each may stand, how each is written. Spec: MQTT 5.0 section 2.2.2.

A packet's properties are a mapping from the identifier to its value: int for bytes and integers, str, bytes; user
properties are a list of pairs in order, subscription identifiers a list of integers.
"""

# hot path

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.reasons import Reason

Properties = Mapping[int, Any]
NO_PROPERTIES: Final[Properties] = MappingProxyType({})

WILL: Final = 0  # the place "will properties", beside the packet types 1 to 15


class Property(IntEnum):
    """Property identifiers."""

    PAYLOAD_FORMAT = 0x01
    MESSAGE_EXPIRY = 0x02
    CONTENT_TYPE = 0x03
    RESPONSE_TOPIC = 0x08
    CORRELATION_DATA = 0x09
    SUBSCRIPTION_ID = 0x0B
    SESSION_EXPIRY = 0x11
    ASSIGNED_CLIENT_ID = 0x12
    SERVER_KEEP_ALIVE = 0x13
    AUTHENTICATION_METHOD = 0x15
    AUTHENTICATION_DATA = 0x16
    REQUEST_PROBLEM_INFORMATION = 0x17
    WILL_DELAY = 0x18
    REQUEST_RESPONSE_INFORMATION = 0x19
    RESPONSE_INFORMATION = 0x1A
    SERVER_REFERENCE = 0x1C
    REASON_STRING = 0x1F
    RECEIVE_MAXIMUM = 0x21
    TOPIC_ALIAS_MAXIMUM = 0x22
    TOPIC_ALIAS = 0x23
    MAXIMUM_QOS = 0x24
    RETAIN_AVAILABLE = 0x25
    USER_PROPERTY = 0x26
    MAXIMUM_PACKET_SIZE = 0x27
    WILDCARD_AVAILABLE = 0x28
    SUBSCRIPTION_IDS_AVAILABLE = 0x29
    SHARED_AVAILABLE = 0x2A


BYTE, U16, U32, VARINT, BINARY, STRING, PAIR = range(7)

_ALL: Final = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15})

# identifier -> (how it is written, where it may stand)
TABLE: Final[dict[int, tuple[int, frozenset[int]]]] = {
    0x01: (BYTE, frozenset({3, WILL})),
    0x02: (U32, frozenset({3, WILL})),
    0x03: (STRING, frozenset({3, WILL})),
    0x08: (STRING, frozenset({3, WILL})),
    0x09: (BINARY, frozenset({3, WILL})),
    0x0B: (VARINT, frozenset({3, 8})),
    0x11: (U32, frozenset({1, 2, 14})),
    0x12: (STRING, frozenset({2})),
    0x13: (U16, frozenset({2})),
    0x15: (STRING, frozenset({1, 2, 15})),
    0x16: (BINARY, frozenset({1, 2, 15})),
    0x17: (BYTE, frozenset({1})),
    0x18: (U32, frozenset({WILL})),
    0x19: (BYTE, frozenset({1})),
    0x1A: (STRING, frozenset({2})),
    0x1C: (STRING, frozenset({2, 14})),
    0x1F: (STRING, frozenset({2, 4, 5, 6, 7, 9, 11, 14, 15})),
    0x21: (U16, frozenset({1, 2})),
    0x22: (U16, frozenset({1, 2})),
    0x23: (U16, frozenset({3})),
    0x24: (BYTE, frozenset({2})),
    0x25: (BYTE, frozenset({2})),
    0x26: (PAIR, _ALL | {1, WILL}),
    0x27: (U32, frozenset({1, 2})),
    0x28: (BYTE, frozenset({2})),
    0x29: (BYTE, frozenset({2})),
    0x2A: (BYTE, frozenset({2})),
}

FLAGS: Final = frozenset({0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A})  # bytes that are 0 or 1
NOT_ZERO: Final = frozenset({0x0B, 0x21, 0x23, 0x27})  # 0 is a protocol error; an alias of 0 has its own code


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Answer the variable byte integer at that place and where it ends."""
    value = 0
    for shift in (0, 7, 14, 21):
        if at >= end:
            raise BadPacket("a length ends early")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BadPacket("a length of more than four bytes")


def write_varint(value: int) -> bytes:
    """Answer the variable byte integer; raise ValueError above 268,435,455."""
    if value < 0x80:
        return bytes((value,))
    if value > 0x0FFFFFFF:
        raise ValueError(f"{value} does not fit into four bytes of seven bits")
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_binary(data: bytes, at: int, end: int) -> tuple[bytes, int]:
    """Answer the counted bytes at that place and where they end."""
    start = at + 2
    if start > end:
        raise BadPacket("a field ends early")
    stop = start + (data[at] << 8 | data[at + 1])
    if stop > end:
        raise BadPacket("a field is longer than its packet")
    return data[start:stop], stop


def read_string(data: bytes, at: int, end: int) -> tuple[str, int]:
    """Answer the counted UTF-8 string at that place and where it ends. [MQTT-1.5.4-1] [MQTT-1.5.4-2]"""
    raw, stop = read_binary(data, at, end)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BadPacket("a string is not UTF-8") from None
    if "\0" in text:
        raise BadPacket("a string contains the null character")
    return text, stop


def write_binary(data: bytes) -> bytes:
    """Answer the bytes with their length before them; raise ValueError above 65,535."""
    if len(data) > 0xFFFF:
        raise ValueError(f"a field of {len(data)} bytes; at most 65535")
    return len(data).to_bytes(2, "big") + data


def write_string(text: str) -> bytes:
    return write_binary(text.encode())


def read_properties(data: bytes, at: int, end: int, place: int) -> tuple[Properties, int]:
    """Answer the properties at that place, without their length, and where they end."""
    length, at = read_varint(data, at, end)
    if not length:
        return NO_PROPERTIES, at
    stop = at + length
    if stop > end:
        raise BadPacket("properties are longer than their packet")
    found: dict[int, Any] = {}
    while at < stop:
        identifier = data[at]  # all that exist are below 128, so one byte
        kind, places = TABLE.get(identifier, (BYTE, frozenset()))
        if place not in places:
            raise BadPacket(f"property 0x{identifier:02x} does not belong here")
        value, at = _read_value(data, at + 1, stop, kind)
        _keep(found, identifier, value, kind, place)
    return found, stop


def _read_value(data: bytes, at: int, stop: int, kind: int) -> tuple[Any, int]:
    if kind == STRING:
        return read_string(data, at, stop)
    if kind == BINARY:
        return read_binary(data, at, stop)
    if kind == VARINT:
        return read_varint(data, at, stop)
    if kind == PAIR:
        name, at = read_string(data, at, stop)
        value, at = read_string(data, at, stop)
        return (name, value), at
    after = at + (1, 2, 4)[kind]
    if after > stop:
        raise BadPacket("a property ends early")
    return int.from_bytes(data[at:after], "big"), after


def _keep(found: dict[int, Any], identifier: int, value: Any, kind: int, place: int) -> None:
    if kind == PAIR or (identifier == Property.SUBSCRIPTION_ID and place == 3):
        if identifier == Property.SUBSCRIPTION_ID and not value:
            raise BadPacket("a subscription identifier of 0", Reason.PROTOCOL_ERROR)
        found.setdefault(identifier, []).append(value)
        return
    if identifier in found:
        raise BadPacket(f"property 0x{identifier:02x} twice", Reason.PROTOCOL_ERROR)
    if identifier in FLAGS and value > 1:
        raise BadPacket(f"property 0x{identifier:02x} is {value}", Reason.PROTOCOL_ERROR)
    if identifier in NOT_ZERO and not value:
        code = Reason.TOPIC_ALIAS_INVALID if identifier == Property.TOPIC_ALIAS else Reason.PROTOCOL_ERROR
        raise BadPacket(f"property 0x{identifier:02x} is 0", code)
    found[identifier] = [value] if identifier == Property.SUBSCRIPTION_ID else value


def write_properties(properties: Properties) -> bytes:
    """Answer the properties without their length."""
    out = bytearray()
    for identifier, value in properties.items():
        kind = TABLE[identifier][0]
        for one in value if isinstance(value, list) else (value,):
            out.append(identifier)
            if kind == STRING:
                out += write_string(one)
            elif kind == BINARY:
                out += write_binary(one)
            elif kind == VARINT:
                out += write_varint(one)
            elif kind == PAIR:
                out += write_string(one[0]) + write_string(one[1])
            else:
                out += one.to_bytes((1, 2, 4)[kind], "big")
    return bytes(out)


def user_properties(encoded: bytes) -> Sequence[tuple[str, str]]:
    """Answer the user properties among those of a PUBLISH, encoded without their length."""
    data = with_length(encoded)
    found, _ = read_properties(data, 0, len(data), 3)
    pairs: Sequence[tuple[str, str]] = found.get(Property.USER_PROPERTY, ())
    return pairs


def with_length(encoded: bytes) -> bytes:
    """Answer encoded properties with their length before them, as they stand in a packet."""
    return write_varint(len(encoded)) + encoded
