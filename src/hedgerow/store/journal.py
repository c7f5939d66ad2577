"""The gateway's journal on SQLite: a file of its own, a writer thread of its own, one commit for all that waits.

It never waits for the main store's writer, and the gateway's loop never waits for it. What a record's body means is the
gateway's business; here it is bytes. Full sync: what was answered with True survives a power cut.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import Unusable
from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.records import (
    InFlight,
    Landed,
    Loaded,
    Queued,
    Record,
    Retained,
    SessionEnded,
    SessionSaved,
    Settled,
    Step,
    SubscriptionsChanged,
)

log = get_logger("store.journal")

WAITING: Final = 100_000  # records; what comes beyond is refused, so that its sender is told
WAITING_BYTES: Final = 256 * 1024 * 1024  # of their bodies; one that is larger by itself is taken when nothing waits
GROUP: Final = 5_000  # records in one commit
LINGER_S: Final = 0.05  # how long records wait for company when nobody waits for their answer

Done = Callable[[bool], None]
Call = Callable[[Callable[[], None]], Any]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS session (
    account TEXT NOT NULL, client_id TEXT NOT NULL, epoch INTEGER NOT NULL, gateway TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (account, client_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS change (
    account TEXT NOT NULL, client_id TEXT NOT NULL, epoch INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS change_of ON change (account, client_id);
CREATE TABLE IF NOT EXISTS queued (
    account TEXT NOT NULL, client_id TEXT NOT NULL, number INTEGER NOT NULL, epoch INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (account, client_id, number));
CREATE TABLE IF NOT EXISTS in_flight (
    account TEXT NOT NULL, client_id TEXT NOT NULL, inbound INTEGER NOT NULL, packet_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL, step INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (account, client_id, inbound, packet_id));
CREATE TABLE IF NOT EXISTS retained (
    account TEXT NOT NULL, topic TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (account, topic));
"""
SAVE: Final = (
    "INSERT INTO session (account, client_id, epoch, gateway, body) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET epoch = excluded.epoch, gateway = excluded.gateway, body = excluded.body"
    " WHERE excluded.epoch >= session.epoch"
)
END: Final = "DELETE FROM session WHERE account = ? AND client_id = ? AND epoch <= ?"
END_REST: Final = tuple(
    f"DELETE FROM {table} WHERE account = ?1 AND client_id = ?2"  # noqa: S608  # names of ours
    " AND NOT EXISTS (SELECT 1 FROM session WHERE account = ?1 AND client_id = ?2)"
    for table in ("change", "queued", "in_flight")
)
CHANGE: Final = (
    "INSERT INTO change (account, client_id, epoch, body) SELECT ?1, ?2, ?3, ?4"
    " WHERE EXISTS (SELECT 1 FROM session WHERE account = ?1 AND client_id = ?2 AND epoch <= ?3)"
)
UNCHANGE: Final = "DELETE FROM change WHERE account = ? AND client_id = ?"
CHANGES: Final = (
    "SELECT c.account, c.client_id, c.epoch, c.body FROM change c JOIN session s USING (account, client_id)"
    " WHERE s.gateway = ? ORDER BY c.rowid"
)
CHANGES_OF: Final = (
    "SELECT account, client_id, epoch, body FROM change WHERE account = ? AND client_id = ? ORDER BY rowid"
)
QUEUE: Final = (
    "INSERT OR REPLACE INTO queued (account, client_id, epoch, number, body) SELECT ?1, ?2, ?3, ?4, ?5"
    " WHERE EXISTS (SELECT 1 FROM session WHERE account = ?1 AND client_id = ?2 AND epoch <= ?3)"
)
SETTLE: Final = "DELETE FROM queued WHERE account = ? AND client_id = ? AND number = ?"
FLY: Final = (
    "INSERT OR REPLACE INTO in_flight (account, client_id, epoch, packet_id, step, number, inbound)"
    " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
    " WHERE EXISTS (SELECT 1 FROM session WHERE account = ?1 AND client_id = ?2 AND epoch <= ?3)"
)
LAND: Final = "DELETE FROM in_flight WHERE account = ? AND client_id = ? AND packet_id = ? AND inbound = ?"
RETAIN: Final = "INSERT OR REPLACE INTO retained (account, topic, body) VALUES (?, ?, ?)"
UNRETAIN: Final = "DELETE FROM retained WHERE account = ? AND topic = ?"
SESSIONS: Final = "SELECT account, client_id, epoch, gateway, body FROM session WHERE gateway = ?"
SESSION: Final = "SELECT account, client_id, epoch, gateway, body FROM session WHERE account = ? AND client_id = ?"
MESSAGES: Final = (
    "SELECT q.account, q.client_id, q.epoch, q.number, q.body FROM queued q JOIN session s USING (account, client_id)"
    " WHERE s.gateway = ? ORDER BY q.account, q.client_id, q.number"
)
MESSAGES_OF: Final = (
    "SELECT account, client_id, epoch, number, body FROM queued WHERE account = ? AND client_id = ? ORDER BY number"
)
FLYING: Final = (
    "SELECT f.account, f.client_id, f.epoch, f.packet_id, f.step, f.number"
    " FROM in_flight f JOIN session s USING (account, client_id) WHERE s.gateway = ? ORDER BY f.rowid"
)
FLYING_OF: Final = (
    "SELECT account, client_id, epoch, packet_id, step, number FROM in_flight WHERE account = ? AND client_id = ?"
    " ORDER BY rowid"
)
TAKE: Final = (
    "UPDATE session SET gateway = ?, epoch = max(epoch, ?) WHERE account = ? AND client_id = ? AND gateway <> ?"
)
ALL_RETAINED: Final = "SELECT account, topic, body FROM retained"


