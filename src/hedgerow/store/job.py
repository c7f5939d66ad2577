"""One operation on its way through the runner, and how the database's errors are told apart."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from hedgerow.base.errors import Unavailable
from hedgerow.core.events import Event
from hedgerow.store.tx import Tx

# busy, locked, read-only, I/O error, corrupt, full, cannot open, not a database
_SQLITE_WORLD: Final = frozenset({5, 6, 8, 10, 11, 13, 14, 26})
_POSTGRESQL_WORLD: Final = ("08", "53", "57", "58")  # connection, resources, operator intervention, system
_SAME_KEY: Final = "23505"  # of a row that was not there when this transaction looked
_POSTGRESQL_AGAIN: Final = frozenset({"40001", "40P01", _SAME_KEY})  # the others: serialization failure, deadlock


class Job:
    """An operation or query, and what became of it. The thread that runs it writes, the loop reads after that."""

    __slots__ = ("abandoned", "begun", "error", "events", "future", "lane", "reading", "result", "scheduled", "work")

    def __init__(self, work: Callable[[Tx], Any], future: asyncio.Future[Any], *, lane: str, reading: bool) -> None:
        self.work = work
        self.future = future
        self.lane = lane
        self.reading = reading
        self.begun = False
        self.abandoned = False  # nobody waits any more: not to be begun
        self.result: Any = None
        self.events: Sequence[Event] = ()
        self.scheduled: Mapping[str, float] | None = None
        self.error: Exception | None = None

    def run(self, connection: Connection, now: float) -> None:
        """Do the work in the open transaction; may be called again after a rollback."""
        tx = Tx(connection, now)
        self.result = self.work(tx)
        if not self.reading:
            self.events = self.result.events
            self.scheduled = tx.scheduled

    def fail(self, error: Exception) -> None:
        """Nothing of it remains."""
        # a future cannot carry StopIteration
        self.error = RuntimeError("an operation raised StopIteration") if isinstance(error, StopIteration) else error
        self.result = None
        self.events = ()
        self.scheduled = None


def explained(error: Exception, doing: str) -> Exception:
    """Answer what the caller is told: Unavailable for what is the world's fault, else the error as it is."""
    if isinstance(error, DBAPIError) and _is_the_worlds(error):
        unavailable = Unavailable(f"{doing}: {error.orig}")
        unavailable.__cause__ = error
        return unavailable
    return error


def may_run_again(error: Exception) -> bool:
    """Answer whether PostgreSQL gave up only because of what others did at the same time."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _POSTGRESQL_AGAIN


def may_be_our_fault(error: DBAPIError) -> bool:
    """Answer whether it can have another cause than what others did: an operation that does not look before it adds."""
    return getattr(error.orig, "sqlstate", None) == _SAME_KEY


def _is_the_worlds(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return (code & 0xFF) in _SQLITE_WORLD
    state = getattr(error.orig, "sqlstate", "")
    return state is None or state.startswith(_POSTGRESQL_WORLD)  # None: no connection at all
