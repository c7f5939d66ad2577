"""The HTTP listener of one instance's Runtime API: loopback only, a port from the kernel, h11 on asyncio.

Knows HTTP and nothing of what the calls mean (`runtime_api`). One listener belongs to one instance and is closed with
it. Every process of the host can reach its port, but only the instance's own are heard: others would take its events.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Self, cast

import h11

from hedgerow.base.log import get_logger
from hedgerow.functions.model import MAX_PAYLOAD
from hedgerow.functions.peers import Address
from hedgerow.functions.runtime_api import Call, Reply, RuntimeApi, refusal

log = get_logger("functions")

MAX_HEAD: Final = 2 * 1024 * 1024  # bytes; the cause that runtimes send for X-Ray may be 1 MB in a header
MAX_DISCARDED: Final = 64 * 1024 * 1024  # bytes of a too long body that are read before the connection is cut
MAX_CONNECTIONS: Final = 32  # open at once; more are closed unheard


class Listener:
    """Serves a RuntimeApi."""

    def __init__(self, api: RuntimeApi, *, is_ours: Callable[[Address, Address], bool]) -> None:
        """`is_ours` tells by a connection's two ends (client, server) whether it is the instance's."""
        self._api = api
        self._is_ours = is_ours
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._parked: _Connection | None = None
        self.address = ""
        """`host:port`, the value of AWS_LAMBDA_RUNTIME_API."""
        self.strangers = 0

    async def open(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        return self

    def close(self) -> None:
        """Stop listening and cut all connections. May be called twice."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._connections):
            connection.cut()

    def deliver(self, reply: Reply) -> bool:
        """Send the reply that a parked `next` waits for; False when its connection is gone."""
        parked, self._parked = self._parked, None
        if parked is None:
            return False
        parked.send(reply)
        return True

    def _opened(self, connection: "_Connection") -> bool:
        if self._server is None or len(self._connections) >= MAX_CONNECTIONS:
            return False
        if not self._is_ours(*connection.ends()):
            if not self.strangers:
                log.warning("a stranger called a Runtime API", extra={"fields": {"address": self.address}})
            self.strangers += 1
            return False
        self._connections.add(connection)
        return True

    def _closed(self, connection: "_Connection", unfinished: Call | None) -> None:
        self._connections.discard(connection)
        if self._parked is connection:
            self._parked = None
            self._api.unparked()
        if unfinished is not None:
            self._api.truncated(unfinished)

    def _called(self, connection: "_Connection", call: Call) -> None:
        # Only the connection that asked last is told; a runtime has one loop.
        if (call.method, call.path.endswith("/invocation/next")) == ("GET", True):
            self._parked = connection
        reply = self._api.receive(call)
        if reply is not None:
            if self._parked is connection:
                self._parked = None
            connection.send(reply)


class _Connection(asyncio.Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._transport: asyncio.Transport | None = None
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        if not self._listener._opened(self):  # noqa: SLF001  # the listener and its connections are one
            self._transport.abort()

    def ends(self) -> tuple[Address, Address]:
        """Answer the client's and our address."""
        assert self._transport is not None  # noqa: S101  # narrows the type; it was made
        return self._transport.get_extra_info("peername"), self._transport.get_extra_info("sockname")

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._pump()

    def eof_received(self) -> bool:
        self._http.receive_data(b"")
        self._pump()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener._closed(self, self._call() if self._head is not None else None)  # noqa: SLF001

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def send(self, reply: Reply) -> None:
        """Answer the current request; then the next one on this connection is read."""
        if self._transport is None or self._transport.is_closing():
            return
        headers = [("Content-Length", str(len(reply.body))), *reply.headers]
        if not any(name == "Content-Type" for name, _ in reply.headers):
            headers.append(("Content-Type", "application/json"))
        head = h11.Response(status_code=reply.status, headers=headers)
        parts = (head, h11.Data(data=reply.body), h11.EndOfMessage())
        self._transport.write(b"".join(self._http.send(part) or b"" for part in parts))
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
        else:
            self._http.start_next_cycle()
            self._pump()

    def _pump(self) -> None:
        try:
            while self._step(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self.send(refusal(error.error_status_hint, "InvalidRequest", str(error)))
            if self._transport is not None:
                self._transport.close()

    def _step(self, event: object) -> bool:
        match event:
            case h11.Request():
                self._head, self._size = event, 0
                self._body.clear()
                if self._http.they_are_waiting_for_100_continue and self._transport is not None:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    self._transport.write(self._http.send(go_on) or b"")
            case h11.Data():
                self._size += len(event.data)
                if self._size <= MAX_PAYLOAD:
                    self._body += event.data
                elif self._size > MAX_DISCARDED:
                    self.cut()
                    return False
            case h11.EndOfMessage():
                call = self._call({name.decode(): value.decode("latin-1") for name, value in event.headers})
                self._head = None
                self._listener._called(self, call)  # noqa: SLF001
                return False  # the reply goes on with the next request
            case h11.ConnectionClosed():
                return False
            case _:  # NEED_DATA, PAUSED
                return False
        return True

    def _call(self, trailers: dict[str, str] | None = None) -> Call:
        head = self._head
        assert head is not None  # noqa: S101  # narrows the type; both callers have looked
        return Call(
            method=head.method.decode(),
            path=head.target.decode("latin-1").partition("?")[0],
            headers={name.decode(): value.decode("latin-1") for name, value in head.headers},
            body=bytes(self._body),
            size=self._size,
            trailers=trailers or {},
        )
