"""Which addresses outside the cloud connects to because a user named them: webhooks, identity providers.

Public addresses are reached over https. Every other address (loopback, private, link-local …) and plain http only where
the address lies in one of the networks of the setting `webhook_networks`. A name is resolved once and the connection
goes to the address that was checked, so a name cannot change its mind in between.
"""

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from hedgerow.base.errors import HedgerowError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_OLD_MAPPED: Final = ipaddress.IPv6Network("::/96")


class Refused(HedgerowError):
    """The URL is not one that may be reached, or its server said no for good."""


class Reach:
    """The operator's decision, for one kind of connections."""

    def __init__(self, *, networks: Sequence[Network], who: str) -> None:
        """`who` is for messages: "webhooks"."""
        self._networks = tuple(networks)
        self._who = who

    def address(self, host: str, port: int, *, secure: bool) -> str:
        """Resolve the host; raise Refused unless one of its addresses may be reached, OSError when it has none."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for *_, place in found:
            address = ipaddress.ip_address(str(place[0]).split("%", 1)[0])
            allowed = any(address.version == network.version and address in network for network in self._networks)
            if allowed or (secure and is_public(address)):
                return str(address)
        raise Refused(
            f"{host} is not an address that {self._who} may reach{'' if secure else ' over plain http'}; "
            "the operator can allow its network with the setting webhook_networks"
        )


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address is of the open internet; of those that carry an IPv4 address, whether that one is."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address in _OLD_MAPPED or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast


class Line:
    """The connection of one exchange, to be cut from outside of its thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._cut = False

    def keep(self, connected: socket.socket) -> None:
        """Hold on to the connection (TLS takes the socket itself away), instead of the one before it."""
        before, self._socket = self._socket, connected.dup()
        if before is not None:
            before.close()
        if self._cut:
            self.cut()

    def cut(self) -> None:
        """End the connection, wherever its thread is; nothing happens when there is none."""
        self._cut = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
