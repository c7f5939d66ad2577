"""A port that serves several protocols: who keeps it waiting does not keep it for long."""

import asyncio
import socket
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hedgerow.core.tls import Hello
from hedgerow.gateway.entry import UNRECOGNIZED_NAME, Entry
from hedgerow.gateway.listener import CROWDED_WITHIN_S, HANDSHAKE_WITHIN_S, HANDSHAKES, Listener
from hedgerow.gateway.outbox import Outbox
from tests.support.clock import FakeClock
from tests.unit.gateway.test_entry import first_bytes


class Port:
    """A listener whose clients are asked for by `chosen`."""

    def __init__(self, entry: Entry | None) -> None:
        self.clock = FakeClock()
        self.tasks: list[asyncio.Task[None]] = []
        self.sockets = [socket.create_server(("127.0.0.1", 0), backlog=1024)]
        self.sockets[0].setblocking(False)
        gateway: Any = SimpleNamespace(clock=self.clock, spawn=self.spawn, outbox=Outbox(lambda _work: None))

        async def choose(_hello: Hello) -> Entry | None:
            return entry

        self.listener = Listener(gateway, None, choose, self.sockets)
        self.listener.start()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def client(self, said: bytes) -> socket.socket:
        client = socket.create_connection(self.sockets[0].getsockname(), 5)
        client.sendall(said)
        return client

    async def accepted(self, count: int) -> None:
        async with asyncio.timeout(5):
            while self.listener.accepted < count:
                await asyncio.sleep(0.001)

    def close(self) -> None:
        self.listener.close()


class Slow:
    """Serves a client by never ending its handshake."""

    def __init__(self) -> None:
        self.serving = asyncio.Event()
        self.ended = 0

    async def __call__(self, client: socket.socket, _entry: Entry, _hello: Hello) -> None:
        self.serving.set()
        try:
            await asyncio.sleep(3600)
        finally:
            self.ended += 1
            client.close()


def entry(serve: Slow) -> Entry:
    context: Any = None
    return Entry(context=context, serve=serve)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 30))


@pytest.mark.parametrize(("said", "serves"), [(b"", False), (b"\x16\x03\x01", False), (first_bytes(), True)])
def test_who_does_not_go_on_is_let_go_after_a_while(said: bytes, serves: bool) -> None:
    async def main() -> None:
        slow = Slow()
        port = Port(entry(slow))
        with port.client(said):
            await port.accepted(1)
            if serves:
                await slow.serving.wait()
            port.clock.advance(HANDSHAKE_WITHIN_S - 1)
            port.listener.sweep()
            await asyncio.sleep(0.02)
            assert not port.tasks[0].done()

            port.clock.advance(2)
            port.listener.sweep()
            await port.tasks[0]

        assert slow.ended == serves
        port.close()

    run(main())


def test_a_crowd_that_does_not_go_on_is_let_go_soon_and_others_come_in() -> None:
    async def main() -> None:
        slow = Slow()
        port = Port(entry(slow))
        crowd = [port.client(first_bytes()) for _ in range(HANDSHAKES)]
        await port.accepted(HANDSHAKES)
        await asyncio.sleep(0.05)
        with port.client(b""):
            await asyncio.sleep(0.05)
            assert port.listener.accepted == HANDSHAKES

            port.clock.advance(CROWDED_WITHIN_S + 1)
            port.listener.sweep()
            await asyncio.gather(*port.tasks)
            port.listener.sweep()
            await port.accepted(HANDSHAKES + 1)

        for one in crowd:
            one.close()
        port.close()
        await asyncio.gather(*port.tasks)

    run(main())


def test_a_name_that_nobody_serves_is_told_so() -> None:
    async def main() -> bytes:
        port = Port(None)
        with port.client(first_bytes()) as client:
            await port.accepted(1)
            await port.tasks[0]
            said = client.recv(100)
        port.close()
        return said

    assert asyncio.run(main()) == UNRECOGNIZED_NAME


class Broken:
    """A shell with a bug."""

    expired = False

    def step(self) -> None:
        raise ValueError("a bug")

    def expire(self) -> None:
        self.expired = True


class Fine(Broken):
    stepped = False

    def step(self) -> None:
        self.stepped = True


def test_a_handshake_that_fails_by_a_bug_does_not_stop_those_behind_it() -> None:
    broken, fine = Broken(), Fine()

    async def main() -> None:
        port = Port(None)
        for shell in (broken, fine):
            port.listener.wait(cast("Any", shell))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        port.close()

    run(main())

    assert broken.expired
    assert fine.stepped
