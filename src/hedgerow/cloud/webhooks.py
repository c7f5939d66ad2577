"""Posts to URLs outside, for rule actions: only to addresses that the operator lets the cloud reach.

Public addresses are reached over https. Every other address (loopback, private, link-local …) and plain http only where
the address lies in one of the networks of the setting `webhook_networks`. The name is resolved once and the connection
goes to the address that was checked, so a name cannot change its mind in between.
"""

import asyncio
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hedgerow.base.errors import HedgerowError, Unavailable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TIMEOUT_S: Final = 3.0  # without a byte
WHOLE_S: Final = 10.0  # for all of it: who sends a byte now and then must not hold a place for ever
MAX_RESPONSE: Final = 16_384
AT_ONCE: Final = 16
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_OLD_MAPPED: Final = ipaddress.IPv6Network("::/96")


class Refused(HedgerowError):
    """The URL is not one that may be posted to, or its server said no for good."""


class Webhooks:
    """Posts, a bounded number at once."""

    def __init__(self, *, networks: Sequence[Network], trust: ssl.SSLContext | None = None) -> None:
        self._networks = tuple(networks)
        self._trust = trust or ssl.create_default_context()
        self._places = asyncio.Semaphore(AT_ONCE)
        # threads of its own: slow receivers must not stop what else is done in threads
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Post; raise Unavailable for 429, 5xx and no answer in time, Refused for everything that stays wrong."""
        line = _Line()
        async with self._places:
            work = asyncio.get_running_loop().run_in_executor(self._threads, self._post, url, headers, body, line)
            try:
                async with asyncio.timeout(WHOLE_S):
                    status = await work
            except TimeoutError:
                raise Unavailable(f"{url} did not answer within {WHOLE_S:g} s") from None
            finally:
                line.cut()
        if status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"{url} answered {status}")
        if status >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise Refused(f"{url} answered {status}")

    def _post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, line: "_Line") -> int:
        parts = urlsplit(url)
        try:
            connection = self._connect(parts, line)
        except OSError as error:
            raise Unavailable(f"cannot reach {parts.hostname}: {error}") from error
        try:
            target = parts.path or "/"
            connection.request("POST", f"{target}?{parts.query}" if parts.query else target, body, dict(headers))
            response = connection.getresponse()
            response.read(MAX_RESPONSE)
            return response.status
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"{url} did not answer: {error}") from error
        finally:
            connection.close()

    def _connect(self, parts: SplitResult, line: "_Line") -> http.client.HTTPConnection:
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = self._checked_address(host, port, secure=secure)
        raw = socket.create_connection((address, port), timeout=TIMEOUT_S)
        line.keep(raw)
        try:
            connected = self._trust.wrap_socket(raw, server_hostname=host) if secure else raw
        except BaseException:
            raw.close()
            raise
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        connection.sock = connected
        return connection

    def _checked_address(self, host: str, port: int, *, secure: bool) -> str:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, place in found:
            address = ipaddress.ip_address(str(place[0]).split("%", 1)[0])
            allowed = any(address.version == network.version and address in network for network in self._networks)
            if allowed or (secure and _is_public(address)):
                return str(address)
        raise Refused(
            f"{host} is not an address that webhooks may reach{'' if secure else ' over plain http'}; "
            "the operator can allow its network with the setting webhook_networks"
        )


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is of the open internet; of those that carry an IPv4 address, whether that one is."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.sixtofour
        if inner is not None:
            return _is_public(inner)
        if address.teredo is not None or address in _OLD_MAPPED or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


class _Line:
    """The connection of one post, to be cut from outside of its thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._cut = False

    def keep(self, connected: socket.socket) -> None:
        """Hold on to the connection (TLS takes the socket itself away)."""
        self._socket = connected.dup()
        if self._cut:
            self.cut()

    def cut(self) -> None:
        """End the connection, wherever its thread is; nothing happens when there is none."""
        self._cut = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
