"""The only reader of time. Everything else is handed a Clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Answer seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Answer seconds that never go back, for measuring how long something took."""
        ...


class SystemClock:
    """The machine's own clock."""

    now = staticmethod(time.time)  # no frame of ours: every packet asks
    monotonic = staticmethod(time.monotonic)
