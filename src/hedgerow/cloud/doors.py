"""Who gets a connection to a device port, by its ClientHello: the gateway or the HTTP server, with which TLS context.

Three ports, one table (`core/tls/ways.py`). The contexts are `Trust`'s and live as long as the cloud.
"""

import socket
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack

from hedgerow.api.server import HttpServer
from hedgerow.cloud.trust import Trust
from hedgerow.core.tls import Hello, Port, Speech, WayIn, way_for
from hedgerow.gateway.entry import Choose, Entry
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.listener import listen
from hedgerow.gateway.tls import prepare


class Doors:
    """Opens the device ports."""

    def __init__(self, *, gateway: Gateway, http: HttpServer, trust: Trust) -> None:
        self._gateway = gateway
        self._http = http
        self._trust = trust
        for context in (trust.mqtt, trust.strangers):
            prepare(context)

    async def open(self, stack: AsyncExitStack, port: Port, sockets: Sequence[socket.socket]) -> None:
        """Accept on these sockets until the stack is closed."""
        await stack.enter_async_context(listen(self._gateway, self.choose(port), sockets=sockets))

    def choose(self, port: Port) -> Choose:
        """Answer who serves the clients of a port."""

        async def chosen(hello: Hello) -> Entry | None:
            way = way_for(port, hello.protocols)
            serve = self._serve_http if way.speech is Speech.HTTP else None
            return Entry(context=self._context(way), way=way, serve=serve)

        return chosen

    def _context(self, way: WayIn) -> ssl.SSLContext:
        if way.speech is Speech.HTTP:
            return self._trust.https
        return self._trust.mqtt if way.certificates else self._trust.strangers

    async def _serve_http(self, client: socket.socket, entry: Entry, hello: Hello) -> None:
        await self._http.take(client, entry.context, server_name=hello.server_name, way=entry.way)
