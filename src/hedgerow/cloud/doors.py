"""Who gets a connection to a device port, by its ClientHello: the gateway or the HTTP server, with which TLS context.

Three ports, one table (`core/tls/ways.py`), and the domain configurations. The cloud's own contexts are `Trust`'s and
live as long as it; those of a domain configuration are made when somebody first asks for it, and again after a change.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

from hedgerow.api.server import HttpServer
from hedgerow.base.files import Files
from hedgerow.base.log import get_logger
from hedgerow.cloud.anchors import Anchors
from hedgerow.cloud.domains import Domains
from hedgerow.cloud.trust import RENEWED_AFTER_S
from hedgerow.core.tls import Domain, Hello, Port, Speech, WayIn, way_for
from hedgerow.gateway.entry import Choose, Entry
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.listener import Listener, listen
from hedgerow.gateway.tls import prepare

log = get_logger("doors")

LOOK_EVERY_S: Final = 3600.0  # whether the server certificates are to be renewed

_Key = tuple[str, Speech, bool]  # host name, what is spoken, whether a client certificate is asked for


class Doors:
    """Opens the device ports. On the loop."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        http: HttpServer,
        domains: Domains,
        anchors: Anchors,
        files: Files,
    ) -> None:
        self._gateway = gateway
        self.listeners: list[Listener] = []
        self._http = http
        self._trust = trust = anchors.trust
        self._domains = domains
        self._anchors = anchors
        self._clock = clock = gateway.clock
        self._ids = gateway.ids
        self._files = files
        self._made_at = clock.now()
        self._contexts: dict[_Key, ssl.SSLContext] = {}
        self._making = asyncio.Lock()  # one context after the other; also against renewal
        for context in (trust.mqtt, trust.strangers):
            prepare(context)
        domains.when_changed(self._changed)

    async def open(self, stack: AsyncExitStack, sockets: Mapping[Port, Sequence[socket.socket]]) -> None:
        """Accept on these sockets until the stack is closed."""
        for port, bound in sockets.items():
            listener = await stack.enter_async_context(listen(self._gateway, self.choose(port), sockets=bound))
            self.listeners.append(listener)

    def choose(self, port: Port) -> Choose:
        """Answer who serves the clients of a port."""

        async def chosen(hello: Hello) -> Entry | None:
            domain = self._domains.find(hello.server_name)
            way = way_for(port, hello.protocols) if domain is None else domain.way(port, hello.protocols)
            if way is None:
                fields = {"name": hello.server_name, "port": port.value, "alpn": ",".join(hello.protocols)[:256]}
                log.info("a domain configuration is not for this, or disabled", extra={"fields": fields})
                return None
            context = self._context(way) if domain is None else await self._context_of(domain, way)
            return Entry(context=context, way=way, serve=self._serve_http if way.speech is Speech.HTTP else None)

        return chosen

    async def keep(self) -> None:
        """Renew the server certificates in good time, as long as the cloud runs."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.renew_if_due()

    async def renew_if_due(self) -> None:
        """Renew the server certificates when most of their time is over."""
        now = self._clock.now()
        if now < self._made_at + RENEWED_AFTER_S:
            return
        try:
            async with self._making:
                self._trust.install(await asyncio.to_thread(self._trust.fresh, now, self._files))
        except OSError as error:
            log.error("the server certificate was not renewed", extra={"fields": {"detail": str(error)}})
            return
        self._made_at = now
        log.info("the server certificates are renewed")

    def _changed(self, name: str) -> None:
        """A configuration changed: make its contexts anew, and let its HTTP connections come again."""
        for key in [key for key in self._contexts if key[0] == name]:
            self._trust.forget(self._contexts.pop(key))
        self._http.end(name)

    def _context(self, way: WayIn) -> ssl.SSLContext:
        if way.speech is Speech.HTTP:
            return self._trust.https
        return self._trust.mqtt if way.certificates else self._trust.strangers

    async def _context_of(self, domain: Domain, way: WayIn) -> ssl.SSLContext:
        key = (domain.name, way.speech, way.certificates)
        found = self._contexts.get(key)
        if found is not None:
            return found
        async with self._making:
            found = self._contexts.get(key)
            if found is None:
                found = await self._make(domain, way)
                if self._domains.find(domain.name) == domain:
                    self._contexts[key] = found
                else:  # it changed meanwhile: this once, and no more
                    self._trust.forget(found)
        return found

    async def _make(self, domain: Domain, way: WayIn) -> ssl.SSLContext:
        now, anchors = self._clock.now(), self._anchors.everything
        made = await asyncio.to_thread(self._trust.further, domain, way, anchors, now)
        return prepare(made) if way.speech is Speech.MQTT else made

    async def _serve_http(self, client: socket.socket, entry: Entry, hello: Hello) -> None:
        name, way = hello.server_name, entry.way

        async def check(der: bytes) -> bool:
            wrong = await self._domains.check(name, der, connection_id=self._ids.uuid())
            if wrong is not None:
                log.warning("not let in", extra={"fields": {"name": name, "detail": wrong.detail}})
            return wrong is None

        asks = way is not None and way.domain is not None and way.certificates
        await self._http.take(client, entry.context, server_name=name, way=way, check=check if asks else None)
