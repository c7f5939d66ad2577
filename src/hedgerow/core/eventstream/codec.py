"""Messages to bytes and bytes to messages.

A message is: total length, length of the headers, checksum of these eight bytes, headers, payload, checksum of all
before it. All numbers are big-endian. Spec: smithy.io, "Amazon event stream specification".
"""

import struct
from typing import Final
from zlib import crc32

from hedgerow.base.errors import ProtocolViolation
from hedgerow.core.eventstream.message import Header, HeaderType, Message, Value

LARGEST: Final = 24 * 1024 * 1024
MOST_HEADER_BYTES: Final = 128 * 1024
_PRELUDE: Final = struct.Struct(">III")
_OVERHEAD: Final = 16
_INTEGERS: Final = {
    HeaderType.BYTE: struct.Struct(">b"),
    HeaderType.INT16: struct.Struct(">h"),
    HeaderType.INT32: struct.Struct(">i"),
    HeaderType.INT64: struct.Struct(">q"),
    HeaderType.TIMESTAMP: struct.Struct(">q"),
}


class BadMessage(ProtocolViolation):
    """Bytes that are no message. The stream cannot be read any further."""


class Decoder:
    """Collects bytes and answers messages. Raises BadMessage, and only that."""

    def __init__(self, *, largest: int = LARGEST) -> None:
        self._rest = bytearray()
        self._largest = largest

    def feed(self, data: bytes) -> list[Message]:
        """Answer the messages that are complete now, in order."""
        rest = self._rest
        rest += data
        messages: list[Message] = []
        while len(rest) >= _PRELUDE.size:
            total, headers, checksum = _PRELUDE.unpack_from(rest)
            if crc32(rest[:8]) != checksum:
                raise BadMessage("the checksum of the prelude is wrong")
            if not _OVERHEAD + headers <= total <= self._largest or headers > MOST_HEADER_BYTES:
                raise BadMessage(f"a message of {total} bytes with {headers} bytes of headers")
            if len(rest) < total:
                break
            messages.append(_message(bytes(rest[:total]), headers))
            del rest[:total]
        return messages


def encode(message: Message) -> bytes:
    """Answer the message's bytes; raise ValueError when it does not fit."""
    headers = b"".join(_header(name, header) for name, header in message.headers.items())
    total = _OVERHEAD + len(headers) + len(message.payload)
    if total > LARGEST or len(headers) > MOST_HEADER_BYTES:
        raise ValueError(f"a message of {total} bytes with {len(headers)} bytes of headers")
    prelude = struct.pack(">II", total, len(headers))
    start = prelude + crc32(prelude).to_bytes(4, "big") + headers + message.payload
    return start + crc32(start).to_bytes(4, "big")


def _message(data: bytes, length: int) -> Message:
    if crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise BadMessage("the checksum of the message is wrong")
    at, end = _PRELUDE.size, _PRELUDE.size + length
    headers: dict[str, Header] = {}
    while at < end:
        name, at = _counted(data, at, end, 1)
        if at >= end:
            raise BadMessage("a header ends before its type")
        try:
            kind = HeaderType(data[at])
            key = name.decode()
        except ValueError as error:
            raise BadMessage(f"a header that cannot be read: {error}") from error
        value, at = _read_value(data, at + 1, end, kind)
        headers[key] = Header(kind, value)
    return Message(headers, data[end:-4])


def _read_value(data: bytes, at: int, end: int, kind: HeaderType) -> tuple[Value, int]:
    if kind in (HeaderType.TRUE, HeaderType.FALSE):
        return kind is HeaderType.TRUE, at
    if kind in _INTEGERS:
        form = _INTEGERS[kind]
        if at + form.size > end:
            raise BadMessage("a header ends early")
        return form.unpack_from(data, at)[0], at + form.size
    if kind is HeaderType.UUID:
        if at + 16 > end:
            raise BadMessage("a header ends early")
        return data[at : at + 16], at + 16
    value, at = _counted(data, at, end, 2)
    if kind is HeaderType.BYTES:
        return value, at
    try:
        return value.decode(), at
    except UnicodeDecodeError as error:
        raise BadMessage("a text that is not UTF-8") from error


def _counted(data: bytes, at: int, end: int, size: int) -> tuple[bytes, int]:
    start = at + size
    stop = start + int.from_bytes(data[at:start], "big")
    if start > end or stop > end:
        raise BadMessage("a header ends early")
    return data[start:stop], stop


def _header(name: str, header: Header) -> bytes:
    key = name.encode()
    if not 0 < len(key) < 256:
        raise ValueError(f"a header's name has 1 to 255 bytes, not {len(key)}")
    start = bytes((len(key),)) + key + bytes((header.type,))
    if header.type in (HeaderType.TRUE, HeaderType.FALSE):
        return start
    form = _INTEGERS.get(header.type)
    if form is not None:
        return start + form.pack(header.value)
    value = header.value.encode() if isinstance(header.value, str) else header.value
    if not isinstance(value, bytes):
        raise ValueError(f"the header {name} has a value of the wrong type")
    if header.type is HeaderType.UUID:
        if len(value) != 16:
            raise ValueError("a UUID has 16 bytes")
        return start + value
    return start + len(value).to_bytes(2, "big") + value
