"""Who owes the console a request for too long is cut off, and nobody else."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from hedgerow.console.patience import REQUEST_S, Patience


@dataclass(eq=False)
class Transport:
    aborted: bool = False

    def abort(self) -> None:
        self.aborted = True


@dataclass(eq=False)
class Cycle:
    response_complete: bool = False


@dataclass(eq=False)
class Connection:
    cycle: Cycle | None = None
    transport: Transport = field(default_factory=Transport)


@dataclass(eq=False)
class WebSocket:
    transport: Transport = field(default_factory=Transport)


def test_a_connection_without_a_request_is_cut_off_in_time() -> None:
    patience, silent = Patience(), Connection()

    patience.look([silent], now=100.0)
    patience.look([silent], now=100.0 + REQUEST_S)
    patient = silent.transport.aborted
    patience.look([silent], now=100.1 + REQUEST_S)

    assert (patient, silent.transport.aborted) == (False, True)


def test_a_slow_second_request_is_no_better() -> None:
    patience, slow = Patience(), Connection(cycle=Cycle(response_complete=True))

    patience.look([slow], now=0.0)
    patience.look([slow], now=REQUEST_S + 1)

    assert slow.transport.aborted


def test_an_answer_that_takes_long_a_websocket_and_a_busy_connection_are_left_alone() -> None:
    patience, waiting, upgraded = Patience(), Connection(cycle=Cycle()), WebSocket()
    busy, first = Connection(), Cycle(response_complete=True)

    for step in range(10):
        busy.cycle = first if step % 2 else Cycle(response_complete=True)
        patience.look([waiting, upgraded, busy], now=step * (REQUEST_S - 1))

    assert not any(each.transport.aborted for each in (waiting, upgraded, busy))


def test_who_left_is_forgotten() -> None:
    patience, gone = Patience(), Connection()
    patience.look([gone], now=0.0)

    patience.look([], now=1.0)
    patience.look([gone], now=REQUEST_S + 1)

    assert not gone.transport.aborted


@pytest.mark.parametrize("request_", [b"", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
def test_the_connections_are_those_of_uvicorn(request_: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def cut_off() -> bytes:
        config, state, patience = (
            uvicorn.Config(app, http="h11", lifespan="off", log_config=None),
            ServerState(),
            Patience(),
        )
        config.load()
        kind: Any = config.http_protocol_class
        make: Any = partial(kind, config=config, server_state=state, app_state={})
        async with await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(request_ + b"GET /half")
            answer = await reader.readuntil(b"\r\n\r\n") if request_ else b""
            while not state.connections:
                await asyncio.sleep(0)
            for now in (0.0, REQUEST_S + 1):
                patience.look(state.connections, now=now)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 5) == b""
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return answer

    assert asyncio.run(cut_off())[:12] == (b"HTTP/1.1 204" if request_ else b"")
