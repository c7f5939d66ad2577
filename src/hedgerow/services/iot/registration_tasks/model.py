"""A registration task: how far it is in its file, how it ends, and what its reports say.

The file is the one that was there at the start: its bytes are kept until the task ends. A line is a JSON object with
the template's parameters; empty lines are passed over. `offset` is the next byte to be read, so that whatever was
registered is never read again.
Spec: AWS IoT StartThingRegistrationTask; one task at a time in an account; lines of 256 KiB; data kept for 30 days.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from hedgerow.services.iot.errors import InvalidRequest

LONGEST_LINE: Final = 256 * 1024
KEPT_S: Final = 30 * 86400.0
LINES_OF_A_FILE: Final = 1000


class Status(Enum):
    """How a task stands."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    CANCELLING = "Cancelling"

    @property
    def over(self) -> bool:
        """Whether nothing more happens."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class Report(Enum):
    """What a report is about."""

    RESULTS = "RESULTS"
    ERRORS = "ERRORS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task. `failure` is why it cannot go on; it ends when its reports are written."""

    id: str
    body: str
    bucket: str
    key: str
    role_arn: str
    digest: str
    size: int
    status: Status
    created_at: float
    updated_at: float
    offset: int = 0
    line: int = 0
    succeeded: int = 0
    failed: int = 0
    failure: str | None = None

    @property
    def reads(self) -> bool:
        """Whether there are lines to be read."""
        return self.status is Status.IN_PROGRESS and self.failure is None and self.offset < self.size

    @property
    def percentage(self) -> int:
        """How much of the file is done; all of it only when nothing more happens."""
        if self.status is Status.COMPLETED:
            return 100
        return min(99, self.offset * 100 // self.size) if self.size else 0

    def after(self, line: "Line", kind: Report | None, *, now: float) -> "Task":
        """Answer it when the line is done; None stands for an empty line."""
        return replace(
            self,
            offset=line.end,
            line=line.number,
            succeeded=self.succeeded + (kind is Report.RESULTS),
            failed=self.failed + (kind is Report.ERRORS),
            updated_at=now,
        )

    def stopping(self, *, now: float) -> "Task":
        """Answer it when it is to end early; raise InvalidRequest when it has ended."""
        if self.status.over:
            raise InvalidRequest(f"Task {self.id} is {self.status.value} already")
        return replace(self, status=Status.CANCELLING, updated_at=now)

    def ended(self, *, now: float) -> "Task":
        """Answer it with the status that it ends with."""
        if self.failure is not None:
            status = Status.FAILED
        else:
            status = Status.CANCELLED if self.status is Status.CANCELLING else Status.COMPLETED
        return replace(self, status=status, updated_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the file: its bytes, and where it begins and the next one does."""

    number: int
    begin: int
    end: int
    content: bytes

    @property
    def empty(self) -> bool:
        """Whether there is nothing on it."""
        return not self.content.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One report, in an object."""

    kind: Report
    number: int
    bucket: str
    key: str


def lines_of(data: bytes, *, begin: int, number: int, last: bool) -> list[Line]:
    """Answer the whole lines of a piece of the file, which begins at a line; the `last` piece ends with one.

    A line that is too long for a piece is answered as such: cut off, and its end is the piece's.
    """
    found: list[Line] = []
    at = 0
    while at < len(data):
        newline = data.find(b"\n", at)
        if newline < 0 and not last:
            break
        end = len(data) if newline < 0 else newline + 1
        found.append(
            Line(
                number=number + len(found) + 1, begin=begin + at, end=begin + end, content=data[at:end].rstrip(b"\r\n")
            )
        )
        at = end
    return found


def parameters_of(line: Line) -> Mapping[str, str]:
    """Answer the parameters on a line; raise InvalidRequest when it holds none."""
    if len(line.content) > LONGEST_LINE:
        raise InvalidRequest(f"the line is longer than {LONGEST_LINE} bytes")
    try:
        values = json.loads(line.content)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the line is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise InvalidRequest("the line must be a JSON object")
    for name, value in values.items():
        if not isinstance(value, str) or not _writable(value):
            raise InvalidRequest(f"parameter {name[:128]!r} must be a string")
    return values


def _writable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def entry(line: Line, **what: Any) -> str:
    """Answer a line of a report."""
    return json.dumps({"lineNumber": line.number, "offset": line.begin, **what}, separators=(",", ":"))
