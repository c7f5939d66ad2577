"""Keeps what gateways tell of connections: lifecycle events become rows, in batches, and the index hears of them.

An event that comes twice or late changes nothing. A client whose name is no thing's has a row for as long as it is
connected: a thing that gets this name meanwhile is connected from the start. What comes faster than it can be written
is dropped, oldest first and counted; the next event of the same client, at the latest its disconnection, puts it right.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.gateway.account import Connectivity
from hedgerow.gateway.ports import Message
from hedgerow.services.iot.connectivity import ConnectivityStore, Presence
from hedgerow.services.iot.fleet_index import Announcing
from hedgerow.services.iot.things import ThingStore
from hedgerow.store import Answer, Run, Tx

log = get_logger("presence")

PREFIX: Final = "$aws/events/presence/"
WAITING: Final = 50_000  # clients whose news waits
BATCH: Final = 100
EVERY_S: Final = 0.1

Describe = Callable[[str, str], Connectivity | None]


class PresenceRecorder:
    """Hears lifecycle events on the loop; `run` writes them down until cancelled."""

    def __init__(
        self, *, run: Run, store: ConnectivityStore, things: ThingStore, index: Announcing, describe: Describe
    ) -> None:
        self._run = run
        self._store = store
        self._things = things
        self._index = index
        self._describe = describe
        self._waiting: dict[tuple[str, str], Presence] = {}
        self._news = asyncio.Event()
        self.dropped = 0
        self.written = 0

    def on_message(self, message: Message) -> None:
        """Take note of a lifecycle event; everything else is no concern of this."""
        event = _event(message)
        if event is None:
            return
        new = self._presence(message.account, event)
        key = (message.account, new.thing)
        if not new.supersedes(self._waiting.get(key)):
            return
        self._waiting.pop(key, None)
        self._waiting[key] = new
        if len(self._waiting) > WAITING:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
        self._news.set()

    async def begin(self) -> None:
        """No gateway runs yet, so nobody is connected: end what a crash left, told by the gateway's journal or not."""
        left = BATCH
        while left == BATCH:
            left = len((await self._run.write(self._end)).response["ended"])

    def _end(self, tx: Tx) -> Answer:
        found = self._store.connected(tx, limit=BATCH)
        for account, one in found:
            self._note(tx, account, replace(one, connected=False, at=tx.now, reason="SERVER_ERROR"))
        return Answer({"ended": [one.thing for _, one in found]})

    async def run(self) -> None:
        """Write what waits, some at a time."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.write()
            await asyncio.sleep(EVERY_S)

    async def write(self) -> None:
        """Write everything that waits."""
        while self._waiting:
            batch = dict(list(self._waiting.items())[:BATCH])
            try:
                await self._run.write(lambda tx, batch=batch: self._keep(tx, batch))  # type: ignore[misc]  # a default binds the loop's variable
            except Unavailable:
                log.warning("connectivity could not be written; it is tried again", exc_info=True)
                self._news.set()
                return
            for key, one in batch.items():
                if self._waiting.get(key) is one:
                    del self._waiting[key]
            self.written += len(batch)

    def statistics(self) -> Mapping[str, int]:
        return {"waiting": len(self._waiting), "written": self.written, "dropped": self.dropped}

    def _keep(self, tx: Tx, batch: Mapping[tuple[str, str], Presence]) -> Answer:
        for (account, _), one in batch.items():
            self._note(tx, account, one)
        return Answer()

    def _note(self, tx: Tx, account: str, new: Presence) -> None:
        there = self._things.exists(tx, account, new.thing)
        if not there and not new.connected:
            self._store.forget(tx, account, new)
        elif self._store.put(tx, account, new) and there:
            self._index.connectivity_changed(tx, account, new.thing)

    def _presence(self, account: str, event: Mapping[str, Any]) -> Presence:
        client_id = event["clientId"]
        connected = event["eventType"] == "connected"
        known = self._describe(account, client_id)
        if known is not None and known.epoch != event["versionNumber"]:
            known = None  # it speaks of another connection
        return Presence(
            thing=event.get("thingName") or client_id,
            client_id=client_id,
            connected=connected,
            at=event["timestamp"] / 1000,
            epoch=event["versionNumber"],
            reason="" if connected else event["disconnectReason"],
            clean_session=known.clean_session if known is not None else None,
            keep_alive_s=known.keep_alive_s if known is not None else None,
            session_expiry_s=known.session_expiry_s if known is not None else None,
            source_ip=known.peer if known is not None else None,
            source_port=known.port if known is not None else None,
            target_ip=known.target or None if known is not None else None,
            target_port=known.target_port or None if known is not None else None,
        )


def wants(topic: str) -> bool:
    """Tell whether a topic is that of a connection's begin or end."""
    return topic.startswith((PREFIX + "connected/", PREFIX + "disconnected/"))


def _event(message: Message) -> Mapping[str, Any] | None:
    if not wants(message.topic):
        return None
    event: Mapping[str, Any] = json.loads(message.payload)
    return event
