"""The line to the vending machine: a WebSocket that stays open while the device waits, or one request by HTTPS.

`answers()` gives every answer in turn, as a mapping with the members of the documented answers and `statusCode`. By
HTTPS it is one; by WebSocket what follows a PENDING comes by itself, as soon as somebody has decided, so that nothing
says when to ask again. Where no WebSocket is offered (a proxy, too many open) it asks by HTTPS. Leaves to others: what
the answers mean (`vending.py`).
"""

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import ProtocolViolation
from hedgerow.base.log import get_logger
from hedgerow.edge.endpoint import Endpoint
from hedgerow.edge.https import ask
from hedgerow.edge.tls import trusting
from hedgerow.edge.trouble import Trouble, explained
from hedgerow.edge.websocket import ClientSocket, Closed, Declined, Event, Opened, Pong, Text

PATH: Final = "/vending"
OPENED_WITHIN_S: Final = 30.0
PING_EVERY_S: Final = 60.0  # a dead line is noticed after twice that
CLOSING_S: Final = 0.5
_CHUNK: Final = 65_536
_log = get_logger("edge.vending")

Said = Mapping[str, Any]


class NoSocket(Trouble):
    """There is no WebSocket to be had here; by HTTPS it may work."""


class Line:
    """Where a device asks. `endpoint` must be proved by a certificate of the CA in `root_ca`."""

    def __init__(
        self, *, endpoint: Endpoint, root_ca: Path, by_socket: bool, ping_every_s: float = PING_EVERY_S
    ) -> None:
        self._endpoint = endpoint
        self._root_ca = root_ca
        self._by_socket = by_socket
        self._ping_every = ping_every_s

    async def answers(self, said: Said) -> AsyncGenerator[dict[str, Any], None]:
        """Ask, and give the answers as they come, until the cloud ends the line; raise Trouble when it fails."""
        context = await asyncio.to_thread(trusting, self._root_ca)
        if self._by_socket:
            try:
                async with self._opened(context) as talk:
                    async for answer in talk.answers(said):
                        yield answer
                return
            except NoSocket as reason:
                _log.info("asking by HTTPS", extra={"fields": {"cause": str(reason)}})
        yield await asyncio.to_thread(self._posted, context, said)

    def _posted(self, context: ssl.SSLContext, said: Said) -> dict[str, Any]:
        answer = ask(
            self._endpoint,
            context,
            "POST",
            PATH,
            headers={"content-type": "application/json"},
            body=json.dumps(said).encode(),
            root_ca=str(self._root_ca),
        )
        return {"message": answer.message, **answer.document(), "statusCode": answer.status}

    @asynccontextmanager
    async def _opened(self, context: ssl.SSLContext) -> AsyncIterator["_Talk"]:
        endpoint = self._endpoint
        try:
            async with asyncio.timeout(OPENED_WITHIN_S):
                reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise explained(error, endpoint, root_ca=str(self._root_ca), certificate="") from error
        socket = ClientSocket(
            host=str(endpoint), path=PATH, key=secrets.token_bytes(16), mask=lambda: secrets.token_bytes(4)
        )
        talk = _Talk(reader, writer, socket, ping_every_s=self._ping_every)
        try:
            try:
                await talk.greet()
                yield talk
            except ProtocolViolation as error:
                raise NoSocket(f"{endpoint} does not speak WebSocket: {error}") from error
            except OSError as error:
                raise explained(error, endpoint, root_ca=str(self._root_ca), certificate="") from error
        finally:
            await talk.aclose()


class _Talk:
    """One WebSocket, pumped."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        socket: ClientSocket,
        *,
        ping_every_s: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._socket = socket
        self._ping_every = ping_every_s

    async def greet(self) -> None:
        """Become a WebSocket; raise NoSocket when the server declines."""
        try:
            async with asyncio.timeout(OPENED_WITHIN_S):
                while True:
                    for event in await self._step():
                        match event:
                            case Opened():
                                return
                            case Declined(status=status):
                                raise NoSocket(f"no WebSocket here: {status}")
                            case _:
                                continue
        except TimeoutError:
            raise NoSocket(f"no answer to the upgrade within {OPENED_WITHIN_S:g} s") from None

    async def answers(self, said: Said) -> AsyncGenerator[dict[str, Any], None]:
        """Send what is said, and give what comes until the server ends it."""
        self._socket.send(json.dumps(said))
        asked = False  # whether the server is there
        while True:
            try:
                async with asyncio.timeout(self._ping_every):
                    events = await self._step()
            except TimeoutError:
                if asked:
                    raise Trouble(f"nothing came for {2 * self._ping_every:g} s, not even a pong") from None
                asked = True
                self._socket.ping()
                continue
            asked = False
            for event in events:
                match event:
                    case Text(text=text):
                        answer = _object(text)
                        answer.pop("retryAfterSeconds", None)
                        yield answer
                    case Closed():
                        return
                    case Opened() | Declined() | Pong():
                        pass

    async def aclose(self) -> None:
        """Say goodbye and close."""
        self._socket.close()
        self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except OSError:  # it was broken before it was closed
            return

    async def _step(self) -> list[Event]:
        self._flush()
        data = await self._reader.read(_CHUNK)
        if not data:
            raise Trouble("the cloud ended the connection without a word")
        events = self._socket.receive(data)
        self._flush()
        return events

    def _flush(self) -> None:
        data = self._socket.output()
        if data and not self._writer.is_closing():
            self._writer.write(data)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Trouble("the vending machine's answer is not a JSON object")
    return value


Answers = Callable[[Said], AsyncGenerator[dict[str, Any], None]]
