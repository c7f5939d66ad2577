"""The vending machine's sockets, with a pipeline that answers as it is told to."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest

from hedgerow.api.authentication import Peer
from hedgerow.cloud import vending_socket
from hedgerow.cloud.vending_socket import LONGEST, VendingSockets
from hedgerow.core.events import Published
from hedgerow.core.wire import HttpRequest, HttpResponse
from hedgerow.services.iot.vending import DECIDED
from tests.support.clock import FakeIds
from tests.support.store import CALLER, OTHER_ACCOUNT

SCOPE = {"type": "websocket", "scheme": "wss", "client": ("192.0.2.1", 4711), "extensions": {}}
REQUEST = json.dumps({"serialNumber": "lamp"})


class Machine:
    """Answers PENDING until the device is approved."""

    def __init__(self) -> None:
        self.approved = False
        self.asked: list[tuple[HttpRequest, Peer]] = []
        self.expected: list[tuple[str, str]] = []
        self.asked_for: list[list[tuple[str, str]]] = []  # who was expected when somebody asked

    @contextmanager
    def expecting(self, account: str, serial: str) -> Iterator[None]:
        self.expected.append((account, serial))
        yield
        self.expected.remove((account, serial))

    async def answer(self, request: HttpRequest, peer: Peer, request_id: str) -> HttpResponse:
        self.asked.append((request, peer))
        self.asked_for.append(list(self.expected))
        if b"serialNumber" not in request.body:
            return HttpResponse(400, {"x-amzn-errortype": "ValidationException"}, b'{"message": "missing"}')
        return HttpResponse(200, {}, json.dumps({"status": "ISSUED" if self.approved else "PENDING"}).encode())


class Socket:
    """One device."""

    def __init__(self) -> None:
        self.inward: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self.outward: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self.inward.put_nowait({"type": "websocket.connect"})

    def say(self, text: str | bytes) -> None:
        self.inward.put_nowait({"type": "websocket.receive", "text" if isinstance(text, str) else "bytes": text})

    def leave(self) -> None:
        self.inward.put_nowait({"type": "websocket.disconnect"})

    async def heard(self) -> dict[str, Any]:
        """Answer the next frame's content."""
        async with asyncio.timeout(5):
            message = await self.outward.get()
        return dict(json.loads(message["text"])) if "text" in message else dict(message)


def decided(account: str = CALLER.account, serial: str = "lamp") -> Published:
    return Published(account=account, topic=DECIDED + serial, payload=b"{}")


def run(story: Callable[[VendingSockets, Machine, Socket], Awaitable[None]]) -> None:
    async def main() -> None:
        machine, socket = Machine(), Socket()
        sockets = VendingSockets(ids=FakeIds(), first_account=CALLER.account, expecting=machine.expecting)
        async with asyncio.TaskGroup() as tasks:
            application = sockets.serving(machine.answer)
            tasks.create_task(application(SCOPE, socket.inward.get, socket.outward.put))
            assert await socket.heard() == {"type": "websocket.accept"}
            await story(sockets, machine, socket)
            socket.leave()

    asyncio.run(main())


@pytest.mark.spec("AL-56", "AL-59")
def test_who_waits_is_served_when_it_is_decided_about() -> None:
    async def story(sockets: VendingSockets, machine: Machine, socket: Socket) -> None:
        socket.say(REQUEST)
        assert await socket.heard() == {"statusCode": 200, "status": "PENDING"}
        sockets.on_event(decided(OTHER_ACCOUNT.account))
        sockets.on_event(decided(serial="bulb"))
        machine.approved = True
        for _ in range(3):
            sockets.on_event(decided())

        assert await socket.heard() == {"statusCode": 200, "status": "ISSUED"}
        assert [(request.method, request.path, peer.source_ip) for request, peer in machine.asked] == [
            ("POST", "/vending", "192.0.2.1")
        ] * 2
        assert machine.asked_for == [[], [(CALLER.account, "lamp")]]
        sockets.on_event(decided())
        socket.say(b"{}")
        assert (await socket.heard())["statusCode"] == 400

    run(story)


@pytest.mark.spec("AL-57")
@pytest.mark.parametrize("text", ["{}", "nonsense", "[]", "\ud800", "x" * (LONGEST + 1), b"\xff", b""])
def test_a_bad_request_leaves_the_connection_usable(text: str | bytes) -> None:
    async def story(sockets: VendingSockets, machine: Machine, socket: Socket) -> None:
        socket.say(text)
        assert await socket.heard() == {"statusCode": 400, "errorType": "ValidationException", "message": "missing"}
        socket.say(REQUEST)
        assert (await socket.heard())["status"] == "PENDING"

    run(story)


def test_many_frames_are_answered_in_order() -> None:
    async def story(sockets: VendingSockets, machine: Machine, socket: Socket) -> None:
        for number in range(20):
            socket.say("{}" if number % 2 else REQUEST)
        assert [(await socket.heard())["statusCode"] for _ in range(20)] == [200, 400] * 10

    run(story)


@pytest.mark.parametrize("bound", ["MOST", "MOST_OF_ADDRESS"])
def test_one_socket_too_many_is_sent_away(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(vending_socket, bound, 1)

    async def story(sockets: VendingSockets, machine: Machine, socket: Socket) -> None:
        other = Socket()
        await sockets.serving(machine.answer)(SCOPE, other.inward.get, other.outward.put)
        assert await other.heard() == {"type": "websocket.close", "code": 1013}

    run(story)


def test_one_address_does_not_take_every_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vending_socket, "MOST_OF_ADDRESS", 1)

    async def story(sockets: VendingSockets, machine: Machine, socket: Socket) -> None:
        other, elsewhere = Socket(), {**SCOPE, "client": ("192.0.2.2", 4711)}
        other.leave()
        await sockets.serving(machine.answer)(elsewhere, other.inward.get, other.outward.put)
        assert await other.heard() == {"type": "websocket.accept"}

    run(story)


def test_who_goes_while_it_is_answered_is_let_go() -> None:
    async def main() -> None:
        machine, socket, sent = Machine(), Socket(), list[str]()
        sockets = VendingSockets(ids=FakeIds(), first_account=CALLER.account, expecting=machine.expecting)

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message["type"])
            if message["type"] == "websocket.send":
                raise ConnectionResetError

        socket.say(REQUEST)
        async with asyncio.timeout(5):
            await sockets.serving(machine.answer)(SCOPE, socket.inward.get, send)
        sockets.on_event(decided())

        assert sent == ["websocket.accept", "websocket.send"]
        assert len(machine.asked) == 1

    asyncio.run(main())


def test_a_socket_that_is_silent_for_long_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vending_socket, "IDLE_S", 0.0)

    async def story(sockets: VendingSockets, machine: Machine, socket: Socket) -> None:
        assert await socket.heard() == {"type": "websocket.close", "code": 1001}

    run(story)
