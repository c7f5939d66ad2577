"""The runner owns the transaction: it opens it, runs operations in it, commits, and only then lets events go.

On SQLite one writer thread puts what waits into one commit (`grouped`); on PostgreSQL a pool of threads runs one
operation per transaction (`workers`), and operations of the same lane one after another. Reads have their own threads
and read-only connections.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar, cast

from sqlalchemy import Engine

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.core.events import Event
from hedgerow.store.engine import open_readers
from hedgerow.store.grouped import GroupedWriter
from hedgerow.store.guard import look_before_writing
from hedgerow.store.job import Job
from hedgerow.store.statistics import Counters, Statistics
from hedgerow.store.tx import Answer, Tx
from hedgerow.store.workers import Workers

T = TypeVar("T")

WAITING: Final = 10_000
"""So many jobs may wait; the next one is refused with Unavailable."""
DEADLINE_S: Final = 30.0
SQLITE_READERS: Final = 2
"""Measured: 2 answer 22,000 reads/s, 4 get in each other's way (15,600); 1 would wait behind a long list."""
POSTGRESQL_THREADS: Final = 8

log = get_logger("store")


class Run(Protocol):
    """What flows and shells need of a runner."""

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        """Run an operation and commit it. Its events are released after the commit and before this returns.

        The operation may be run more than once; it must have no other effect than on `tx`. Operations with the same
        lane are committed in the order in which they were handed in, and so are their events. Raises what the
        operation raises (nothing of it remains then), and Unavailable when too much waits, when the database fails,
        or when there is no answer within the deadline (then the change may still be made, unless the text says not).
        """
        ...

    async def read(self, query: Callable[[Tx], T]) -> T:
        """Run a query that changes nothing, on a consistent view of what is committed. Raises as `write` does."""
        ...


class _Threads(Protocol):
    def submit(self, jobs: Sequence[Job]) -> None: ...
    def close(self) -> None: ...


class Runner:
    """A runner over one engine, an async context manager: leaving it finishes what waits and closes all connections.

    `on_commit` is called on the loop with the events of each operation, in commit order (on PostgreSQL: in each lane).
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        on_commit: Callable[[Sequence[Event]], None],
        *,
        readers: int | None = None,
        writers: int = POSTGRESQL_THREADS,
        waiting: int = WAITING,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._on_commit = on_commit
        self._readers = readers or (SQLITE_READERS if engine.dialect.name == "sqlite" else POSTGRESQL_THREADS)
        self._writers = writers
        self._bound = waiting
        self._deadline_s = deadline_s
        self._counters = Counters()
        self._on_scheduled: Callable[[Mapping[str, float]], None] | None = None
        self._handed_in: list[Job] = []
        self._lanes: dict[str, deque[Job]] = {}
        self._lane_writer: _Threads | None = None
        self._writing: _Threads | None = None
        self._reading: _Threads | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        if self._engine.dialect.name == "sqlite":
            self._writing = GroupedWriter(self._engine, self._clock, self._give_back, self._counters)
        else:
            self._lane_writer = self._writing = Workers(
                self._engine, self._clock, self._give_back, self._counters, threads=self._writers
            )
        reading = open_readers(self._engine)
        self._reading = self._writing  # in memory there is only one connection
        if reading is not None:
            self._reading = Workers(reading, self._clock, self._give_back, self._counters, threads=self._readers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Refuse what comes now, finish what waits, end the threads. A second call does nothing."""
        writing, self._writing = self._writing, None
        reading, self._reading = self._reading, None
        if writing is None or reading is None:
            return
        if self._handed_in:
            self._hand_over(writing)
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._idle.wait()
                await asyncio.to_thread(writing.close)
                if reading is not writing:
                    await asyncio.to_thread(reading.close)
        except TimeoutError:
            log.exception("the store did not come to an end", extra={"fields": {"waiting": self._counters.waiting}})
        self._engine.dispose()

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        look_before_writing()
        writing = self._writing
        if writing is None:
            raise Unavailable("the store is closed")
        job = self._admit(operation, lane=lane, reading=False)
        if lane and self._lane_writer is not None:
            line = self._lanes.get(lane)
            if line is not None:
                line.append(job)
                return cast("Answer", await self._outcome(job))
            self._lanes[lane] = deque()
        if not self._handed_in:  # what is handed in during one turn of the loop goes over together
            self._loop.call_soon(self._hand_over, writing)
        self._handed_in.append(job)
        return cast("Answer", await self._outcome(job))

    async def read(self, query: Callable[[Tx], T]) -> T:
        reading = self._reading
        if reading is None:
            raise Unavailable("the store is closed")
        job = self._admit(query, lane="", reading=True)
        reading.submit((job,))
        return cast("T", await self._outcome(job))

    def statistics(self) -> Statistics:
        """Answer what was counted since the start."""
        return Statistics(**asdict(self._counters))

    def when_scheduled(self, tell: Callable[[Mapping[str, float]], None]) -> None:
        """Have `tell` called on the loop, after each commit that wrote follow-ups, with when each kind is due."""
        self._on_scheduled = tell

    def _admit(self, work: Callable[[Tx], Any], *, lane: str, reading: bool) -> Job:
        if self._counters.waiting >= self._bound:
            self._counters.refused += 1
            raise Unavailable(f"too much waits for the database ({self._bound} jobs); nothing was changed")
        self._counters.waiting += 1
        self._idle.clear()
        return Job(work, self._loop.create_future(), lane=lane, reading=reading)

    async def _outcome(self, job: Job) -> Any:
        timer = self._loop.call_later(self._deadline_s, self._give_up, job)
        try:
            return await job.future
        finally:
            timer.cancel()
            job.abandoned = True  # matters when the caller was cancelled

    def _give_up(self, job: Job) -> None:
        job.abandoned = True
        if not job.future.done():
            known = "whether the change is made is not known" if job.begun else "nothing was changed"
            job.future.set_exception(Unavailable(f"no answer from the database within {self._deadline_s:g} s; {known}"))

    def _hand_over(self, writing: _Threads) -> None:
        jobs, self._handed_in = self._handed_in, []
        if jobs:
            writing.submit(jobs)

    def _give_back(self, jobs: Sequence[Job]) -> None:
        """Called on the runner's threads."""
        self._loop.call_soon_threadsafe(self._finish, jobs)

    def _finish(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            if job.events:
                self._tell(self._on_commit, job.events)
            if job.scheduled is not None and self._on_scheduled is not None:
                self._tell(self._on_scheduled, job.scheduled)
            if job.lane and self._lane_writer is not None:
                self._next_in(job.lane)
            if not job.future.done():
                if job.error is not None:
                    job.future.set_exception(job.error)
                else:
                    job.future.set_result(job.result)
        self._counters.waiting -= len(jobs)
        if self._counters.waiting == 0:
            self._idle.set()

    def _tell(self, listener: Callable[[Any], None], what: Any) -> None:
        try:
            listener(what)
        except Exception:
            log.exception("a listener to commits failed")

    def _next_in(self, lane: str) -> None:
        line = self._lanes[lane]
        if line and self._lane_writer is not None:
            self._lane_writer.submit((line.popleft(),))
        else:
            del self._lanes[lane]
