"""Ctrl-C and SIGTERM, taken between two moments of work: raised anywhere, they could lose a process just started."""

import signal
import threading
from types import FrameType


class Interrupted(BaseException):
    """Somebody asked for the end; not an Exception, so that nobody takes it for a failed try."""


class Interruption:
    """Remembers that the end was asked for."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def listen(self) -> None:
        """Take both signals from now on, for as long as the process lives."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def check(self) -> None:
        """Raise Interrupted when the end was asked for."""
        if self._asked.is_set():
            raise Interrupted

    def wait(self) -> None:
        """Wait until the end is asked for."""
        self._asked.wait()

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self._asked.set()
