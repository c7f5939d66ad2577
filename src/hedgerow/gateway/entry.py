"""The first bytes of a connection: what the client asks for decides what it gets, before TLS begins.

A port that serves several protocols looks at the ClientHello without taking it from the socket, asks who shall serve
it and with which TLS context (`Choose`), and hands the socket on.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from hedgerow.core.tls import Hello, WayIn, read_hello
from hedgerow.core.tls.hello import LONGEST

REST_S: Final = 0.01  # until the second look at a ClientHello of which a part has come; then each time twice that
LONGEST_REST_S: Final = 0.64
UNRECOGNIZED_NAME: Final = b"\x15\x03\x03\x00\x02\x02\x70"  # a fatal alert, RFC 6066 section 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a connection goes on."""

    context: ssl.SSLContext
    way: WayIn | None = None
    serve: "Serve | None" = None  # who takes the socket; None is MQTT, which the listener's own gateway speaks


Serve = Callable[[socket.socket, Entry, Hello], Awaitable[None]]
"""Take an accepted socket; returns when the handshake is over, well or not. Raises OSError when the socket fails."""

Choose = Callable[[Hello], Awaitable[Entry | None]]
"""Answer how to go on with a client that asks for this, None when nobody serves the name that it asks for."""


class Caller:
    """A socket whose ClientHello is awaited. `expire` ends the wait."""

    def __init__(self, client: socket.socket, started: float) -> None:
        self.started = started
        self._client = client
        self._waiter: asyncio.Future[None] | None = None
        self._expired = False

    async def hello(self) -> Hello:
        """Answer what the client asks for; the bytes stay in the socket. Raises OSError when it says nothing."""
        seen, rest = 0, REST_S
        while not self._expired:
            try:
                data = self._client.recv(LONGEST, socket.MSG_PEEK)
            except (BlockingIOError, InterruptedError):
                await self._readable()
                continue
            if not data:
                raise ConnectionResetError("the client hung up before TLS began")
            hello = read_hello(data) if len(data) > seen else None
            if hello is not None:
                return hello
            seen = len(data)
            await asyncio.sleep(rest)  # it can be read, but not on: asking the loop would spin
            rest = min(2 * rest, LONGEST_REST_S)
        raise TimeoutError("the client did not begin TLS in time")

    def expire(self) -> None:
        """End the wait: `hello` raises."""
        self._expired = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        loop.add_reader(self._client.fileno(), _done, waiter)
        try:
            await waiter
        finally:
            loop.remove_reader(self._client.fileno())


def _done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
