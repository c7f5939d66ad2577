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
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hedgerow.base.errors import HedgerowError, Unavailable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TIMEOUT_S: Final = 3.0
MAX_RESPONSE: Final = 16_384
AT_ONCE: Final = 16


class Refused(HedgerowError):
    """The URL is not one that may be posted to, or its server said no for good."""


class Webhooks:
    """Posts, a bounded number at once."""

    def __init__(self, *, networks: Sequence[Network], trust: ssl.SSLContext | None = None) -> None:
        self._networks = tuple(networks)
        self._trust = trust or ssl.create_default_context()
        self._places = asyncio.Semaphore(AT_ONCE)

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Post; raise Unavailable for 429, 5xx and no answer within 3 s, Refused for everything that stays wrong."""
        async with self._places:
            status = await asyncio.to_thread(self._post, url, headers, body)
        if status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"{url} answered {status}")
        if status >= http.HTTPStatus.MULTIPLE_CHOICES:
            raise Refused(f"{url} answered {status}")

    def _post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        parts = urlsplit(url)
        try:
            connection = self._connect(parts)
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

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = self._checked_address(host, port, secure=secure)
        raw = socket.create_connection((address, port), timeout=TIMEOUT_S)
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
            if allowed or (secure and address.is_global):
                return str(address)
        raise Refused(
            f"{host} is not an address that webhooks may reach{'' if secure else ' over plain http'}; "
            "the operator can allow its network with the setting webhook_networks"
        )
