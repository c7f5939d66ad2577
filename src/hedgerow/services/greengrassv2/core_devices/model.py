"""A core device as it describes itself: its health reports, and what they make of the record.

A report has a sequence number that rises, and may come in chunks of the same number. A report that is older than the
last one, by number and by time, is passed over; a device that was set up anew counts from the start, at a later time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from hedgerow.base.errors import HedgerowError

STATES: Final = frozenset({"NEW", "INSTALLED", "STARTING", "RUNNING", "STOPPING", "ERRORED", "BROKEN", "FINISHED"})
CLASSIC: Final = "aws_nucleus_classic"
MOST_COMPONENTS: Final = 1000
LONGEST_TEXT: Final = 1000
LONGEST_WORD: Final = 255


class UnusableReport(HedgerowError):
    """A health report says nothing that can be kept; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One component on a core device."""

    name: str
    version: str
    state: str
    details: str = ""
    codes: tuple[str, ...] = ()
    is_root: bool = False
    sources: tuple[str, ...] = ()  # configuration ARNs of the deployments that want it
    changed_at: float = 0.0
    reported_at: float = 0.0

    def after(self, before: "Installed | None") -> "Installed":
        """Answer it with the time of its last change of state: kept where the state is as before."""
        if before is not None and (before.version, before.state) == (self.version, self.state):
            return replace(self, changed_at=before.changed_at)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One message of a core device about itself."""

    sequence: int
    stamp: float
    complete: bool  # it names every component; what is not in it is gone
    chunk: int
    chunks: int
    version: str
    platform: str
    architecture: str
    runtime: str
    healthy: bool
    components: tuple[Installed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreDevice:
    """What is known of a core device."""

    thing: str
    sequence: int
    stamp: float
    chunks: tuple[int, ...]
    version: str
    platform: str
    architecture: str
    runtime: str
    healthy: bool
    reported_at: float
    tags: Mapping[str, str]

    def has_seen(self, report: Report) -> bool:
        """Tell whether the report is older than, or the same as, what was taken in before."""
        if report.sequence == self.sequence and report.stamp <= self.stamp:
            return report.chunk in self.chunks
        return report.sequence <= self.sequence and report.stamp <= self.stamp

    def in_one_with(self, report: Report) -> bool:
        """Tell whether the report is another chunk of the last one."""
        return report.sequence == self.sequence and report.chunks > 1 and report.chunk not in self.chunks


def read_report(payload: bytes, now: float) -> Report:
    """Read a health message; raise UnusableReport when it is none."""
    try:
        body = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UnusableReport("it is not JSON") from error
    if not isinstance(body, dict):
        raise UnusableReport("it is not a JSON object")
    info = body.get("chunkInfo")
    chunk: Mapping[str, Any] = info if isinstance(info, dict) else {}
    components = body.get("components") or []
    if not isinstance(components, list) or len(components) > MOST_COMPONENTS:
        raise UnusableReport(f"components is no list of at most {MOST_COMPONENTS}")
    return Report(
        sequence=_integer(body.get("sequenceNumber"), "sequenceNumber"),
        stamp=_integer(body.get("timestamp"), "timestamp") / 1000,
        complete=body.get("messageType") == "COMPLETE",
        chunk=_integer(chunk.get("chunkId", 1), "chunkId"),
        chunks=_integer(chunk.get("totalChunks", 1), "totalChunks"),
        version=_text(body.get("ggcVersion"), LONGEST_WORD),
        platform=_text(body.get("platform"), LONGEST_WORD),
        architecture=_text(body.get("architecture"), LONGEST_WORD),
        runtime=_text(body.get("runtime"), LONGEST_WORD) or CLASSIC,
        healthy=body.get("overallDeviceStatus") == "HEALTHY",
        components=tuple(_component(one, now) for one in components),
    )


def _component(one: Any, now: float) -> Installed:
    if not isinstance(one, dict) or not isinstance(one.get("componentName"), str):
        raise UnusableReport("a component has no name")
    status = _text(one.get("status"), LONGEST_WORD).upper()
    details = one.get("componentStatusDetails")
    told: Mapping[str, Any] = details if isinstance(details, dict) else {}
    return Installed(
        name=_text(one["componentName"], 128),
        version=_text(one.get("version"), 64),
        state=status if status in STATES else "NEW",
        details=_text(told.get("statusReason"), LONGEST_TEXT),
        codes=_texts(told.get("statusCodes")),
        is_root=one.get("isRoot") is True,
        sources=_texts(one.get("fleetConfigArns")),
        changed_at=now,
        reported_at=now,
    )


def _integer(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise UnusableReport(f"{name} is no number")
    return value


def _text(value: Any, longest: int) -> str:
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")[:longest]


def _texts(value: Any) -> tuple[str, ...]:
    items = value[:100] if isinstance(value, list) else ()
    return tuple(_text(one, LONGEST_TEXT) for one in items if one)
