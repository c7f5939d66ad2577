"""Whether the wall clock was set forward since a moment of this process's life.

A deadline is written down in UTC, which is all that a restart leaves of it. While the process lives it is not to come
early because somebody sets the clock: whoever sets a timer keeps a mark beside it, and asks when it comes.
"""

from collections.abc import Sequence
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids

Mark = Sequence[Any]
_SLEWED_S: Final = 2.0  # less than this is a clock that is kept right


class Steady:
    """Marks moments. One for a process."""

    def __init__(self, *, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._life = ids.hex(16)

    def mark(self, now: float) -> Mark:
        """Answer the mark of this moment; it can be written down as JSON."""
        return [self._life, now - self._clock.monotonic()]

    def ahead(self, mark: Mark | None, now: float) -> float:
        """Answer by how many seconds the clock was set forward since; 0.0 for not, and for a mark of another life."""
        if mark is None or mark[0] != self._life:
            return 0.0
        set_by = now - self._clock.monotonic() - float(mark[1])
        return set_by if set_by > _SLEWED_S else 0.0
