"""Serving an ASGI application on a listener of this loop: uvicorn's protocols, our life cycle.

Several servers share one loop. No signal handlers; the TLS context is the caller's and is never rebuilt. The client
certificate of a connection comes to the application in `scope["extensions"]["hedgerow.tls"]`, with the server name and
the way in that were chosen when somebody else accepted the socket (`HttpServer.take`).
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from hedgerow.api.app import TLS, ASGIApp, Receive, Scope, Send
from hedgerow.api.websockets import WebSocketProtocol
from hedgerow.base.clock import Clock, SystemClock
from hedgerow.base.log import get_logger
from hedgerow.base.sockets import bind
from hedgerow.core.tls import WayIn

log = get_logger("api.server")

HEADER_LIMIT = 64 * 1024
HEADER_DEADLINE_S = 20.0  # from the connection, or the first byte of a further request, to the end of its headers
IDLE_S = 75  # an open connection without a request
CLOSE_DEADLINE_S = 5.0  # for requests in progress when the server closes
SEND_DEADLINE_MS = 120_000  # without the peer taking a byte
PIPELINED = 256  # requests that wait for the one before them on a connection; beyond it the connection is closed
CONNECTIONS = 10_000  # beyond it a new connection is closed at once
HANDSHAKE_WITHIN_S = 10.0
GOODBYE_WITHIN_S = 5.0  # for the peer to say TLS's, and to take what is still to be said
FRAMES = 1024 * 1024  # bytes of a WebSocket message that are put together
Check = Callable[[bytes], Awaitable[bool]]
"""Tells whether a client with this certificate (DER) may come in."""
_SERVER_NAME = "hedgerow_server_name"
_WAY = "hedgerow_way"
_REFUSED = "ASGI callable returned without completing handshake."  # an upgrade that we refused: no error of anybody's


def _with_tls(app: Any, transport: asyncio.BaseTransport) -> Any:
    """Answer the application as this connection sees it: with the client certificate in the scope."""
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return app
    value = {
        "certificate": tls.getpeercert(binary_form=True),
        "server_name": getattr(tls, _SERVER_NAME, None),
        "way": getattr(tls, _WAY, None),
    }

    async def with_tls(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[TLS] = value
        await app(scope, receive, send)

    return with_tls


def _bound_sending(transport: asyncio.BaseTransport) -> None:
    """Let the kernel end a connection whose peer takes nothing for a while."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SEND_DEADLINE_MS)


class _Forward(logging.Handler):
    """Hands uvicorn's records to our log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.handle(record)


def _forward_logs() -> None:
    """Give uvicorn's logger our handler, once."""
    theirs = logging.getLogger("uvicorn.error")
    if not any(isinstance(handler, _Forward) for handler in theirs.handlers):
        theirs.addHandler(_Forward())
        theirs.addFilter(lambda record: record.msg != _REFUSED)
        theirs.propagate = False
        theirs.setLevel(logging.WARNING)


