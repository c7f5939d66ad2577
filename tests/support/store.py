"""A store in memory for tests of operations: `run(operation, request…)` in one transaction."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from hedgerow.core.caller import Caller, Kind
from hedgerow.core.request import Request
from hedgerow.store import Answer, Tx, metadata
from tests.support.clock import FakeClock

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


class MemoryStore:
    """Operations against SQLite in memory. Import the subject's store module first, so that its tables exist."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.engine: Engine = create_engine("sqlite://", poolclass=StaticPool)
        metadata.create_all(self.engine)

    @contextmanager
    def tx(self) -> Iterator[Tx]:
        with self.engine.begin() as connection:
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
