"""The sockets of a listener, behind one epoll: read in one go per turn of the loop, written at once when possible.

A transport of the loop costs twice as much for a client that sends one packet at a time, which is what most devices do:
a callback, a buffer and a queued write for each. Here the loop sees one descriptor. A `Socket` has the part of
`asyncio.Transport` that `tls` uses and calls an `asyncio.Protocol` in the same order.
Edge-triggered: a read that did not fill its buffer has emptied the socket, and the next arrival is told again.
"""

# hot path

from __future__ import annotations

import asyncio
import select
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from hedgerow.base.log import get_logger

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from hedgerow.gateway.outbox import Outbox

log = get_logger("gateway.sockets")

AVAILABLE: Final = hasattr(select, "epoll")
READ: Final = 65_536  # from one socket in one turn
READY: Final = 256  # sockets in one turn
ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR if AVAILABLE else 0
ARRIVED: Final = select.EPOLLIN | ENDED if AVAILABLE else 0
HIGH: Final = 65_536  # bytes that wait for a slow reader until its protocol is told, unless it said otherwise

NOBODY: Final = asyncio.Protocol()


class Sockets:
    """See the module. Made on a running loop. What is collected while sockets are read is written right after them."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._open: dict[int, Socket] = {}
        self._ending = False
        self._again: list[Socket] = []  # with more to read than one turn allows, or to read after a pause
        self._buffer = bytearray(READ)
        self._view = memoryview(self._buffer)
        self._loop.add_reader(self._epoll.fileno(), self._ready)

    def attach(self, one: socket.socket, protocol: asyncio.Protocol, peername: Any) -> None:
        """Read from a connected socket into a protocol. What cannot be watched is lost at once."""
        made = Socket(self, self._loop, one, protocol, peername)
        self._open[one.fileno()] = made
        protocol.connection_made(made)  # type: ignore[arg-type]  # it has the part of a transport that is used
        try:
            self._epoll.register(one, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
        except OSError as error:  # the system watches no more for this user
            made.fail(error)

    def detach(self, one: Socket, fd: int) -> None:
        if self._open.get(fd) is one:
            del self._open[fd]
            with suppress(OSError):
                self._epoll.unregister(fd)
            if self._ending:
                self.close()

    def again(self, one: Socket) -> None:
        """Read from it in the next turn."""
        self._again.append(one)
        if len(self._again) == 1:
            self._loop.call_soon(self._read_again)

    def close(self) -> None:
        """Watch nothing any more as soon as the last socket is gone; repeating does nothing."""
        self._ending = True
        if not self._open and not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _ready(self) -> None:
        opened, outbox = self._open, self._outbox
        outbox.held = True
        for fd, events in self._epoll.poll(0, READY):
            one = opened.get(fd)
            if one is None:
                continue
            try:
                if one.backlog:
                    one.flush()
                if events & ARRIVED:
                    if events & ENDED:
                        one.ending = True
                    if one.reading:
                        self._read(one)
                    else:
                        one.readable = True
            except Exception as error:  # the protocol's border: one client's trouble must not be all clients'
                log.exception("a connection failed")
                one.fail(error)
        outbox.held = False
        if outbox.waiting:
            outbox.flush()

    def _read_again(self) -> None:
        waiting, self._again = self._again, []
        for one in waiting:
            try:
                if one.reading and one.readable:
                    self._read(one)
            except Exception as error:  # as above
                log.exception("a connection failed")
                one.fail(error)

    def _read(self, one: Socket) -> None:
        try:
            size = one.receive(self._buffer)
        except (BlockingIOError, InterruptedError):
            one.readable = False
            return
        except OSError as error:
            one.fail(error)
            return
        if not size:
            one.ended()
            return
        one.received(self._view[:size])
        one.readable = size == READ or one.ending
        if one.readable:
            self.again(one)


class Socket:
    """One connected socket, as its protocol sees it. After `close` or a failure nothing is read or taken any more."""

    __slots__ = (
        "_closing",
        "_fd",
        "_high",
        "_loop",
        "_lost",
        "_low",
        "_paused",
        "_peername",
        "_send",
        "_size",
        "_socket",
        "_sockets",
        "backlog",
        "ending",
        "protocol",
        "readable",
        "reading",
        "receive",
        "received",
    )

    def __init__(
        self,
        sockets: Sockets,
        loop: asyncio.AbstractEventLoop,
        one: socket.socket,
        protocol: asyncio.Protocol,
        peername: Any,
    ) -> None:
        self._sockets = sockets
        self._loop = loop
        self._socket = one
        self._fd = one.fileno()
        self._send = one.send
        self._peername = peername
        self._high, self._low = HIGH, HIGH // 4
        self._closing = False
        self._lost = False
        self._paused = False  # the protocol was told to write less
        self._size = 0
        self.receive = one.recv_into
        self.received: Callable[[Any], None] = protocol.data_received
        self.protocol = protocol
        self.backlog: deque[memoryview] = deque()  # what the peer has not taken yet; its protocol bounds it
        self.readable = False
        self.reading = True
        self.ending = False  # the peer has said its last word, or the socket is broken

    # --- what the protocol calls

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return self._peername
        return self._socket.getsockname() if name == "sockname" else default

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        self._high, self._low = high, low

    def get_write_buffer_size(self) -> int:
        return self._size

    def is_closing(self) -> bool:
        return self._closing

    def write(self, data: bytes) -> None:
        if self._lost or not data:
            return
        sent = 0
        if not self.backlog:
            try:
                sent = self._send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self.fail(error)
                return
            if sent == len(data):
                return
        self.backlog.append(memoryview(data)[sent:])
        self._size += len(data) - sent
        if self._size > self._high and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        if not self.reading and not self._closing:
            self.reading = True
            if self.readable:
                self._sockets.again(self)

    def close(self) -> None:
        """Send what was written, then close."""
        if not self._closing:
            self._closing = True
            self.reading = False
            if not self.backlog:
                self._lose(None)

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._lose(None)

    # --- what the sockets call

    def flush(self) -> None:
        """Send what waits."""
        backlog = self.backlog
        try:
            while backlog:
                first = backlog[0]
                sent = self._send(first)
                self._size -= sent
                if sent < len(first):
                    backlog[0] = first[sent:]
                    break
                backlog.popleft()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self.fail(error)
            return
        if self._paused and self._size <= self._low:
            self._paused = False
            self.protocol.resume_writing()
        if self._closing and not backlog:
            self._lose(None)

    def ended(self) -> None:
        """The peer says nothing more."""
        self.reading = False
        if not self.protocol.eof_received():
            self.close()

    def fail(self, error: Exception) -> None:
        """The socket is broken."""
        self._closing = True
        self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        """Tell the protocol in a later turn: it may be in the middle of something."""
        if not self._lost:
            self._lost = True
            self.reading = False
            self.backlog.clear()
            self._size = 0
            self._sockets.detach(self, self._fd)
            self._loop.call_soon(self._end, error)

    def _end(self, error: Exception | None) -> None:
        try:
            self.protocol.connection_lost(error)
        finally:
            self._socket.close()
            self.protocol = NOBODY  # no circle of references is left behind
            self.received = NOBODY.data_received