class _Guarded:
    """What both HTTP protocols add to uvicorn's: bounds on connections, header bytes and header time; TLS facts."""

    facts: tuple[str | None, WayIn | None] | None = None  # what whoever accepted the socket knows of it
    waits = False  # nothing is read until whoever accepted the socket says so
    _header_bytes = 0
    _header_timer: asyncio.TimerHandle | None = None
    _in_headers = True
    _under_way: Sequence[Any] = ()  # requests without a whole answer, where there can be several

    def connection_made(self: Any, transport: Any) -> None:
        if len(self.connections) >= CONNECTIONS:
            transport.close()
        super().connection_made(transport)  # type: ignore[misc]  # a mixin in front of a protocol
        if self.facts is not None:  # on the TLS object, where the protocol after an upgrade finds them, too
            tls = transport.get_extra_info("ssl_object")
            setattr(tls, _SERVER_NAME, self.facts[0])
            setattr(tls, _WAY, self.facts[1])
        if self.waits:
            transport.pause_reading()
        self.app = _with_tls(self.app, transport)
        _bound_sending(transport)
        self._await_headers()

    def connection_lost(self: Any, exc: Exception | None) -> None:
        self._headers_done()
        for cycle in self._under_way:  # uvicorn tells the last request alone, and the first writes into nothing
            cycle.disconnected = True
            cycle.message_event.set()
        self._under_way = ()
        super().connection_lost(exc)  # type: ignore[misc]  # as above

    def handle_websocket_upgrade(self: Any, *event: Any) -> None:
        self._headers_done()
        super().handle_websocket_upgrade(*event)  # type: ignore[misc]  # as above

    def _began(self: Any) -> None:
        if self.cycle is not None:  # a WebSocket has none
            before = (cycle for cycle in self._under_way if not cycle.response_complete)
            self._under_way = (*before, self.cycle)

    def _await_headers(self: Any) -> None:
        self._in_headers = True
        self._header_bytes = 0
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(HEADER_DEADLINE_S, self._late)

    def _headers_done(self: Any) -> None:
        self._in_headers = False
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _late(self: Any) -> None:
        self._header_timer = None
        self.transport.close()

    def _count(self: Any, size: int) -> bool:
        """Count bytes that came before the end of the headers; False when there are too many."""
        if self._in_headers:
            self._header_bytes += size
        return bool(self._header_bytes <= HEADER_LIMIT)


class _H11(_Guarded, H11Protocol):
    def data_received(self, data: bytes) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and not self._in_headers:
            self._await_headers()
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._headers_done()


class _TooManyAtOnce(Exception):
    """A client sends requests and does not wait for answers."""


def _http_protocol() -> type[asyncio.Protocol]:
    """Answer the protocol on httptools when that is installed, else on h11."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return _H11

    class _HttpTools(_Guarded, HttpToolsProtocol):
        def data_received(self, data: bytes) -> None:
            if not self._count(len(data)) and not self._fits(data):
                self.transport.write(b"HTTP/1.1 431 \r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                self.transport.close()
                return
            super().data_received(data)

        def _fits(self, data: bytes) -> bool:
            """Say whether the headers end within the bound, although what came is longer (a body begins in it)."""
            before = self._header_bytes - len(data)
            return before < HEADER_LIMIT and b"\r\n\r\n" in data[: HEADER_LIMIT - before]

        def on_header(self, name: bytes, value: bytes) -> None:
            if self._in_headers:  # trailers need not be signed and have no bound: they are not kept
                super().on_header(name, value)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._await_headers()

        def on_headers_complete(self) -> None:
            self._headers_done()
            if len(self.pipeline) >= PIPELINED:
                self.transport.abort()
                raise _TooManyAtOnce  # ends the parsing of what came already
            super().on_headers_complete()
            self._began()

    return _HttpTools


class _WebSocket(WebSocketProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.app = _with_tls(self.app, transport)


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that accepts connections."""

    port: int
    addresses: tuple[tuple[Any, ...], ...]


class HttpServer:
    """Serves connections. Made by `http_server`."""

    def __init__(self, config: Config, state: ServerState) -> None:
        self._config = config
        self._state = state
        self._loop = asyncio.get_running_loop()

    def protocol(self) -> Any:
        """Answer what serves one connection."""
        kind: Any = self._config.http_protocol_class
        return kind(config=self._config, server_state=self._state, app_state={}, _loop=self._loop)

    async def take(
        self,
        client: socket.socket,
        context: ssl.SSLContext,
        *,
        server_name: str | None,
        way: WayIn | None,
        check: Check | None = None,
    ) -> None:
        """Serve a socket that somebody else accepted; returns after the handshake, whether it went well or not.

        With `check` nothing is read before it has let the client certificate in; without a certificate it is not asked.
        """

        def protocol() -> Any:
            made = self.protocol()
            made.facts = (server_name, way)
            made.waits = check is not None
            return made

        with suppress(OSError, ssl.SSLError):  # of the handshake: the peer has been told, and the socket is closed
            transport, _ = await self._loop.connect_accepted_socket(
                protocol,
                client,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_WITHIN_S,
                ssl_shutdown_timeout=GOODBYE_WITHIN_S,
            )
            if check is not None:
                await _checked(transport, check)

    def end(self, server_name: str) -> None:
        """Have the connections to a name end, each after the answer that is under way."""
        for connection in list(self._state.connections):
            facts = getattr(connection, "facts", None)
            if facts is not None and facts[0] == server_name:
                connection.shutdown()

    async def listen(self, sockets: tuple[socket.socket, ...], tls: ssl.SSLContext | None) -> list[asyncio.Server]:
        """Accept on these sockets."""
        if tls is not None and tls.sni_callback is None:
            tls.sni_callback = _remember_name
        deadlines = (HANDSHAKE_WITHIN_S, GOODBYE_WITHIN_S) if tls is not None else (None, None)
        return [
            await self._loop.create_server(
                self.protocol,
                sock=one,
                ssl=tls,
                backlog=1024,
                ssl_handshake_timeout=deadlines[0],
                ssl_shutdown_timeout=deadlines[1],
            )
            for one in sockets
        ]


