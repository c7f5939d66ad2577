"""The vending machine over a WebSocket: a device asks as by HTTP, and who waits is served when it is decided about.

A text frame is a request, with the members of `POST /vending`; the answer is a text frame with the members of that
answer, or of the error with its `errorType`, and `statusCode`. A bad request leaves the connection usable. Who waits
need not ask again: the decision is pushed. It goes through the same pipeline as by HTTP, with the same checks and
limits, save that being pushed to does not count as asking.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final

from hedgerow.api.authentication import Peer
from hedgerow.base.ids import Ids
from hedgerow.core.events import Event, Published
from hedgerow.core.wire import HttpRequest, HttpResponse
from hedgerow.services.iot.vending import DECIDED, neighbourhood

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Ask = Callable[[HttpRequest, Peer, str], Awaitable[HttpResponse]]
Expecting = Callable[[str, str], AbstractContextManager[None]]

PATH: Final = "/vending"
MOST: Final = 1000  # sockets at a time; more are sent away
MOST_OF_ADDRESS: Final = 200  # of those; a factory may sit behind one address
LONGEST: Final = 16 * 1024
IDLE_S: Final = 900.0
_FRAMES: Final = 4  # that may wait to be answered; more are not read
_TRY_LATER: Final = 1013
_GOING_AWAY: Final = 1001

_Key = tuple[str, str]


class _Inbox:
    """What one socket has to look at: frames, and that the device it asked for was decided about."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[str | None] = asyncio.Queue(_FRAMES + 2)
        self._room = asyncio.Semaphore(_FRAMES)
        self._decided = False
        self.waits_with: str | None = None  # the request that is to be asked again

    async def frame(self, text: str) -> None:
        """Take a frame; waits while too many are unanswered."""
        await self._room.acquire()
        self._items.put_nowait(text)

    def end(self) -> None:
        """The device has gone."""
        self._items.put_nowait(None)

    def decided(self) -> None:
        """The device was decided about."""
        if not self._decided and self.waits_with is not None:
            self._decided = True
            self._items.put_nowait("")

    async def next(self) -> tuple[str | None, bool]:
        """Answer what is to be asked, None when the device has gone, and whether that is because of a decision.

        Raises TimeoutError after IDLE_S.
        """
        async with asyncio.timeout(IDLE_S):
            text = await self._items.get()
        if text == "" and self._decided:
            self._decided = False
            return self.waits_with or "", True
        if text is not None:
            self._room.release()
        return text, False


class VendingSockets:
    """An ASGI application for WebSockets. One for the cloud, on its loop."""

    def __init__(self, *, ids: Ids, first_account: str, expecting: Expecting) -> None:
        self._ids = ids
        self._expecting = expecting  # within the context, asking for a device does not count
        self._first_account = first_account
        self._open: Counter[str] = Counter()  # sockets by neighbourhood
        self._waiting: dict[_Key, set[_Inbox]] = {}

    def on_event(self, event: Event) -> None:
        """Take note of a committed event: a device may have been decided about."""
        if isinstance(event, Published) and event.topic.startswith(DECIDED):
            for inbox in self._waiting.get((event.account, event.topic.removeprefix(DECIDED)), ()):
                inbox.decided()

    def serving(self, ask: Ask) -> Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]:
        """Answer the application that asks there."""

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()  # websocket.connect
            peer = _peer(scope)
            address = neighbourhood(peer.source_ip)
            if self._open.total() >= MOST or self._open[address] >= MOST_OF_ADDRESS:
                await send({"type": "websocket.close", "code": _TRY_LATER})
                return
            self._open[address] += 1
            try:
                await send({"type": "websocket.accept"})
                await self._serve(ask, peer, receive, send)
            finally:
                self._open[address] -= 1
                self._open += Counter()  # forgets who has none left

        return application

    async def _serve(self, ask: Ask, peer: Peer, receive: Receive, send: Send) -> None:
        inbox = _Inbox()
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(_read(inbox, receive))
            try:
                while True:
                    text, decided = await inbox.next()
                    if text is None:
                        break
                    if text:
                        answer = await self._answered(ask, peer, inbox, text, decided=decided)
                        await send({"type": "websocket.send", "text": answer})
            except TimeoutError:
                with suppress(OSError):
                    await send({"type": "websocket.close", "code": _GOING_AWAY})
            except OSError:  # it has gone while it was being answered
                return
            finally:
                reading.cancel()
                self._leave(inbox)

    async def _answered(self, ask: Ask, peer: Peer, inbox: _Inbox, text: str, *, decided: bool) -> str:
        self._leave(inbox)
        key = self._key(text)
        if key is not None:  # before it is asked, so that no decision is missed
            inbox.waits_with = text
            self._waiting.setdefault(key, set()).add(inbox)
        request = HttpRequest("POST", PATH, "", {"content-type": "application/json"}, text.encode("utf-8", "replace"))
        with self._expecting(*key) if decided and key is not None else nullcontext():
            response = await ask(request, peer, self._ids.uuid())
        body = json.loads(response.body) if isinstance(response.body, bytes) and response.body else {}
        if body.get("status") != "PENDING":
            self._leave(inbox)
        kind = response.headers.get("x-amzn-errortype")
        return json.dumps({"statusCode": response.status, **({"errorType": kind} if kind else {}), **body})

    def _leave(self, inbox: _Inbox) -> None:
        """Let the socket wait for nothing any more."""
        key = None if inbox.waits_with is None else self._key(inbox.waits_with)
        inbox.waits_with = None
        if key is not None:
            others = self._waiting.get(key, set())
            others.discard(inbox)
            if not others:
                self._waiting.pop(key, None)

    def _key(self, text: str) -> _Key | None:
        try:
            asked = json.loads(text)
            serial, account = asked["serialNumber"], asked.get("accountId") or self._first_account
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return (account, serial) if isinstance(serial, str) and isinstance(account, str) else None


async def _read(inbox: _Inbox, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            inbox.end()
            return
        raw = message.get("text")
        text = (message.get("bytes") or b"").decode("utf-8", "replace") if raw is None else raw
        await inbox.frame(text if 0 < len(text) <= LONGEST else "{}")  # which is answered with what is missing


def _peer(scope: Scope) -> Peer:
    tls = (scope.get("extensions") or {}).get("hedgerow.tls") or {}
    client = scope.get("client")
    return Peer(
        source_ip=client[0] if client else None,
        secure=scope.get("scheme") in ("https", "wss"),
        server_name=tls.get("server_name"),
        way=tls.get("way"),
    )
