"""The line to a vending machine, over TLS: a socket that stays open, and HTTPS where there is none."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Opcode

from hedgerow.edge.endpoint import Endpoint
from hedgerow.edge.trouble import Trouble, WrongCa
from hedgerow.edge.vending_line import Line
from tests.unit.edge.pki import Authority, Pki

PENDING = {"statusCode": 200, "status": "PENDING"}
ISSUED = {"statusCode": 200, "status": "ISSUED"}
SAID = {"serialNumber": "4711"}


def context(pki: Pki) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(pki.folder / "server.crt", pki.folder / "server.key")
    return made


@asynccontextmanager
async def machine(pki: Pki, talk: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[Endpoint]:
    async with serve(
        talk, "127.0.0.1", 0, ssl=context(pki), ping_interval=None, close_timeout=0.2, create_connection=Counting
    ) as server:
        yield Endpoint("localhost", next(iter(server.sockets)).getsockname()[1])


async def heard(line: Line) -> tuple[list[Any], str]:
    """Ask and answer what came until the end, and why it ended."""
    got: list[Any] = []
    try:
        async with asyncio.timeout(5), aclosing(line.answers(SAID)) as answers:
            async for answer in answers:
                got.append(answer)  # noqa: PERF401  # an error must not lose what came before
    except Trouble as trouble:
        return got, str(trouble)
    return got, ""


@pytest.mark.spec("AL-56")
def test_who_waits_on_the_socket_hears_of_the_decision_on_it(pki: Pki) -> None:
    asked: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        asked.append((socket.request.path if socket.request else "", json.loads(await socket.recv())))
        for answer in (PENDING | {"retryAfterSeconds": 60}, ISSUED):
            await socket.send(json.dumps(answer))
        await socket.close(1001)

    async def scenario() -> None:
        async with machine(pki, talk) as endpoint:
            line = Line(endpoint=endpoint, root_ca=pki.root_ca, by_socket=True)
            got, end = await heard(line)
        assert (got, end) == ([PENDING, ISSUED], "")

    asyncio.run(scenario())
    assert asked == [("/vending", SAID)]


def test_a_line_that_died_is_noticed(pki: Pki) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(json.dumps(PENDING))
        socket.transport.pause_reading()  # no pong will come
        await socket.wait_closed()

    async def scenario() -> None:
        async with machine(pki, talk) as endpoint:
            line = Line(endpoint=endpoint, root_ca=pki.root_ca, by_socket=True, ping_every_s=0.05)
            got, end = await heard(line)
        assert got == [PENDING]
        assert "not even a pong" in end

    asyncio.run(scenario())


class Counting(ServerConnection):
    """Counts the pings that it answers."""

    pings = 0

    def process_event(self, event: Any) -> None:
        self.pings += getattr(event, "opcode", None) is Opcode.PING
        super().process_event(event)


def test_a_line_on_which_pongs_come_stays_open(pki: Pki) -> None:
    async def talk(socket: ServerConnection) -> None:
        assert isinstance(socket, Counting)
        await socket.recv()
        async with asyncio.timeout(5):
            while socket.pings < 3:
                await asyncio.sleep(0.002)
        await socket.send(json.dumps(ISSUED))
        await socket.close()

    async def scenario() -> None:
        async with machine(pki, talk) as endpoint:
            line = Line(endpoint=endpoint, root_ca=pki.root_ca, by_socket=True, ping_every_s=0.02)
            assert (await heard(line))[0] == [ISSUED]

    asyncio.run(scenario())


@asynccontextmanager
async def https_only(pki: Pki, requests: list[str]) -> AsyncIterator[Endpoint]:
    """A server that declines upgrades and answers requests."""

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        requests.append(head.split(" ", 1)[0])
        body = b"{}"
        if head.startswith("POST /vending "):
            length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
            assert json.loads(await reader.readexactly(length)) == SAID
            body = json.dumps({"status": "PENDING", "retryAfterSeconds": 7}).encode()
        status = b"200 OK" if head.startswith("POST") else b"403 Forbidden"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context(pki))
    try:
        yield Endpoint("localhost", server.sockets[0].getsockname()[1])
    finally:
        server.close()


@pytest.mark.spec("AL-56", "AL-57")
@pytest.mark.parametrize(("by_socket", "methods"), [(True, ["GET", "POST"]), (False, ["POST"])])
def test_where_there_is_no_websocket_it_asks_by_https(pki: Pki, by_socket: bool, methods: list[str]) -> None:
    requests: list[str] = []

    async def scenario() -> None:
        async with https_only(pki, requests) as endpoint:
            got, end = await heard(Line(endpoint=endpoint, root_ca=pki.root_ca, by_socket=by_socket))
        assert end == ""
        assert [(each["statusCode"], each["status"], each["retryAfterSeconds"]) for each in got] == [
            (200, "PENDING", 7)
        ]

    asyncio.run(scenario())
    assert requests == methods


@pytest.mark.parametrize("by_socket", [True, False])
def test_a_machine_that_cannot_prove_that_it_is_the_clouds_hears_nothing(
    pki: Pki, tmp_path: Path, by_socket: bool
) -> None:
    other = tmp_path / "other.pem"
    requests: list[str] = []
    other.write_bytes(Authority.make("another").pem)

    async def scenario() -> None:
        async with https_only(pki, requests) as endpoint:
            line = Line(endpoint=endpoint, root_ca=other, by_socket=by_socket)
            with pytest.raises(WrongCa, match="check rootCaPath"):
                await anext(line.answers(SAID))

    asyncio.run(scenario())
    assert requests == []


def test_nobody_there_is_said(pki: Pki) -> None:
    async def talk(_: ServerConnection) -> None:
        return

    async def scenario() -> str:
        async with machine(pki, talk) as endpoint:
            gone = endpoint
        return (await heard(Line(endpoint=gone, root_ca=pki.root_ca, by_socket=True)))[1]

    assert "cannot reach" in asyncio.run(scenario())