@asynccontextmanager
async def http_server(app: ASGIApp, *, clock: Clock | None = None, frames: int = FRAMES) -> AsyncIterator[HttpServer]:
    """Serve the application until the block ends; then let requests in progress end, for at most 5 s.

    `frames` is the size of a WebSocket message at most; a larger one ends its connection.
    """
    _forward_logs()
    state = ServerState()
    async with asyncio.TaskGroup() as tasks:
        dates = tasks.create_task(_keep_date(state, clock or SystemClock()))
        try:
            yield HttpServer(_config(app, frames), state)
        finally:
            dates.cancel()
            await _close(state)


@asynccontextmanager
async def serve(
    app: ASGIApp,
    *,
    host: str | None = "127.0.0.1",
    port: int = 0,
    sockets: tuple[socket.socket, ...] = (),
    tls: ssl.SSLContext | None = None,
    clock: Clock | None = None,
    frames: int = FRAMES,
) -> AsyncIterator[Listening]:
    """Accept connections until the block ends; then let requests in progress end, for at most 5 s.

    With `sockets` (bound) host and port are not looked at; `host=None` is every address. Raises OSError when the
    port is taken.
    """
    bound = sockets or bind(host, port)
    async with http_server(app, clock=clock, frames=frames) as server:
        servers = await server.listen(bound, tls)
        addresses = tuple(listener.getsockname() for one in servers for listener in one.sockets)
        try:
            yield Listening(addresses[0][1], addresses)
        finally:
            for one in servers:
                one.close()


def _config(app: ASGIApp, frames: int) -> Config:
    config = Config(
        app,
        http=_http_protocol(),
        ws=_WebSocket,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        interface="asgi3",
        timeout_keep_alive=IDLE_S,
        h11_max_incomplete_event_size=HEADER_LIMIT,
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        ws_max_size=frames,
    )
    config.load()
    return config


async def _checked(transport: asyncio.Transport, check: Check) -> None:
    """Let a connection go on, or end it."""
    try:
        certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        let_in = certificate is None or await check(certificate)
    except BaseException:
        transport.abort()
        raise
    if not let_in:
        transport.abort()
    elif not transport.is_closing():
        transport.resume_reading()


def _remember_name(connection: Any, name: str | None, context: ssl.SSLContext) -> None:
    setattr(connection, _SERVER_NAME, name)


async def _keep_date(state: ServerState, clock: Clock) -> None:
    while True:
        state.default_headers[:] = [(b"date", formatdate(clock.now(), usegmt=True).encode())]
        await asyncio.sleep(1.0)


async def _close(state: ServerState) -> None:
    for connection in list(state.connections):
        connection.shutdown()
    if state.tasks:
        _, pending = await asyncio.wait(list(state.tasks), timeout=CLOSE_DEADLINE_S)
        for task in pending:
            task.cancel()
        if pending:
            log.warning("requests were cut off by closing", extra={"fields": {"requests": len(pending)}})
            await asyncio.wait(pending, timeout=1.0)
    for connection in list(state.connections):
        if connection.transport is not None:
            connection.transport.abort()
