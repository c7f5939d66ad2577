"""What a log group is, and which events a put may carry.

Limits (Amazon CloudWatch Logs API reference, PutLogEvents): 10,000 events and 1,048,576 bytes a call, each event
counting 26 bytes more than its message; events in order of time, none older than 14 days or the group's retention, none
more than two hours in the future, all within 24 hours.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hedgerow.services.logs.groups.errors import InvalidParameter

DAY_MS = 86_400_000
MAX_EVENTS = 10_000
MAX_BYTES = 1_048_576
EVENT_OVERHEAD = 26
MAX_AGE_MS = 14 * DAY_MS
MAX_FUTURE_MS = 2 * 3_600_000
RETENTIONS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)

_PATTERN_TERM = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGroup:
    """A group of streams; `created_at` in seconds."""

    name: str
    created_at: float
    retention_days: int | None = None


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event; times in milliseconds since the epoch."""

    timestamp: int
    message: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Which of a put's events were left out, as indexes; None where none were."""

    too_new_from: int | None = None
    too_old_until: int | None = None
    expired_until: int | None = None


def accept(
    events: Sequence[LogEvent], *, now_ms: int, retention_days: int | None
) -> tuple[Sequence[LogEvent], Rejected]:
    """Answer the events that are stored and which are not; raise InvalidParameter when the whole put is refused."""
    if len(events) > MAX_EVENTS:
        raise InvalidParameter(f"a call may carry {MAX_EVENTS} log events, this one has {len(events)}")
    size = sum(len(event.message.encode()) + EVENT_OVERHEAD for event in events)
    if size > MAX_BYTES:
        raise InvalidParameter(f"a call may carry {MAX_BYTES} bytes, this one has {size}")
    times = [event.timestamp for event in events]
    if times != sorted(times):
        raise InvalidParameter("Log events in a single PutLogEvents request must be in chronological order.")
    if times and times[-1] - times[0] > DAY_MS:
        raise InvalidParameter(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
    expired_before = now_ms - (retention_days or 1_000_000) * DAY_MS
    old_before = now_ms - MAX_AGE_MS
    expired = sum(time < expired_before for time in times)
    old = sum(time < old_before for time in times)
    new = sum(time > now_ms + MAX_FUTURE_MS for time in times)
    kept = events[max(expired, old) : len(events) - new]
    return kept, Rejected(
        too_new_from=len(events) - new if new else None,
        too_old_until=old or None,
        expired_until=expired or None,
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter pattern of plain terms: every one must be in the message; `-term` must not, `?term` are alternatives."""

    required: tuple[str, ...]
    forbidden: tuple[str, ...]
    alternatives: tuple[str, ...]

    def matches(self, message: str) -> bool:
        """Tell whether the message passes."""
        if self.alternatives and not any(term in message for term in self.alternatives):
            return False
        return all(term in message for term in self.required) and not any(term in message for term in self.forbidden)


def parse_filter(pattern: str) -> Filter:
    """Read a filter pattern; JSON (`{…}`), column (`[…]`) and expression (`%…%`) patterns are refused by name."""
    text = pattern.strip()
    if text[:1] in ("{", "[", "%"):
        raise InvalidParameter(
            f"filter patterns that begin with {text[0]!r} are not there yet; use plain or quoted terms, -term and ?term"
        )
    parts: dict[str, list[str]] = {"": [], "-": [], "?": []}
    for quoted, plain in _PATTERN_TERM.findall(text):
        sign = plain[:1] if plain[:1] in ("-", "?") and len(plain) > 1 else ""
        parts[sign].append(quoted.replace('\\"', '"') if quoted else plain[len(sign) :])
    return Filter(tuple(parts[""]), tuple(parts["-"]), tuple(parts["?"]))
