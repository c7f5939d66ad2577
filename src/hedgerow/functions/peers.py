"""Which process is at the other end of a connection over loopback.

The kernel tells a socket's inode (sock_diag), and /proc whose descriptor that is. Asked when a connection begins: a
tenth of a millisecond for the process itself, a little more for what it has started.
Spec: sock_diag(7), proc(5).
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

Address = tuple[str, int]

_SOCK_DIAG: Final = 4  # family of netlink
_BY_FAMILY: Final = 20  # message type
_REQUEST: Final = 1
_ANY: Final = 0xFFFFFFFF
_HEADER: Final = struct.Struct("=IHHII")
_INODE_AT: Final = _HEADER.size + 68  # in the answer
_WITHIN_S: Final = 0.2


def can_tell() -> bool:
    """Whether this kernel answers the question: tried with a connection of our own."""
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname(), timeout=_WITHIN_S) as client,
        ):
            found = _inode(client.getsockname(), server.getsockname())
            return found == os.fstat(client.fileno()).st_ino
    except OSError:
        return False


def is_of(leader: int, client: Address, server: Address) -> bool:
    """Tell whether the client's end belongs to this process or to one that it has started."""
    try:
        inode = _inode(client, server)
    except OSError:
        return False  # it is gone again
    return bool(inode) and any(inode in _sockets(pid) for pid in _family(leader))


def _inode(client: Address, server: Address) -> int:
    """Answer the inode of the client's socket, 0 when there is no such connection."""
    ends = struct.pack("!HH4s12x4s12x", client[1], server[1], *(socket.inet_aton(end[0]) for end in (client, server)))
    body = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY)
    body += ends + struct.pack("=III", 0, _ANY, _ANY)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as asking:
        asking.settimeout(_WITHIN_S)
        asking.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body)
        answer = asking.recv(4096)
    if _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
        return 0
    return int(struct.unpack_from("=I", answer, _INODE_AT)[0])


def _sockets(pid: int) -> set[int]:
    """Answer the inodes of the sockets that a process has open."""
    found = set()
    with contextlib.suppress(OSError):  # it has ended
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                kind, _, inode = os.readlink(entry.path).rstrip("]").partition(":[")
                if kind == "socket":
                    found.add(int(inode))
    return found


def _family(leader: int) -> Iterator[int]:
    """Answer the process and what descends from it, the nearest first."""
    waiting = [leader]
    for pid in waiting:
        yield pid
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                waiting.extend(int(child) for child in children.read_text("ascii").split())
