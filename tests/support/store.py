"""A store in memory for tests of operations: `run(operation, request…)` in one transaction.

With HEDGEROW_TEST_DATABASE=postgresql the same tests run on PostgreSQL (`postgres.py`), in one schema per process that
is emptied for each store.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Engine

from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import Event
from hedgerow.core.request import Request
from hedgerow.store import Answer, Tx, metadata, open_engine
from hedgerow.store.guard import transaction
from tests.support.clock import FakeClock
from tests.support.postgres import emptied

T = TypeVar("T")

CALLER = Caller(
    account="123456789012",
    region="eu-central-1",
    principal="arn:aws:iam::123456789012:root",
    kind=Kind.ROOT,
    request_id="11111111-2222-4333-8444-555555555555",
)
OTHER_ACCOUNT = Caller(
    account="210987654321",
    region="eu-central-1",
    principal="arn:aws:iam::210987654321:root",
    kind=Kind.ROOT,
    request_id="11111111-2222-4333-8444-666666666666",
)


VARIABLE = "HEDGEROW_TEST_DATABASE"
_templates: dict[int, bytes] = {}


def _in_memory() -> Engine:
    """Create the tables once, and copy what came of it: a test may not wait for a hundred CREATE TABLE."""
    engine = open_engine("sqlite://")
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
    template = _templates.get(len(metadata.tables))
    if template is None:
        metadata.create_all(engine)
        _templates[len(metadata.tables)] = driver.serialize()
    else:
        driver.deserialize(template)
    return engine


class MemoryStore:
    """Operations against SQLite in memory. Import the subject's store module first, so that its tables exist."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.engine = emptied(metadata) if os.environ.get(VARIABLE) == "postgresql" else _in_memory()

    @contextmanager
    def tx(self) -> Iterator[Tx]:
        with transaction(), self.engine.begin() as connection:
            yield Tx(connection, self.clock.now())

    def run(
        self,
        operation: Callable[[Tx, Request, Caller], Answer],
        request: Mapping[str, Any] | None = None,
        caller: Caller = CALLER,
    ) -> Answer:
        """Run an operation as the runner does; fails when a member of the request was not read."""
        recorded = Request(request or {})
        with self.tx() as tx:
            answer = operation(tx, recorded, caller)
            assert recorded.unread() == []
        return answer


class MemoryRun:
    """A `Run` over a MemoryStore for tests of flows: no threads; keeps the events in the order of the commits."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.events: list[Event] = []

    async def write(self, operation: Callable[[Tx], Answer], *, lane: str = "") -> Answer:
        with self._store.tx() as tx:
            answer = operation(tx)
        self.events.extend(answer.events)
        return answer

    async def read(self, query: Callable[[Tx], T]) -> T:
        with self._store.tx() as tx:
            return query(tx)
