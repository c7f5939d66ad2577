"""Which connections have something to write: each gets one write at the end of the turn."""

# hot path

from collections.abc import Callable
from typing import TYPE_CHECKING

from hedgerow.base.log import get_logger

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection

log = get_logger("gateway.outbox")


class Outbox:
    """`soon(callback)` calls at the end of this turn of the loop."""

    __slots__ = ("_soon", "held", "waiting")

    def __init__(self, soon: Callable[[Callable[[], None]], None]) -> None:
        self._soon = soon
        self.waiting: list[Connection] = []  # whoever puts the first one in calls `begin`
        self.held = False  # somebody is reading many sockets and will call `flush` after them

    def begin(self) -> None:
        """Write at the end of this turn."""
        if not self.held:
            self._soon(self.flush)

    def flush(self) -> None:
        """Write what was collected in this turn."""
        waiting, self.waiting = self.waiting, []
        for connection in waiting:
            connection.woken = False
            out = connection.out
            if out:
                pieces = len(out)
                data = out[0] if pieces == 1 else b"".join(out)
                connection.pieces += pieces
                connection.bytes_out += len(data)
                out.clear()
                try:
                    connection.transport.write(data)
                except Exception:  # one transport's trouble must not be that of all who come after it
                    log.exception("a write failed")
                    connection.lost()