_WITH_BODY: Final = (SessionSaved, SubscriptionsChanged, Queued, Retained)
_OF_AN_EPOCH: Final = (SessionSaved, SubscriptionsChanged, Queued, InFlight)


class _Refused(Exception):
    """A record of an older epoch."""


class _Work:
    """What one `append` or `take` asks of the writer."""

    __slots__ = ("done", "records", "run", "size")

    def __init__(
        self,
        records: Sequence[Record],
        done: Done | None,
        run: Callable[[sqlite3.Connection], Callable[[], None]] | None = None,
    ) -> None:
        self.records = records
        self.done = done
        self.run = run
        self.size = sum(len(record.body) for record in records if isinstance(record, _WITH_BODY))


class SqliteJournal:
    """See the module. `call` runs a callback on the gateway's loop, from any thread (`loop.call_soon_threadsafe`)."""

    def __init__(self, path: Path, *, call: Call, waiting: int = WAITING, waiting_bytes: int = WAITING_BYTES) -> None:
        self._path = path
        self._call = call
        self._most, self._most_bytes = waiting, waiting_bytes
        self._work: deque[_Work] = deque()
        self._length = 0
        self._bytes = 0
        self._urgent = False  # somebody waits for an answer
        self._ready = threading.Condition()
        self._closed = False
        self.written = 0
        self.refused = 0
        self.commits = 0
        try:
            with closing(self._connect()) as connection:
                connection.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise Unusable(f"cannot use the journal {path}: {error}") from error
        self._thread = threading.Thread(target=self._write, name="gateway-journal", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=10.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    # --- the loop's side

    def append(self, records: Sequence[Record], done: Done | None = None) -> None:
        """Keep the records; see the gateway's `Journal`. Called on the loop, does not wait."""
        work = _Work(records, done)
        with self._ready:
            full = self._closed or self._length + len(records) > self._most
            full = full or (self._bytes > 0 and self._bytes + work.size > self._most_bytes)
            if not full:
                self._work.append(work)
                self._length += len(records)
                self._bytes += work.size
                if done is not None:
                    self._urgent = True
                if self._urgent or len(self._work) == 1:
                    self._ready.notify()
        if full:
            self.refused += len(records)
            if done is not None:
                done(False)

    def load(self, gateway: str) -> Loaded:
        """Answer what this gateway held when it last ran."""
        with closing(self._connect()) as connection:
            return Loaded(
                tuple(SessionSaved(*row) for row in connection.execute(SESSIONS, (gateway,))),
                tuple(Queued(*row) for row in connection.execute(MESSAGES, (gateway,))),
                tuple(Retained(*row) for row in connection.execute(ALL_RETAINED)),
                _flying(connection, FLYING, gateway),
                tuple(SubscriptionsChanged(*row) for row in connection.execute(CHANGES, (gateway,))),
            )

    async def take(self, account: str, client_id: str, *, epoch: int, gateway: str) -> Loaded:
        """Move a session here, after all that was appended before."""
        found: asyncio.Future[Loaded] = asyncio.get_running_loop().create_future()

        def run(connection: sqlite3.Connection) -> Callable[[], None]:
            row = connection.execute(SESSION, (account, client_id)).fetchone()
            loaded = Loaded()
            if row is not None and row[3] != gateway:
                messages = tuple(Queued(*one) for one in connection.execute(MESSAGES_OF, (account, client_id)))
                connection.execute(TAKE, (gateway, epoch, account, client_id, gateway))
                flying = _flying(connection, FLYING_OF, account, client_id)
                changed = connection.execute(CHANGES_OF, (account, client_id))
                changes = tuple(SubscriptionsChanged(*one) for one in changed)
                loaded = Loaded((SessionSaved(*row),), messages, in_flight=flying, changes=changes)
            return lambda: None if found.done() else found.set_result(loaded)

        def failed(_ok: bool) -> None:
            if not found.done():
                found.set_result(Loaded())

        with self._ready:
            if self._closed:
                return Loaded()
            self._work.append(_Work((), failed, run))
            self._urgent = True
            self._ready.notify()
        return await found

    def close(self) -> None:
        """Write what waits, then end the thread; repeating does nothing."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join(timeout=30.0)

    def statistics(self) -> dict[str, int]:
        return {
            "waiting": self._length,
            "waiting_bytes": self._bytes,
            "written": self.written,
            "refused": self.refused,
            "commits": self.commits,
        }

    # --- the writer's side

    def _write(self) -> None:
        with closing(self._connect()) as connection:
            while True:
                group = self._next()
                if not group:
                    return
                try:
                    answers = self._commit(connection, group)
                except Exception:  # the thread's border: nobody must wait for ever
                    log.exception("the journal's writer failed")
                    answers = [_bound(work.done, False) for work in group if work.done is not None]
                try:
                    self._call(lambda answers=answers: _answer(answers))  # type: ignore[misc]  # bound early on purpose
                except RuntimeError:  # the loop is closed: nobody waits for answers any more
                    log.info("the gateway's loop has ended before its journal")

    def _next(self) -> list[_Work]:
        """Wait for work and answer what is there, bounded; nothing at the end."""
        group: list[_Work] = []
        with self._ready:
            while not self._work and not self._closed:
                self._ready.wait()
            if not self._urgent and not self._closed:
                self._ready.wait_for(lambda: self._urgent or self._closed, LINGER_S)
            size = 0
            while self._work and size < GROUP:
                work = self._work.popleft()
                size += len(work.records)
                self._bytes -= work.size
                group.append(work)
            self._length -= size
            self._urgent = bool(self._work)
        return group

    def _commit(self, connection: sqlite3.Connection, group: list[_Work]) -> list[Callable[[], None]]:
        """Write the group in one commit; when one of them is refused, each by itself."""
        try:
            return self._transaction(connection, group)
        except _Refused:
            if len(group) > 1:
                return [answer for work in group for answer in self._commit(connection, [work])]
        except sqlite3.Error as error:
            log.error("the journal cannot be written", extra={"fields": {"detail": str(error)}})
        self.refused += sum(len(work.records) for work in group)
        return [_bound(work.done, False) for work in group if work.done is not None]

    def _transaction(self, connection: sqlite3.Connection, group: list[_Work]) -> list[Callable[[], None]]:
        answers: list[Callable[[], None]] = []
        with _begun(connection):
            for plain, works in groupby(group, key=lambda work: work.run is None):
                if plain:
                    taken = list(works)
                    _keep(connection, _without_settled(_once([record for work in taken for record in work.records])))
                    answers += [_bound(work.done, True) for work in taken if work.done is not None]
                else:
                    answers += [work.run(connection) for work in works if work.run is not None]
        self.commits += 1
        self.written += sum(len(work.records) for work in group)
        return answers


def _flying(connection: sqlite3.Connection, statement: str, *values: str) -> tuple[InFlight, ...]:
    return tuple(
        InFlight(account, client_id, epoch, packet_id, Step(step), number)
        for account, client_id, epoch, packet_id, step, number in connection.execute(statement, values)
    )


@contextmanager
def _begun(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _bound(done: Done, ok: bool) -> Callable[[], None]:
    return lambda: done(ok)


def _answer(answers: Iterable[Callable[[], None]]) -> None:
    for answer in answers:
        try:
            answer()
        except Exception:  # whoever waits behind it has its answer all the same
            log.exception("an answer of the journal met an error")


def _once(records: list[Record]) -> list[Record]:
    """Of a session that is saved again and again, as while it subscribes, only how it stands at the end is written."""
    saved: dict[tuple[str, str], int] = {}
    changed: dict[tuple[str, str], list[int]] = {}  # where its subscriptions changed since
    gone: set[int] = set()
    kept: list[Record] = []
    for record in records:
        if isinstance(record, SessionSaved):
            at = saved.get(record[:2])
            if at is not None and kept[at].epoch == record.epoch:  # type: ignore[union-attr]  # it is one, too
                kept[at] = record  # in its first place: what was queued in between needs the session
                gone.update(changed.pop(record[:2], ()))
                continue
            saved[record[:2]] = len(kept)
            changed.pop(record[:2], None)
        elif isinstance(record, SubscriptionsChanged):
            changed.setdefault(record[:2], []).append(len(kept))
        elif isinstance(record, SessionEnded):
            saved.pop(record[:2], None)
        kept.append(record)
    return [record for at, record in enumerate(kept) if at not in gone] if gone else kept


def _without_settled(records: list[Record]) -> list[Record]:
    """What came and went in one group need not be written at all: settled messages, sessions that ended."""
    ended: dict[tuple[str, str], int] = {}
    kept: list[Record] = []
    for record in reversed(records):
        if isinstance(record, SessionEnded):
            ended[record[:2]] = record.epoch
        elif isinstance(record, _OF_AN_EPOCH) and record.epoch <= ended.get(record[:2], -1):
            continue
        kept.append(record)
    records = kept[::-1]
    settled = {
        (record.account, record.client_id, number)
        for record in records
        if isinstance(record, Settled)
        for number in record.numbers
    }
    if not settled:
        return records
    return [
        record
        for record in records
        if not isinstance(record, Queued) or (record.account, record.client_id, record.number) not in settled
    ]


def _keep(connection: sqlite3.Connection, records: list[Record]) -> None:
    for kind, run in groupby(records, key=type):
        same = list(run)
        before = connection.total_changes
        _STATEMENTS[kind](connection, same)
        if kind in _OF_AN_EPOCH and connection.total_changes - before < len(same):
            raise _Refused
        if kind is SessionSaved:
            connection.executemany(UNCHANGE, [record[:2] for record in same])


def _keep_sessions(connection: sqlite3.Connection, records: list[Any]) -> None:
    connection.executemany(SAVE, records)


def _change(connection: sqlite3.Connection, records: list[Any]) -> None:
    connection.executemany(CHANGE, records)


def _end_sessions(connection: sqlite3.Connection, records: list[Any]) -> None:
    connection.executemany(END, records)
    for statement in END_REST:
        connection.executemany(statement, [record[:2] for record in records])


def _queue(connection: sqlite3.Connection, records: list[Any]) -> None:
    connection.executemany(QUEUE, records)


def _settle(connection: sqlite3.Connection, records: list[Any]) -> None:
    connection.executemany(
        SETTLE, [(record.account, record.client_id, number) for record in records for number in record.numbers]
    )


def _fly(connection: sqlite3.Connection, records: list[Any]) -> None:
    connection.executemany(FLY, [(*record, record.step is Step.RECEIVED) for record in records])


def _land(connection: sqlite3.Connection, records: list[Any]) -> None:
    connection.executemany(LAND, records)


def _retain(connection: sqlite3.Connection, records: list[Any]) -> None:
    for record in records:
        if record.body:
            connection.execute(RETAIN, record)
        else:
            connection.execute(UNRETAIN, record[:2])


_STATEMENTS: Final[dict[type, Callable[[sqlite3.Connection, list[Any]], None]]] = {
    SessionSaved: _keep_sessions,
    SubscriptionsChanged: _change,
    SessionEnded: _end_sessions,
    Queued: _queue,
    Settled: _settle,
    InFlight: _fly,
    Landed: _land,
    Retained: _retain,
}
