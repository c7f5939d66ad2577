"""Reads the ClientHello: the server name and the application protocols that a client asks for.

Only looks: the handshake is OpenSSL's, which gets the same bytes. What is no ClientHello is answered as one that asks
for nothing, so that OpenSSL says what is wrong with it.
Spec: RFC 8446 section 4.1.2 (RFC 5246 section 7.4.1.2 has the same shape), RFC 6066 section 3, RFC 7301 section 3.1.
"""

from dataclasses import dataclass
from typing import Final

LONGEST: Final = 16_384  # bytes of a ClientHello that are waited for; one with every extension there is has 2,000
RECORDS: Final = 32  # that it may be cut into; more of them are there to keep us busy

_HANDSHAKE: Final = 22
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_ALPN: Final = 16


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client asks for."""

    server_name: str | None = None  # in lower case, without a dot at the end
    protocols: tuple[str, ...] = ()  # ALPN, in the client's order


class _Short(Exception):
    """The message ends within a field."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise _Short
        taken, self._at = self._data[self._at : end], end
        return taken

    def block(self, size: int) -> bytes:
        """Take a field that says its length in so many bytes."""
        return self.take(self.number(size))

    @property
    def left(self) -> bool:
        return self._at < len(self._data)


def read_hello(data: bytes) -> Hello | None:
    """Answer what the client asks for; None when more bytes are needed to say."""
    try:
        message = _message(data)
    except _Short:
        return None if len(data) < LONGEST else Hello()
    if message is None:
        return Hello()
    try:
        return _read(_Reader(message))
    except _Short:
        return Hello()


def _message(data: bytes) -> bytes | None:
    """Put the handshake message together from its records; None when this is something else. Raises _Short."""
    reader, message = _Reader(data), b""
    for _ in range(RECORDS):
        if reader.number(1) != _HANDSHAKE:
            return None
        if reader.number(1) != 3:  # the major version of every TLS
            return None
        reader.take(1)
        piece = reader.block(2)
        message += piece
        if not piece or message[0] != _CLIENT_HELLO:
            return None
        if len(message) >= 4:
            size = 4 + int.from_bytes(message[1:4], "big")
            if size > LONGEST:
                return None
            if len(message) >= size:
                return message[4:size]
    return None


def _read(body: _Reader) -> Hello:
    body.take(2 + 32)  # version, random
    body.block(1)  # session id
    body.block(2)  # cipher suites
    body.block(1)  # compression methods
    if not body.left:
        return Hello()
    extensions = _Reader(body.block(2))
    name: str | None = None
    protocols: tuple[str, ...] = ()
    while extensions.left:
        kind, content = extensions.number(2), extensions.block(2)
        if kind == _SERVER_NAME and name is None:
            name = _name(_Reader(content))
        elif kind == _ALPN and not protocols:
            protocols = _protocols(_Reader(content))
    return Hello(name, protocols)


def _name(content: _Reader) -> str | None:
    names = _Reader(content.block(2))
    while names.left:
        kind, raw = names.number(1), names.block(2)
        if kind == 0:
            text = raw.decode("ascii", "replace").lower().removesuffix(".")
            return text or None
    return None


def _protocols(content: _Reader) -> tuple[str, ...]:
    offered, found = _Reader(content.block(2)), []
    while offered.left:
        found.append(offered.block(1).decode("latin-1"))
    return tuple(found)
