"""Threads that run one job each in a transaction of its own: all reads, and the writes on PostgreSQL.

On PostgreSQL a transaction that lost against another one (serialization failure, deadlock, a row of the same key) is
run again, after a wait that grows and is never the same for two.
"""

import contextlib
import secrets
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.store.guard import transaction
from hedgerow.store.job import Job, explained, may_be_our_fault, may_run_again
from hedgerow.store.statistics import Counters

ATTEMPTS: Final = 12
FIRST_WAIT_S: Final = 0.002
LONGEST_WAIT_S: Final = 0.25
_IN_ERROR: Final = 3  # libpq's PQTRANS_INERROR

_chance = secrets.SystemRandom()


class Workers:
    """A bounded pool of threads, each with its own connection. `release` is called on them."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        release: Callable[[Sequence[Job]], None],
        counters: Counters,
        *,
        threads: int,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._release = release
        self._counters = counters
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()  # bounded by the runner
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"hedgerow-worker-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue the jobs; returns at once."""
        for job in jobs:
            self._jobs.put(job)

    def close(self) -> None:
        """End the threads when all that was submitted is done. Blocks."""
        for _ in self._threads:
            self._jobs.put(None)
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        connection: Connection | None = None
        while (job := self._jobs.get()) is not None:
            job.begun = True
            if not job.abandoned:
                try:
                    if connection is None:
                        connection = self._engine.connect()
                    self._run(connection, job)
                except Exception as error:  # noqa: BLE001  # whatever it is, it is handed to the caller
                    job.fail(explained(error, "the database cannot be used"))
                    self._counters.rolled_back += not job.reading
                    if isinstance(error, DBAPIError):
                        _close(connection)
                        connection = None
            self._release((job,))
        _close(connection)

    def _run(self, connection: Connection, job: Job) -> None:
        for attempt in range(ATTEMPTS):
            try:
                self._once(connection, job)
            except DBAPIError as error:
                last = attempt == ATTEMPTS - 1
                if not may_run_again(error) or (last and may_be_our_fault(error)):
                    raise
                if last:
                    raise Unavailable(f"too much is changed at the same time: {error.orig}") from error
                self._counters.retries += 1
                longest = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
                self._closing.wait(longest * (0.5 + _chance.random() / 2))
            else:
                return

    def _once(self, connection: Connection, job: Job) -> None:
        with transaction(), connection.begin() as opened:
            job.run(connection, self._clock.now())
            if job.reading:
                opened.rollback()
                return
            driver: Any = connection.connection.driver_connection
            if driver.info.transaction_status == _IN_ERROR:  # COMMIT would answer ROLLBACK, and nobody would know
                raise RuntimeError("an operation went on after a statement that failed")
        self._counters.commits += 1


def _close(connection: Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(SQLAlchemyError):
            connection.close()
