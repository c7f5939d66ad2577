"""The socket of the local IPC: a client per connection, its calls in order of their coming.

Bounds: clients, open streams of a client (`rpc.py`), and bytes that wait for a client that does not read, above which a
subscription's messages are dropped. Leaves to others: the protocol (`rpc.py`), the operations (`operations.py`).
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import ProtocolViolation
from hedgerow.base.log import get_logger
from hedgerow.edge.ipc.operations import Call, Failed, Operations
from hedgerow.edge.ipc.rpc import VERSION, Called, Client, Closed, Connecting, Event
from hedgerow.edge.trouble import Trouble

MOST_CLIENTS: Final = 256
MOST_WAITING_BYTES: Final = 8 * 1024 * 1024
HELLO_S: Final = 10.0
CLOSING_S: Final = 2.0
_log = get_logger("edge.ipc")


class IpcServer:
    """Serves the clients of one core."""

    def __init__(self, *, operations: Operations, component_of: Callable[[str], str | None]) -> None:
        self._operations = operations
        self._component_of = component_of
        self._clients: set[_Connection] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.dropped = 0

    @asynccontextmanager
    async def listening(self, path: Path) -> AsyncIterator[None]:
        """Listen on the socket for as long as the context lasts."""
        bound = _bind(path)
        async with asyncio.TaskGroup() as tasks:
            server = await asyncio.start_unix_server(self._serve, sock=bound)
            keeper = tasks.create_task(_keep(server))
            try:
                yield
            finally:
                keeper.cancel()
                server.close()
                for client in list(self._clients):
                    client.cut()
                await self._gone()
                _unlink(path)

    async def _gone(self) -> None:
        """Wait until the clients that were cut have ended, for a short while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self._empty.wait()

    def statistics(self) -> dict[str, int]:
        """Answer how many clients there are and how many messages were dropped."""
        return {"clients": len(self._clients), "dropped": self.dropped}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MOST_CLIENTS:
            writer.close()
            return
        client = _Connection(reader, writer, self._operations, self._component_of, self)
        self._clients.add(client)
        self._empty.clear()
        try:
            await client.run()
        except* (ProtocolViolation, OSError, TimeoutError) as group:
            _log.warning("an IPC client was cut off", extra={"fields": {"cause": str(group.exceptions[0])}})
        finally:
            await client.aclose()
            self._clients.discard(client)
            if not self._clients:
                self._empty.set()


class _Connection:
    """One client."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        operations: Operations,
        component_of: Callable[[str], str | None],
        server: IpcServer,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._operations = operations
        self._component_of = component_of
        self._server = server
        self._client = Client()
        self._component = ""
        self._ends: dict[int, Callable[[], Awaitable[None]]] = {}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                async with asyncio.timeout(None if self._component else HELLO_S):
                    data = await self._reader.read(65_536)
                if not data:
                    return
                for event in self._client.receive(data):
                    if not await self._take(event, tasks):
                        await self._left()
                        return
                self._flush()
                await self._writer.drain()

    async def _left(self) -> None:
        """Let a client that was refused read that and go, for a short while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                while await self._reader.read(65_536):
                    pass

    def cut(self) -> None:
        self._writer.close()

    async def aclose(self) -> None:
        self._writer.close()
        ends, self._ends = list(self._ends.values()), {}
        for end in ends:
            with contextlib.suppress(Trouble):
                await end()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _take(self, event: Event, tasks: asyncio.TaskGroup) -> bool:
        match event:
            case Connecting(token=token, version=version):
                return self._greet(token, version)
            case Called():
                tasks.create_task(self._perform(event))
            case Closed(stream=stream):
                end = self._ends.pop(stream, None)
                if end is not None:
                    with contextlib.suppress(Trouble):
                        await end()
        return True

    def _greet(self, token: str, version: str) -> bool:
        component = self._component_of(token)
        if component is None or version != VERSION:
            self._client.refuse()
            self._flush()
            _log.warning("an IPC client was refused", extra={"fields": {"version": version}})
            return False
        self._component = component
        self._client.accept()
        return True

    async def _perform(self, called: Called) -> None:
        def send(shape: str, body: Mapping[str, Any]) -> None:
            if self._writer.transport.get_write_buffer_size() > MOST_WAITING_BYTES:
                self._server.dropped += 1
                return
            self._client.event(called.stream, shape, body)
            self._flush()

        call = Call(component=self._component, operation=called.operation, body=called.body, send=send)
        try:
            answer = await self._operations.perform(call)
        except Failed as error:
            self._client.fail(called.stream, error.error, {"message": str(error), **error.members})
        except Exception as error:  # noqa: BLE001  # the task's border: the client gets an answer, the log the traceback
            _log.exception(
                "an IPC operation failed by our own fault", extra={"fields": {"operation": called.operation}}
            )
            self._client.fail(called.stream, "ServiceError", {"message": f"internal error: {type(error).__name__}"})
        else:
            if not self._client.is_open(called.stream):  # the client has given up on it meanwhile
                if answer.end is not None:
                    await answer.end()
                return
            self._client.answer(called.stream, called.operation, answer.body, ends=answer.end is None)
            if answer.end is not None:
                self._ends[called.stream] = answer.end
            if answer.answered is not None:
                answer.answered()
        self._flush()

    def _flush(self) -> None:
        data = self._client.output()
        if data and not self._writer.is_closing():
            self._writer.write(data)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def _bind(path: Path) -> socket.socket:
    """Bind a socket that every user may connect to. The path may be longer than a socket's address can be."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        bound.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    path.chmod(0o666)
    bound.setblocking(False)
    return bound


async def _keep(server: asyncio.AbstractServer) -> None:
    async with server:
        await asyncio.get_running_loop().create_future()
