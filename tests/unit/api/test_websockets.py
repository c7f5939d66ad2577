"""WebSockets by hand: how ends are told to the application, and what a hostile client can cost."""

import gc
import queue
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from hedgerow.api.server import FRAMES
from hedgerow.api.websockets import BROKEN
from tests.unit.api.cloud import ToyCloud, served, toy_cloud

pytestmark = pytest.mark.slow

BINARY, CLOSE, PING = 2, 8, 9
HEADERS = (
    b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Ends:
    """A mount that takes everything and remembers how it ended."""

    def __init__(self) -> None:
        self.told: queue.Queue[dict[str, Any]] = queue.Queue()
        self.hesitating = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "bytes": event["bytes"]})
        self.told.put(event)

    async def hesitate(self, scope: Any, receive: Any, send: Any) -> None:
        """A mount that hears of an end before it has accepted."""
        await receive()
        self.hesitating.set()
        self.told.put(await receive())

    def end(self) -> tuple[int, str]:
        event = self.told.get(timeout=10)
        return event["code"], event.get("reason", "")


@pytest.fixture(scope="module")
def ends() -> Ends:
    return Ends()


@pytest.fixture(scope="module")
def cloud(ends: Ends) -> Iterator[ToyCloud]:
    with served(toy_cloud({}, mounts={"/mqtt": ends, "/late": ends.hesitate})) as cloud:
        yield cloud


def frame(opcode: int, body: bytes, *, masked: bool = True) -> bytes:
    length = bytes((masked << 7 | len(body),)) if len(body) < 126 else bytes((masked << 7 | 126,))
    more = b"" if len(body) < 126 else struct.pack(">H", len(body))
    return bytes((0x80 | opcode,)) + length + more + (b"\0\0\0\0" if masked else b"") + body


@contextmanager
def opened(cloud: ToyCloud) -> Iterator[socket.socket]:
    with asked(cloud, b"GET /mqtt HTTP/1.1\r\n" + HEADERS) as connection:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 ")
        yield connection


@contextmanager
def asked(cloud: ToyCloud, request: bytes) -> Iterator[socket.socket]:
    url = urlsplit(cloud.url)
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(request)
        yield connection


@pytest.mark.parametrize(("body", "code"), [(b"\x03\xe8", 1000), (b"\x03\xe9bye", 1001), (b"", 1005)])
def test_a_close_frame_is_told_with_its_code(cloud: ToyCloud, ends: Ends, body: bytes, code: int) -> None:
    with opened(cloud) as connection:
        connection.sendall(frame(CLOSE, body))

        assert ends.end()[0] == code


@pytest.mark.parametrize("reset", [False, True])
def test_a_peer_that_is_gone_without_a_close_frame_has_not_said_good_bye(
    cloud: ToyCloud, ends: Ends, reset: bool
) -> None:
    with opened(cloud) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", reset, 0))

    assert ends.end() == (1006, "")


@pytest.mark.parametrize(
    "wire", [frame(BINARY, b"x", masked=False), b"\xf2\x81\0\0\0\0x", frame(7, b"x")], ids=["mask", "bits", "opcode"]
)
def test_a_peer_that_breaks_the_protocol_is_said_to(cloud: ToyCloud, ends: Ends, wire: bytes) -> None:
    with opened(cloud) as connection:
        connection.sendall(wire)

        code, reason = ends.end()

    assert (code, reason[: len(BROKEN)]) == (1006, BROKEN)


@pytest.mark.parametrize(
    "head",
    [b"GET /mqtt?" + b"a" * 9000 + b" HTTP/1.1\r\n", b"GET /mqtt HTTP/1.1\r\n" + b"X-A: 1\r\n" * 200],
    ids=["a long query", "many headers"],
)
def test_an_upgrade_that_cannot_be_read_is_answered_and_ended(cloud: ToyCloud, head: bytes) -> None:
    with asked(cloud, head + HEADERS) as connection:
        answer = b""
        while piece := connection.recv(4096):
            answer += piece

    assert answer.split()[1] in (b"414", b"431")


def test_a_frame_before_the_handshake_is_answered_ends_the_connection(
    cloud: ToyCloud, ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    with asked(cloud, b"GET /late HTTP/1.1\r\n" + HEADERS) as connection:
        assert ends.hesitating.wait(10)  # what comes in one piece with the request is not looked at
        connection.sendall(frame(BINARY, b"x", masked=False))
        while connection.recv(4096):
            pass

    assert ends.end()[0] == 1006
    with opened(cloud):  # by now the loop is done with the first
        pass
    ends.end()
    gc.collect()  # what a task failed with is said when the task goes
    assert [record for record in caplog.records if record.name == "asyncio"] == []  # where a loop says what failed


def test_who_sends_pings_and_reads_no_answers_costs_no_memory(cloud: ToyCloud, ends: Ends) -> None:
    flood = frame(PING, b"p" * 125) * 4000
    with opened(cloud) as connection:
        for _ in range(60):
            connection.sendall(flood)  # 31 MB of pings; their answers would wait in the server
        connection.sendall(frame(BINARY, b"still there?"))
        answers = 0
        while not (piece := connection.recv(1 << 20)).endswith(b"still there?"):
            answers += len(piece)

    assert ends.end()[0] == 1006
    assert answers < 16_000_000


def test_a_message_is_not_put_together_without_a_bound(cloud: ToyCloud, ends: Ends) -> None:
    piece = bytes((BINARY, 0x80 | 127)) + struct.pack(">Q", FRAMES) + b"\0\0\0\0" + bytes(FRAMES)
    with opened(cloud) as connection:
        connection.sendall(piece)  # the first of several frames
        connection.sendall(bytes((0x00, 0x81)) + b"\0\0\0\0x")

        code, reason = ends.end()

    assert (code, reason[: len(BROKEN)]) == (1006, BROKEN)
