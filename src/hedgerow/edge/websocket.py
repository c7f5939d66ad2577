"""One WebSocket of a client without I/O: texts to the server, texts from it.

Bytes go in, events come out, and what is to be sent waits in `output()`. No extensions, no subprotocol, text only; a
bound on every message. Leaves to others: the socket and TLS (`vending_line.py`). Spec: RFC 6455.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from hedgerow.base.errors import ProtocolViolation

LARGEST: Final = 256 * 1024  # bytes of a message, whole
_HEADERS: Final = 16 * 1024
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FINAL, _RESERVED, _MASKED = 0x80, 0x70, 0x80


class _Kind(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True, slots=True)
class Opened:
    """The server speaks WebSocket here."""


@dataclass(frozen=True, slots=True)
class Declined:
    """It answered something else: there will be no WebSocket."""

    status: int


@dataclass(frozen=True, slots=True)
class Text:
    """A message."""

    text: str


@dataclass(frozen=True, slots=True)
class Pong:
    """The server is there."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The server ends the connection; the answer to that is in the output."""

    code: int


Event = Opened | Declined | Text | Pong | Closed


class ClientSocket:
    """One connection. `key` is 16 random bytes, `mask` makes 4 of them for each frame. [RFC 6455, 5.3]"""

    def __init__(self, *, host: str, path: str, key: bytes, mask: Callable[[], bytes]) -> None:
        self._mask = mask
        self._nonce = base64.b64encode(key)
        self._out = bytearray(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {self._nonce.decode()}\r\n\r\n".encode("ascii")
        )
        self._in = bytearray()
        self._open = False
        self._over = False
        self._parts = bytearray()  # of a message that is not whole yet
        self._fragmented = False

    def output(self) -> bytes:
        """Answer what is to be sent, once."""
        data, self._out = bytes(self._out), bytearray()
        return data

    def send(self, text: str) -> None:
        """Send a message."""
        self._frame(_Kind.TEXT, text.encode())

    def ping(self) -> None:
        """Ask whether the server is there."""
        self._frame(_Kind.PING, b"")

    def close(self) -> None:
        """Say goodbye; further frames are not looked at."""
        if self._open and not self._over:
            self._frame(_Kind.CLOSE, (1000).to_bytes(2, "big"))
        self._over = True

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server; raise ProtocolViolation for what no server may send."""
        self._in += data
        events: list[Event] = []
        if not self._open and not self._over:
            events += self._answer()
        while self._open and not self._over and (frame := self._next()) is not None:
            events += self._take(*frame)
        return events

    def _answer(self) -> list[Event]:
        head, end, rest = bytes(self._in).partition(b"\r\n\r\n")
        if not end:
            if len(self._in) > _HEADERS:
                raise ProtocolViolation("the answer's headers have no end")
            return []
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdecimal():
            raise ProtocolViolation("the answer is not HTTP")
        if words[1] != "101":
            self._over = True
            return [Declined(int(words[1]))]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        proof = base64.b64encode(hashlib.sha1(self._nonce + _MAGIC, usedforsecurity=False).digest()).decode()
        if headers.get("sec-websocket-accept") != proof:
            raise ProtocolViolation("the answer to the upgrade is for another request")
        self._open = True
        self._in = bytearray(rest)
        return [Opened()]

    def _next(self) -> tuple[bool, int, bytes] | None:
        """Answer the next frame whole: whether it is a message's last, its kind, its content; None while it is not."""
        data = self._in
        if len(data) < 2:
            return None
        if data[0] & _RESERVED or data[1] & _MASKED:
            raise ProtocolViolation("a frame that no server may send")
        size, begin = data[1], 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            if len(data) < begin:
                return None
            size = int.from_bytes(data[2:begin], "big")
        if size > LARGEST:
            raise ProtocolViolation(f"a frame of {size} bytes")
        if len(data) < begin + size:
            return None
        frame = bool(data[0] & _FINAL), data[0] & 0x0F, bytes(data[begin : begin + size])
        del data[: begin + size]
        return frame

    def _take(self, final: bool, kind: int, content: bytes) -> list[Event]:
        if kind >= _Kind.CLOSE and (not final or len(content) > 125):
            raise ProtocolViolation("a control frame in parts, or too long")
        match kind:
            case _Kind.TEXT | _Kind.CONTINUATION:
                return self._part(final, kind, content)
            case _Kind.PING:
                self._frame(_Kind.PONG, content)
                return []
            case _Kind.PONG:
                return [Pong()]
            case _Kind.CLOSE:
                code = int.from_bytes(content[:2], "big") if len(content) >= 2 else 1005
                self.close()
                return [Closed(code)]
            case _:
                raise ProtocolViolation(f"a frame of the kind {kind}, which is not text")

    def _part(self, final: bool, kind: int, content: bytes) -> list[Event]:
        if (kind == _Kind.CONTINUATION) != self._fragmented:
            raise ProtocolViolation("parts of messages out of order")
        self._parts += content
        self._fragmented = not final
        if len(self._parts) > LARGEST:
            raise ProtocolViolation(f"a message of more than {LARGEST} bytes")
        if not final:
            return []
        whole, self._parts = bytes(self._parts), bytearray()
        try:
            return [Text(whole.decode("utf-8"))]
        except UnicodeDecodeError as error:
            raise ProtocolViolation("a text that is not UTF-8") from error

    def _frame(self, kind: _Kind, content: bytes) -> None:
        size = len(content)
        if size < 126:
            length = bytes((_MASKED | size,))
        elif size < 65536:
            length = bytes((_MASKED | 126,)) + size.to_bytes(2, "big")
        else:
            length = bytes((_MASKED | 127,)) + size.to_bytes(8, "big")
        mask = self._mask()
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))
        self._out += bytes((_FINAL | kind,)) + length + mask + masked
