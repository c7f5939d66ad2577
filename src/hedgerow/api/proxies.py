"""Who asks when a reverse proxy stands in between: what it says of the client counts, and nobody else's word does.

Proxies add the address that they see to the end of `X-Forwarded-For`. It is read from there, through the proxies that
the operator named; what stands before the first stranger may be invented. `X-Forwarded-Proto` says how the client came.
"""

import ipaddress
from collections.abc import Iterable, Sequence

from hedgerow.api.app import ASGIApp, Receive, Scope, Send, plain_address

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BehindProxies:
    """An ASGI application that sees its clients' own addresses."""

    def __init__(self, app: ASGIApp, networks: Sequence[Network]) -> None:
        self._app = app
        self._networks = networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, as ASGI 3."""
        client = scope.get("client")
        if self._networks and client is not None and self._is_proxy(ipaddress.ip_address(plain_address(client[0]))):
            scope["client"] = (self._client(_values(scope, b"x-forwarded-for"), client[0]), 0)
            if _values(scope, b"x-forwarded-proto")[-1:] == ["https"]:
                scope["scheme"] = "wss" if scope["type"] == "websocket" else "https"
        await self._app(scope, receive, send)

    def _is_proxy(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _client(self, chain: Sequence[str], nearest: str) -> str:
        """Answer the last address of the chain that is no proxy's; the proxy's own where the chain says nothing."""
        found = nearest
        for text in reversed(chain):
            try:
                address = ipaddress.ip_address(plain_address(text))
            except ValueError:
                break  # what a proxy did not write, or not as an address
            found = str(address)
            if not self._is_proxy(address):
                break
        return found


def _values(scope: Scope, name: bytes) -> list[str]:
    found: Iterable[bytes] = (value for key, value in scope["headers"] if key == name)
    return [part.strip() for value in found for part in value.decode("latin-1").split(",")]
