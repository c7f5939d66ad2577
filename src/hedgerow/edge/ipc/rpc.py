"""One client of the local IPC without I/O: its streams, in the event-stream RPC protocol.

Messages go in, events come out; answers are made here too. Leaves to others: the socket (`server.py`), what operations
mean (`operations.py`). Spec: Greengrass V2 IPC, event-stream RPC 0.1.0.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from hedgerow.base.errors import ProtocolViolation
from hedgerow.core.eventstream import Decoder, Message, encode, number, text

VERSION: Final = "0.1.0"
PREFIX: Final = "aws.greengrass#"
MOST_STREAMS: Final = 1024  # open at once, of one client


class Kind(IntEnum):
    """Message types."""

    APPLICATION_MESSAGE = 0
    APPLICATION_ERROR = 1
    PING = 2
    PING_RESPONSE = 3
    CONNECT = 4
    CONNECT_ACK = 5
    PROTOCOL_ERROR = 6
    INTERNAL_ERROR = 7


ACCEPTED: Final = 1
TERMINATE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """The client says who it is; wants `accept` or `refuse`."""

    token: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """An operation on a new stream; wants `answer` or `fail`."""

    stream: int
    operation: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The client ended a stream: its subscription is over."""

    stream: int


Event = Connecting | Called | Closed


class Client:
    """The protocol with one client. `output()` is what is to be sent."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._out = bytearray()
        self._connected = False
        self._last = 0
        self._open: set[int] = set()

    def output(self) -> bytes:
        """Answer the bytes to send now; they are forgotten here."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes of the client; raise ProtocolViolation when it breaks the protocol."""
        events = []
        for message in self._decoder.feed(data):
            event = self._take(message)
            if event is not None:
                events.append(event)
        return events

    def is_open(self, stream: int) -> bool:
        """Tell whether something may still be sent on the stream."""
        return stream in self._open

    def accept(self) -> None:
        """Let the client in."""
        self._connected = True
        self._send(Kind.CONNECT_ACK, ACCEPTED, 0)

    def refuse(self) -> None:
        """Do not let the client in; the shell closes."""
        self._send(Kind.CONNECT_ACK, 0, 0)

    def answer(self, stream: int, operation: str, body: Mapping[str, Any], *, ends: bool) -> None:
        """Answer an operation; `ends` unless it is a subscription, whose stream stays open."""
        self._message(stream, f"{operation}Response", body, TERMINATE if ends else 0)

    def event(self, stream: int, shape: str, body: Mapping[str, Any]) -> None:
        """Send a subscription's message, when the stream is still open."""
        if stream in self._open:
            self._message(stream, shape, body, 0)

    def fail(self, stream: int, error: str, body: Mapping[str, Any]) -> None:
        """Answer an operation with an error; that ends its stream."""
        headers = {"service-model-type": text(f"{PREFIX}{error}"), ":content-type": text("application/json")}
        self._send(Kind.APPLICATION_ERROR, TERMINATE, stream, headers, json.dumps(dict(body)).encode())
        self._open.discard(stream)

    def _take(self, message: Message) -> Event | None:
        kind, flags, stream = (message.number(name) for name in (":message-type", ":message-flags", ":stream-id"))
        if kind is None or flags is None or stream is None:
            raise ProtocolViolation("a message without :message-type, :message-flags or :stream-id")
        if kind == Kind.CONNECT:
            return self._connecting(message)
        if not self._connected:
            raise ProtocolViolation("a message before CONNECT")
        if kind == Kind.PING:
            self._send(Kind.PING_RESPONSE, 0, 0, payload=message.payload)
            return None
        if kind == Kind.PING_RESPONSE:
            return None
        if kind not in (Kind.APPLICATION_MESSAGE, Kind.APPLICATION_ERROR):
            raise ProtocolViolation(f"a message of type {kind}")
        if stream in self._open:
            return self._more(stream, flags)
        if stream <= self._last:  # it was open and has ended: what was under way then is of no use any more
            return None
        return self._called(message, stream)

    def _connecting(self, message: Message) -> Event:
        if self._connected:
            raise ProtocolViolation("a second CONNECT")
        body = _object(message.payload)
        token = body.get("authToken")
        return Connecting(token=token if isinstance(token, str) else "", version=message.text(":version"))

    def _more(self, stream: int, flags: int) -> Event | None:
        if not flags & TERMINATE:
            return None
        self._open.discard(stream)
        return Closed(stream=stream)

    def _called(self, message: Message, stream: int) -> Event:
        operation = message.text("operation")
        if not operation:
            raise ProtocolViolation("a new stream without an operation")
        if len(self._open) >= MOST_STREAMS:
            raise ProtocolViolation(f"more than {MOST_STREAMS} streams are open")
        self._last = stream
        self._open.add(stream)
        return Called(stream=stream, operation=operation.removeprefix(PREFIX), body=_object(message.payload))

    def _message(self, stream: int, shape: str, body: Mapping[str, Any], flags: int) -> None:
        headers = {"service-model-type": text(f"{PREFIX}{shape}"), ":content-type": text("application/json")}
        self._send(Kind.APPLICATION_MESSAGE, flags, stream, headers, json.dumps(dict(body)).encode())
        if flags & TERMINATE:
            self._open.discard(stream)

    def _send(
        self, kind: Kind, flags: int, stream: int, headers: Mapping[str, Any] | None = None, payload: bytes = b""
    ) -> None:
        control = {":message-type": number(kind), ":message-flags": number(flags), ":stream-id": number(stream)}
        self._out += encode(Message({**control, **(headers or {})}, payload))


def _object(payload: bytes) -> Mapping[str, Any]:
    if not payload:
        return {}
    try:
        value = json.loads(payload)
    except ValueError as error:
        raise ProtocolViolation("a payload that is not JSON") from error
    if not isinstance(value, dict):
        raise ProtocolViolation("a payload that is not a JSON object")
    return value
