"""Listening sockets: every address of a host under one port, also when the port is any free one."""

import errno
import socket

EVERY = "::"  # of IPv4, too
_TRIES = 20  # for one free port on all addresses
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def bind(host: str | None, port: int) -> tuple[socket.socket, ...]:
    """Answer bound sockets for all addresses of the host (None and ::, every address), the same port on each.

    Port 0 is any free port. Raises OSError when the port is taken or the host has no address here.
    """
    for attempt in range(_TRIES):
        try:
            return _bind(host, port)
        except OSError as error:
            if port != 0 or error.errno != errno.EADDRINUSE or attempt == _TRIES - 1:
                raise
    raise AssertionError("the last try raises")


def _bind(host: str | None, port: int) -> tuple[socket.socket, ...]:
    if host is None or host == EVERY:
        if socket.has_dualstack_ipv6():
            return (socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True),)
        return (socket.create_server(("", port)),)
    bound: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, _, _, _, address in dict.fromkeys(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)):
            wanted = bound[0].getsockname()[1] if bound else port
            try:
                bound.append(socket.create_server((str(address[0]), wanted), family=family))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error  # /etc/hosts names an address family that this machine has not
    except OSError:
        for one in bound:
            one.close()
        raise
    if not bound:
        raise absent or OSError(errno.EADDRNOTAVAIL, f"{host} has no address")
    return tuple(bound)
