"""Connections that somebody else accepted: the application sees name and way, and they end when their name does."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from hedgerow.api.server import Check, HttpServer, http_server
from hedgerow.core.tls import Port, way_for
from tests.unit.api.certificates import Certificates, made_in

pytestmark = pytest.mark.slow
REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
WAY = way_for(Port.ALPN, ["x-amzn-http-ca"])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return made_in(tmp_path_factory.mktemp("certificates"))


async def echo(scope: Any, _receive: Any, send: Any) -> None:
    """Say what is known of the connection."""
    tls = scope["extensions"]["hedgerow.tls"]
    words = json.dumps([tls["server_name"], tls["way"] == WAY, tls["certificate"] is not None]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(words))]})
    await send({"type": "http.response.body", "body": words})


@asynccontextmanager
async def taken(
    server: HttpServer, certificates: Certificates, name: str, check: Check | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's connection that `server` was given."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        calling = loop.create_task(
            asyncio.open_connection(*listening.getsockname(), ssl=certificates.device(), server_hostname="localhost")
        )
        ours, _ = await loop.sock_accept(listening)
        await server.take(ours, certificates.server(), server_name=name, way=WAY, check=check)
        reader, writer = await calling
    try:
        yield reader, writer
    finally:
        writer.close()


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    return json.loads(await reader.readexactly(length))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 10))


def test_the_application_sees_the_name_and_the_way_in(certificates: Certificates) -> None:
    async def main() -> None:
        async with http_server(echo) as server, taken(server, certificates, "a.example") as (reader, writer):
            assert await asked(reader, writer) == ["a.example", True, True]

    run(main())


def test_connections_to_a_name_end_and_others_go_on(certificates: Certificates) -> None:
    async def main() -> None:
        async with (
            http_server(echo) as server,
            taken(server, certificates, "a.example") as (a_reader, a_writer),
            taken(server, certificates, "b.example") as (b_reader, b_writer),
        ):
            await asked(a_reader, a_writer)
            await asked(b_reader, b_writer)

            server.end("a.example")

            assert await a_reader.read() == b""
            assert (await asked(b_reader, b_writer))[0] == "b.example"

    run(main())


def test_a_handshake_that_fails_is_over(certificates: Certificates) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with http_server(echo) as server:
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            theirs.sendall(b"GET / HTTP/1.1\r\n\r\n")

            await server.take(ours, certificates.server(), server_name=None, way=None)

            theirs.setblocking(False)
            assert b"HTTP" not in await loop.sock_recv(theirs, 100)
            theirs.close()

    run(main())


def test_nothing_is_answered_before_the_certificate_was_looked_at(certificates: Certificates) -> None:
    async def main() -> None:
        looked: list[bytes] = []

        async def check(der: bytes) -> bool:
            looked.append(der)
            await asyncio.sleep(0.05)
            return True

        async with (
            http_server(echo) as server,
            taken(server, certificates, "a.example", check) as (reader, writer),
        ):
            assert await asked(reader, writer) == ["a.example", True, True]
            assert await asked(reader, writer) == ["a.example", True, True]
        assert len(looked) == 1

    run(main())


def test_who_does_not_pass_is_cut_without_an_answer(certificates: Certificates) -> None:
    async def main() -> None:
        async def check(_der: bytes) -> bool:
            return False

        async with http_server(echo) as server, taken(server, certificates, "a.example", check) as (reader, writer):
            writer.write(REQUEST)
            with suppress(ConnectionError):
                assert await reader.read() == b""

    run(main())
