"""Sockets behind one epoll, with the peer in the test's hand."""

import asyncio
import gc
import socket
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hedgerow.gateway.outbox import Outbox
from hedgerow.gateway.sockets import READ, Socket, Sockets

WITHIN_S = 5.0


class Heard(asyncio.Protocol):
    """Remembers what it was told."""

    def __init__(self, on_data: Callable[[bytes], None] | None = None) -> None:
        self.transport: Any = None
        self.data = b""
        self.calls: list[str] = []
        self.changed = asyncio.Event()
        self._on_data = on_data

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.changed.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.changed.set()
        if self._on_data is not None:
            self._on_data(data)

    def eof_received(self) -> None:
        self._note("end")

    def connection_lost(self, exc: Exception | None) -> None:
        self._note("lost" if exc is None else f"lost: {type(exc).__name__}")

    def pause_writing(self) -> None:
        self._note("pause")

    def resume_writing(self) -> None:
        self._note("resume")

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not seen():
                self.changed.clear()
                await self.changed.wait()


def _soon(work: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(work)


@asynccontextmanager
async def sockets() -> AsyncIterator[Callable[[Heard], socket.socket]]:
    """Answers what attaches a protocol and hands over its peer's end."""
    watched, peers = Sockets(Outbox(_soon)), list[socket.socket]()

    def attach(protocol: Heard) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        peers.append(theirs)
        watched.attach(ours, protocol, ("192.0.2.1", 1883))
        return theirs

    try:
        yield attach
    finally:
        for one in peers:
            one.close()
        await asyncio.sleep(0)
        watched.close()
        await asyncio.sleep(0.01)


def run(main: Callable[[], Any]) -> Any:
    return asyncio.run(main())


def test_what_the_peer_sends_arrives_in_order_and_then_its_end() -> None:
    sent = bytes(range(256)) * (READ // 100)

    async def main() -> Heard:
        async with sockets() as attach:
            heard = Heard()
            peer = attach(heard)
            await asyncio.get_running_loop().sock_sendall(peer, sent)
            peer.shutdown(socket.SHUT_WR)
            await heard.until(lambda: "lost" in heard.calls)
            return heard

    heard = run(main)

    assert heard.data == sent
    assert heard.calls == ["end", "lost"]


def test_a_slow_reader_is_told_of_and_gets_everything_in_order() -> None:
    pieces = [bytes((number,)) * 100_000 for number in range(20)]

    async def main() -> tuple[Heard, bytes]:
        async with sockets() as attach:
            heard = Heard()
            peer = attach(heard)
            for piece in pieces:
                heard.transport.write(piece)
            paused = list(heard.calls)
            got = b""
            while len(got) < 2_000_000:
                got += await asyncio.get_running_loop().sock_recv(peer, 1_000_000)
            await heard.until(lambda: "resume" in heard.calls)
            assert paused == ["pause"]
            assert heard.transport.get_write_buffer_size() == 0
            return heard, got

    heard, got = run(main)

    assert got == b"".join(pieces)
    assert heard.calls[:2] == ["pause", "resume"]


def test_nothing_is_delivered_while_reading_pauses_and_nothing_is_lost() -> None:
    async def main() -> tuple[bytes, bytes]:
        async with sockets() as attach:
            heard, other = Heard(), Heard()
            peer, witness = attach(heard), attach(other)
            heard.transport.pause_reading()
            peer.send(b"one")
            peer.send(b"two")
            peer.shutdown(socket.SHUT_WR)
            witness.send(b"later than these")
            await other.until(lambda: bool(other.data))
            before = heard.data
            heard.transport.resume_reading()
            await heard.until(lambda: "lost" in heard.calls)
            return before, heard.data

    assert run(main) == (b"", b"onetwo")


def test_a_protocol_that_fails_is_cut_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_data: bytes) -> None:
        raise ZeroDivisionError

    async def main() -> tuple[list[str], list[str]]:
        async with sockets() as attach:
            broken, whole = Heard(fail), Heard()
            peers = attach(broken), attach(whole)
            for peer in peers:
                peer.send(b"x")
            await broken.until(lambda: bool(broken.calls))
            await whole.until(lambda: bool(whole.data))
            return broken.calls, list(whole.calls)

    broken, whole = run(main)

    assert broken == ["lost: ZeroDivisionError"]
    assert whole == []
    assert "a connection failed" in caplog.text


def test_closing_sends_what_waits_and_aborting_does_not() -> None:
    async def ending(how: str) -> int:
        async with sockets() as attach:
            heard = Heard()
            peer = attach(heard)
            heard.transport.write(b"x" * 2_000_000)
            getattr(heard.transport, how)()
            got = 0
            while data := await asyncio.get_running_loop().sock_recv(peer, 1_000_000):
                got += len(data)
            await heard.until(lambda: "lost" in heard.calls)
            return got

    assert asyncio.run(ending("close")) == 2_000_000
    assert asyncio.run(ending("abort")) < 2_000_000


def test_a_peer_that_is_gone_is_noticed_by_writing() -> None:
    async def main() -> Heard:
        async with sockets() as attach:
            heard = Heard()
            peer = attach(heard)
            heard.transport.pause_reading()
            peer.close()
            heard.transport.write(b"x")
            heard.transport.write(b"y")
            await heard.until(lambda: bool(heard.calls))
            return heard

    assert run(main).calls == ["lost: BrokenPipeError"]


def test_what_is_lost_is_freed_without_the_collector() -> None:
    async def main() -> "weakref.ref[Heard]":
        async with sockets() as attach:
            heard = Heard()
            peer = attach(heard)
            peer.close()
            await heard.until(lambda: "lost" in heard.calls)
            heard.transport = None
            return weakref.ref(heard)

    gc.disable()
    try:
        assert run(main)() is None
    finally:
        gc.enable()


def test_the_name_of_the_peer_is_known() -> None:
    async def main() -> tuple[Any, Any]:
        async with sockets() as attach:
            heard = Heard()
            attach(heard)
            transport: Socket = heard.transport
            return transport.get_extra_info("peername"), transport.get_extra_info("cipher", "none")

    assert run(main) == (("192.0.2.1", 1883), "none")


def test_a_protocol_that_fails_when_it_may_write_again_is_cut_and_no_other() -> None:
    class Failing(Heard):
        def resume_writing(self) -> None:
            raise ZeroDivisionError

    async def main() -> tuple[list[str], bytes]:
        async with sockets() as attach:
            broken, whole = Failing(), Heard()
            peer, other = attach(broken), attach(whole)
            broken.transport.write(b"x" * 2_000_000)
            await asyncio.sleep(0.01)  # both are watched
            while broken.calls[-1] == "pause":
                await asyncio.get_running_loop().sock_recv(peer, 1_000_000)
            other.send(b"x")
            await whole.until(lambda: bool(whole.data))
            return list(broken.calls), whole.data

    assert run(main) == (["pause", "lost: ZeroDivisionError"], b"x")
