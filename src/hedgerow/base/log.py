"""Logs are events with fields: a constant sentence, data beside it, one line of JSON.

Use: `log = get_logger("gateway")`, then `log.info("session taken over", extra={"fields": {"client": client_id}})`.
Info is what an operator would tell a colleague, warning wants a look, error means that we broke a promise.
Never secrets, never payloads.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, sentence, fields, and the traceback when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def get_logger(name: str) -> logging.Logger:
    """Answer the logger of a part, under the name `hedgerow.<part>`."""
    return logging.getLogger(f"hedgerow.{name}")


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send the records of every Hedgerow logger to the stream (default: standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger("hedgerow")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False
