"""What an instance writes: a pipe that is read as lines, as it comes, and the tail of an invocation's log."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

from hedgerow.functions.model import LOG_TAIL, MAX_LOG_LINE

_READ: Final = 65536
_DRAIN_TURNS: Final = 16  # a pipe holds 64 kB: more than this is being written while we read


class OutputPipe:
    """The reading end is ours; `descriptor`, the writing end, is the process's and closed here once it has it."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._reader, self.descriptor = os.pipe()
        os.set_blocking(self._reader, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reader, self._read)
        self._rest = b""

    def handed_over(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def drain(self) -> None:
        """Read what has been written until now: what a function printed before it answered comes before the answer."""
        for _ in range(_DRAIN_TURNS):
            if not self._read():
                return

    def close(self) -> None:
        """Read what is left and close. May be called twice."""
        self.handed_over()
        if self._reader < 0:
            return
        self.drain()
        self._end()
        if self._rest:
            self._on_line(self._rest.decode("utf-8", "replace"))
            self._rest = b""

    def _end(self) -> None:
        if self._reader >= 0:
            self._loop.remove_reader(self._reader)
            os.close(self._reader)
            self._reader = -1

    def _read(self) -> bool:
        if self._reader < 0:
            return False
        try:
            data = os.read(self._reader, _READ)
        except BlockingIOError:
            return False
        if not data:
            rest, self._rest = self._rest, b""
            self._end()
            if rest:
                self._on_line(rest.decode("utf-8", "replace"))
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LOG_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            for start in range(0, max(len(line), 1), MAX_LOG_LINE):
                self._on_line(line[start : start + MAX_LOG_LINE].decode("utf-8", "replace"))
        return True


class Tail:
    """The last 4 kB of the lines of an invocation."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0

    def add(self, line: str) -> None:
        data = line.encode()[-LOG_TAIL:] + b"\n"
        self._lines.append(data)
        self._size += len(data)
        while self._size - len(self._lines[0]) >= LOG_TAIL:
            self._size -= len(self._lines.popleft())

    def take(self) -> bytes:
        data = b"".join(self._lines)[-LOG_TAIL:]
        self._lines.clear()
        self._size = 0
        return data
