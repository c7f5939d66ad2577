"""The runner owns the transaction: it opens it, runs operations in it, commits, and only then lets events go."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy import Engine

from hedgerow.base.clock import Clock
from hedgerow.core.events import Event
from hedgerow.store.tx import Answer, Tx

T = TypeVar("T")


class Run(Protocol):
    """What flows and shells need of a runner."""

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        """Run an operation and commit it. Its events are released after the commit and before this returns.

        The operation may be run more than once; it must have no other effect than on `tx`.
        """
        ...

    async def read(self, query: Callable[[Tx], T]) -> T:
        """Run a query that changes nothing."""
        ...


class Runner:
    """A runner over one engine."""

    def __init__(self, engine: Engine, clock: Clock, on_commit: Callable[[Sequence[Event]], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._on_commit = on_commit
        self._lock = asyncio.Lock()

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        def work() -> Answer:
            with self._engine.begin() as connection:
                return operation(Tx(connection, self._clock.now()))

        async with self._lock:
            answer = await asyncio.to_thread(work)
            self._on_commit(answer.events)
        return answer

    async def read(self, query: Callable[[Tx], T]) -> T:
        def work() -> T:
            with self._engine.connect() as connection:
                return query(Tx(connection, self._clock.now()))

        return await asyncio.to_thread(work)
