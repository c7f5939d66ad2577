"""What components write: one rotated file of plain lines each, `<component>.log`."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.edge.configuration import Logging
from hedgerow.edge.notice import rotated

if TYPE_CHECKING:
    from logging.handlers import RotatingFileHandler


class ComponentLogs:
    """The log files of one core's components."""

    def __init__(self, folder: Path, settings: Logging) -> None:
        self._folder = settings.folder or folder
        self._settings = settings
        self._handlers: dict[str, RotatingFileHandler] = {}

    def write(self, component: str, line: str) -> None:
        """Add a line to the component's file."""
        handler = self._handlers.get(component)
        if handler is None:
            handler = self._handlers[component] = rotated(self._folder / f"{component}.log", self._settings)
            handler.setFormatter(_Stamped())
        record = logging.LogRecord(component, logging.INFO, "", 0, "%s", (line.rstrip("\n"),), None)
        handler.handle(record)

    def close(self) -> None:
        for handler in self._handlers.values():
            handler.close()
        self._handlers.clear()


class _Stamped(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{stamp} {record.getMessage()}"
