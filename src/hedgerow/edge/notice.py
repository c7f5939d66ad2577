"""What people see of an edge: plain lines on standard error, and log files of JSON lines, rotated, for everything.

Leaves to others: what is said.
"""

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from hedgerow.base.log import JsonLines
from hedgerow.edge.configuration import Logging


class Console:
    """Plain lines for people. The same line twice in a row is said once."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._last = ""

    def say(self, line: str) -> None:
        if line == self._last:
            return
        self._last = line
        try:
            print(f"edge: {line}", file=self._stream, flush=True)  # this is where an edge prints
        except OSError:  # nobody reads any more; the log has it too
            return


class LogFile(RotatingFileHandler):
    """A log file; what finds no room in it is lost, and the console has not a traceback for each line."""

    def handleError(self, record: logging.LogRecord) -> None:  # the library's name
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)


def log_to_files(folder: Path, settings: Logging) -> RotatingFileHandler:
    """Send every Hedgerow logger's records to greengrass.log; answer the handler, to be closed at the end."""
    target = settings.folder or folder
    target.mkdir(parents=True, exist_ok=True)
    handler = rotated(target / "greengrass.log", settings)
    handler.setFormatter(JsonLines())
    root = logging.getLogger("hedgerow")
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    root.propagate = False
    return handler


def rotated(path: Path, settings: Logging) -> RotatingFileHandler:
    """Answer a handler for a file that is set aside when it is full; old ones go when all together are too large."""
    kept = max(1, settings.total_bytes // settings.file_bytes - 1)
    return LogFile(path, maxBytes=settings.file_bytes, backupCount=min(kept, 100), encoding="utf-8")
