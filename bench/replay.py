"""One generator of load for every server: replays requests that boto3 signed beforehand over plain sockets.

It costs so little itself (20 µs a call) that the servers are measured, not the client. A server that closes its
connections gets new ones.
"""

import os
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse

TICKS = os.sysconf("SC_CLK_TCK")


class _Empty:
    """The body of an answer that never came."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield b"{}"


class Signer:
    """Takes the requests of a boto3 client as they would go out, instead of sending them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._taken: list[Any] = []
        client.meta.events.register("before-send", self._take)

    def request(self, operation: str, **parameters: Any) -> bytes:
        """Answer the bytes of one signed call."""
        getattr(self._client, operation)(**parameters)
        return _as_bytes(self._taken.pop())

    def _take(self, request: Any, **_: Any) -> AWSResponse:
        self._taken.append(request)
        return AWSResponse(request.url, 200, {"content-type": "application/json"}, _Empty())


def _as_bytes(request: Any) -> bytes:
    url = urlsplit(request.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    headers = {"host": url.netloc}
    for name, value in request.headers.items():
        headers[name.lower()] = value.decode() if isinstance(value, bytes) else str(value)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    body = request.body or b""
    return f"{request.method} {target} HTTP/1.1\r\n{lines}\r\n".encode() + (
        body.encode() if isinstance(body, str) else body
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run took."""

    calls: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Calls per second."""
        return self.calls / self.seconds

    @property
    def cpu_us(self) -> float:
        """The server's CPU time per call in microseconds."""
        return self.cpu_s / self.calls * 1e6


def cpu_s(pid: int) -> float:
    """Answer the user and system time of a process with all its threads."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def replay(address: tuple[str, int], requests: Sequence[bytes], *, connections: int, pid: int) -> Figures:
    """Send all requests, as many at a time as there are connections; every answer must be a 200."""
    todo = iter(requests)
    cpu, begun = cpu_s(pid), time.perf_counter()
    with selectors.DefaultSelector() as selector:
        open_ones = sum(_Connection(address, selector).send_next(todo) for _ in range(connections))
        while open_ones:
            for key, _ in selector.select():
                if key.data.receive() and not key.data.send_next(todo):
                    open_ones -= 1
    return Figures(len(requests), time.perf_counter() - begun, cpu_s(pid) - cpu)


class _Connection:
    def __init__(self, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
        self._address = address
        self._selector = selector
        self._socket: socket.socket | None = None
        self._came = b""

    def send_next(self, todo: Iterator[bytes]) -> bool:
        """Send the next request; False, and closed, when there is none."""
        request = next(todo, None)
        if request is None:
            self._close()
            return False
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._came = b""
        self._socket.sendall(request)
        return True

    def receive(self) -> bool:
        """Take what came; say whether the answer is complete."""
        assert self._socket is not None
        piece = self._socket.recv(262144)
        self._came += piece
        head, end, body = self._came.partition(b"\r\n\r\n")
        if end and b" 200 " not in head[:20] and not body and piece:
            return False
        if not end:
            if not piece:
                raise RuntimeError("the server closed a connection without an answer")
            return False
        if b" 200 " not in head[:20]:
            raise RuntimeError(f"not a 200: {self._came[:600]!r}")
        head = head.lower()
        _, found, length = head.partition(b"\r\ncontent-length:")
        complete = len(body) >= int(length.split(b"\r\n", 1)[0]) if found else not piece
        if complete and (head.startswith(b"http/1.0") or b"\r\nconnection: close" in head or not piece):
            self._close()
        return complete

    def _close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
