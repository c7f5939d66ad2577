"""The one writer of a SQLite database: many operations in one commit, each in a savepoint of its own.

It takes what waits, at most 64 operations or 5 ms, and gives the whole group back after the commit. On a disk that is
slow to commit groups may take longer: twice the time of the last commit, 20 ms at most. An error of one operation rolls
that one back; an error of the commit fails the group and nothing of it remains.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.store.guard import transaction
from hedgerow.store.job import Job, explained
from hedgerow.store.statistics import Counters

GROUP: Final = 64
GROUP_S: Final = 0.005
LONGEST_GROUP_S: Final = 0.02
LONG_S: Final = 0.25
"""An operation should be done within 20 ms; one that holds the writer this long is logged."""

log = get_logger("store")


class GroupedWriter:
    """One thread with one connection. `release` is called on that thread, with the jobs in commit order."""

    def __init__(
        self, engine: Engine, clock: Clock, release: Callable[[Sequence[Job]], None], counters: Counters
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._release = release
        self._counters = counters
        self._arriving: SimpleQueue[Sequence[Job] | None] = SimpleQueue()  # bounded by the runner
        self._waiting: deque[Job] = deque()
        self._connection: Connection | None = None
        self._closing = False
        self._group_s = GROUP_S
        self._thread = threading.Thread(target=self._work, name="hedgerow-writer", daemon=True)
        self._thread.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue the jobs; returns at once."""
        self._arriving.put(jobs)

    def close(self) -> None:
        """End the thread when all that was submitted is done. Blocks."""
        self._arriving.put(None)
        self._thread.join()

    def _work(self) -> None:
        while not self._closing or self._waiting:
            self._take(block=not self._waiting)
            if self._waiting:
                done: list[Job] = []
                self._group(done)
                self._release(done)
        self._disconnect()

    def _take(self, *, block: bool) -> None:
        try:
            while True:
                jobs = self._arriving.get(block)
                if jobs is None:
                    self._closing = True
                else:
                    self._waiting.extend(jobs)
                block = False
        except Empty:
            return

    def _group(self, done: list[Job]) -> None:
        """Run a group in one transaction; `done` receives its jobs, whatever becomes of them."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with transaction(), self._connection.begin():
                self._run_each(self._connection, done)
                committing = self._clock.monotonic()
            took = self._clock.monotonic() - committing
            self._group_s = min(max(GROUP_S, 2 * took), LONGEST_GROUP_S)
            if not all(job.reading for job in done):
                self._counters.commits += 1
                self._counters.largest_group = max(self._counters.largest_group, len(done))
        except Exception as error:
            log.exception("a group of writes failed", extra={"fields": {"operations": len(done)}})
            if not done:
                done.append(self._waiting.popleft())  # the transaction could not be opened
            self._fail(done, error)

    def _run_each(self, connection: Connection, done: list[Job]) -> None:
        driver: Any = connection.connection.driver_connection
        now = self._clock.now()
        begun = self._clock.monotonic()
        while len(done) < GROUP and self._clock.monotonic() - begun < self._group_s:
            if not self._waiting:
                self._take(block=False)
                if not self._waiting:
                    return
            job = self._waiting.popleft()
            done.append(job)
            job.begun = True
            if not job.abandoned:
                self._run_one(driver, connection, job, now)

    def _run_one(self, driver: Any, connection: Connection, job: Job, now: float) -> None:
        """Savepoints go straight to the driver: 1 µs each instead of the 30 µs of begin_nested()."""
        started = self._clock.monotonic()
        driver.execute("SAVEPOINT job")
        try:
            job.run(connection, now)
            if job.reading:
                driver.execute("ROLLBACK TO job")
        except Exception as error:
            job.fail(explained(error, "the database cannot be used"))
            if not driver.in_transaction:  # SQLite gave up the whole transaction (disk full, I/O error)
                raise
            driver.execute("ROLLBACK TO job")
            self._counters.rolled_back += 1
        driver.execute("RELEASE job")
        held = self._clock.monotonic() - started
        self._counters.longest_s = max(self._counters.longest_s, held)
        if held > LONG_S:
            name = getattr(job.work, "__qualname__", repr(job.work))
            log.warning("an operation held the writer", extra={"fields": {"operation": name, "seconds": held}})

    def _fail(self, jobs: Sequence[Job], error: Exception) -> None:
        self._disconnect()
        cause = error.orig if isinstance(error, DBAPIError) else error
        for job in jobs:
            if job.error is None:
                unavailable = Unavailable(f"the change could not be committed: {cause}")
                unavailable.__cause__ = error
                job.fail(unavailable)
                self._counters.rolled_back += 1

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                connection.close()
