"""A connection's first bytes decide how it goes on; who says nothing is not waited for."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

import pytest

from hedgerow.core.tls import Hello
from hedgerow.gateway import entry
from hedgerow.gateway.entry import Caller


def first_bytes() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="iot.example.org").do_handshake()
    return outgoing.read()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 5))


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, theirs


def test_the_hello_is_read_and_stays_where_it_is() -> None:
    ours, theirs = pair()
    data = first_bytes()

    async def main() -> tuple[Hello, bytes]:
        theirs.sendall(data)
        return await Caller(ours, 0.0).hello(), ours.recv(65536)

    with ours, theirs:
        assert run(main()) == (Hello("iot.example.org"), data)


def test_a_hello_in_parts_is_waited_for() -> None:
    ours, theirs = pair()
    data = first_bytes()

    async def main() -> Hello:
        waiting = asyncio.ensure_future(Caller(ours, 0.0).hello())
        await asyncio.sleep(0)
        theirs.sendall(data[:50])
        await asyncio.sleep(0)
        theirs.sendall(data[50:])
        return await waiting

    with ours, theirs:
        assert run(main()) == Hello("iot.example.org")


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"])
def test_who_does_not_go_on_is_not_waited_for(said: bytes) -> None:
    ours, theirs = pair()

    async def main() -> None:
        caller = Caller(ours, 0.0)
        waiting = asyncio.ensure_future(caller.hello())
        theirs.sendall(said)
        await asyncio.sleep(0)
        caller.expire()
        with pytest.raises(TimeoutError):
            await waiting

    with ours, theirs:
        run(main())


def test_a_hello_that_stands_still_is_not_read_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pair()
    looks: list[int] = []
    monkeypatch.setattr(entry, "read_hello", lambda data: looks.append(len(data)))

    async def main() -> None:
        theirs.sendall(first_bytes()[:50])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Caller(ours, 0.0).hello(), 0.1)

    with ours, theirs:
        run(main())
    assert looks == [50]


def test_who_hangs_up_is_gone() -> None:
    ours, theirs = pair()

    async def main() -> None:
        theirs.close()
        with pytest.raises(ConnectionResetError):
            await Caller(ours, 0.0).hello()

    with ours:
        run(main())
