"""Messages to the cloud that wait on disk: in order, bounded, kept until they are acknowledged.

What `add` has answered survives a power cut. Several adds that wait share one transaction. When the spool is full the
oldest QoS 0 messages go first; when there are none left to go, the new message is refused. Leaves to others: sending.
"""

import asyncio
import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.base.errors import Unavailable
from hedgerow.edge.state import State

_OVERHEAD: Final = 64  # bytes counted for a message beside its topic and payload
_BATCH: Final = 256  # messages written in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to the cloud. `properties` are those of MQTT 5, by number, as JSON holds them (bytes in base64)."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: dict[str, Any] = field(default_factory=dict)
    expires_at: float | None = None
    seq: int = 0

    @property
    def size(self) -> int:
        return _OVERHEAD + len(self.topic.encode()) + len(self.payload)


class SpoolFull(Unavailable):
    """There is no room left for a message that has to be kept."""


class Spool:
    """The messages that wait. `load` it before use."""

    def __init__(self, state: State, *, limit_bytes: int) -> None:
        self._state = state
        self._limit = limit_bytes
        self._bytes = 0
        self._dropped = 0
        self._adding: list[tuple[Outgoing, asyncio.Future[int]]] = []
        self._done: set[int] = set()
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Count what a former process left."""
        self._bytes = await self._state.read(_size)

    def statistics(self) -> dict[str, int]:
        """Answer how full it is."""
        return {"bytes": self._bytes, "limit": self._limit, "dropped": self._dropped}

    async def add(self, message: Outgoing) -> int:
        """Keep the message and answer its number; raise SpoolFull when there is no room."""
        if message.size > self._limit:
            raise SpoolFull(f"a message of {message.size} bytes is larger than the spool ({self._limit})")
        if len(self._adding) >= 4 * _BATCH:
            raise SpoolFull("too many messages wait to be written")
        kept: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._adding.append((message, kept))
        async with self._turn:  # whoever comes first writes for all who wait
            if not kept.done():
                await self._write()
        return await kept

    async def after(self, seq: int, limit: int) -> list[Outgoing]:
        """Answer the next messages in order; those already done are not among them."""
        while True:
            begin = seq
            rows = await self._state.read(
                lambda c: c.execute(
                    "SELECT seq, topic, payload, qos, retain, properties, expires_at FROM spool "
                    "WHERE seq > ? ORDER BY seq LIMIT ?",
                    (begin, limit),  # noqa: B023  # read before it changes
                ).fetchall()
            )
            found = [_message(row) for row in rows if row[0] not in self._done]
            if found or len(rows) < limit or not rows:
                return found
            seq = rows[-1][0]  # all of these are done and not yet written down as such: look behind them

    def done(self, seq: int) -> None:
        """The message needs no keeping any more. It goes with the next write: a crash before that sends it twice."""
        self._done.add(seq)

    async def settle(self) -> None:
        """Write down what is done."""
        async with self._turn:
            if self._done:
                await self._write()

    async def _write(self) -> None:
        batch, self._adding = self._adding[:_BATCH], self._adding[_BATCH:]
        gone = set(self._done)
        try:
            outcome = await self._state.write(lambda c: self._step(c, [message for message, _ in batch], gone))
        except BaseException as error:
            for _, kept in batch:
                if not kept.done():
                    kept.set_exception(error if isinstance(error, Exception) else Unavailable("the edge stops"))
                    kept.exception()  # it is also raised here; whoever still waits gets it
            raise
        self._done -= gone
        numbers, self._bytes, dropped = outcome
        self._dropped += dropped
        for (_, kept), number in zip(batch, numbers, strict=True):
            if kept.done():
                continue
            if number is None:
                kept.set_exception(SpoolFull(f"the spool is full ({self._limit} bytes)"))
            else:
                kept.set_result(number)

    def _step(
        self, connection: sqlite3.Connection, messages: list[Outgoing], gone: set[int]
    ) -> tuple[list[int | None], int, int]:
        connection.executemany("DELETE FROM spool WHERE seq = ?", [(seq,) for seq in gone])
        used, dropped = _size(connection), 0
        numbers: list[int | None] = []
        for message in messages:
            if used + message.size > self._limit:
                freed, count = _drop(connection, used + message.size - self._limit)
                used, dropped = used - freed, dropped + count
            if used + message.size > self._limit:
                numbers.append(None)
                continue
            cursor = connection.execute(
                "INSERT INTO spool(topic, payload, qos, retain, properties, expires_at, size) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    message.topic,
                    message.payload,
                    message.qos,
                    int(message.retain),
                    json.dumps(message.properties),
                    message.expires_at,
                    message.size,
                ),
            )
            numbers.append(cursor.lastrowid)
            used += message.size
        return numbers, used, dropped


def _drop(connection: sqlite3.Connection, wanted: int) -> tuple[int, int]:
    """Drop the oldest QoS 0 messages until so many bytes are free; answer how many were freed, of how many messages."""
    freed = count = 0
    for seq, size in connection.execute("SELECT seq, size FROM spool WHERE qos = 0 ORDER BY seq").fetchall():
        if freed >= wanted:
            break
        connection.execute("DELETE FROM spool WHERE seq = ?", (seq,))
        freed, count = freed + size, count + 1
    return freed, count


def _size(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("SELECT COALESCE(SUM(size), 0) FROM spool").fetchone()
    return int(size)


def _message(row: tuple[Any, ...]) -> Outgoing:
    seq, topic, payload, qos, retain, properties, expires_at = row
    return Outgoing(
        seq=seq,
        topic=topic,
        payload=payload,
        qos=qos,
        retain=bool(retain),
        properties=json.loads(properties),
        expires_at=expires_at,
    )
