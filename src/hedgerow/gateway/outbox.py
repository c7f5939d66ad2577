"""Which connections have something to write: each gets one write at the end of the turn."""

# hot path

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection


class Outbox:
    """`soon(callback)` calls at the end of this turn of the loop."""

    __slots__ = ("_soon", "_waiting")

    def __init__(self, soon: Callable[[Callable[[], None]], None]) -> None:
        self._soon = soon
        self._waiting: list[Connection] = []

    def add(self, connection: "Connection") -> None:
        waiting = self._waiting
        waiting.append(connection)
        if len(waiting) == 1:
            self._soon(self.flush)

    def flush(self) -> None:
        """Write what was collected in this turn."""
        waiting, self._waiting = self._waiting, []
        for connection in waiting:
            connection.flush()
