"""When a job begins and ends, and in which windows it is rolled out. Times are UTC, to the minute.

Spec: AWS IoT Jobs, "scheduling configurations": a start lies half an hour to a year ahead, an end half an hour to two
years after it; maintenance windows belong to continuous jobs with a start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hedgerow.core.cron import BadCron, parse_cron
from hedgerow.services.iot.errors import InvalidRequest

SHORTEST_S: Final = 30 * 60.0
START_WITHIN_S: Final = 366 * 86_400.0
END_WITHIN_S: Final = 2 * START_WITHIN_S
SHOWN_ROLLOUTS: Final = 7
STOP: Final = "STOP_ROLLOUT"
CANCEL: Final = "CANCEL"
_FORMAT: Final = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time that comes back: `start` is a cron expression."""

    start: str
    minutes: int

    def open_at(self, now: float) -> bool:
        """Tell whether it is open."""
        began = parse_cron(self.start).next_after(now - 60 * self.minutes)
        return began is not None and began <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What CreateJob's `schedulingConfig` says."""

    start: str | None = None
    end: str | None = None
    at_end: str | None = None
    windows: tuple[Window, ...] = ()

    @property
    def start_at(self) -> float | None:
        """When the job begins; None for at once."""
        return None if self.start is None else _moment(self.start)

    @property
    def end_at(self) -> float | None:
        """When its end is, None for never."""
        return None if self.end is None else _moment(self.end)

    def open_at(self, now: float) -> bool:
        """Tell whether things may get the job: in a window, or at any time when there are none."""
        return not self.windows or any(window.open_at(now) for window in self.windows)

    def next_opening(self, now: float) -> float | None:
        """Answer when the next window begins; None when there are none."""
        found = [parse_cron(window.start).next_after(now) for window in self.windows]
        return min((at for at in found if at is not None), default=None)

    def check(self, *, continuous: bool, now: float) -> None:
        """Raise InvalidRequest unless a job that is made now can have it."""
        start, end = self.start_at, self.end_at
        if start is not None and not SHORTEST_S <= start - now <= START_WITHIN_S:
            raise InvalidRequest("StartTime must be 30 minutes to one year in the future.")
        if end is not None and not SHORTEST_S <= end - (start or now) <= END_WITHIN_S:
            raise InvalidRequest("EndTime must be 30 minutes to two years after the start.")
        if self.at_end is not None and end is None:
            raise InvalidRequest("EndBehavior cannot be used without EndTime of SchedulingConfig.")
        if self.windows and not continuous:
            raise InvalidRequest("TargetSelection is invalid. MaintenanceWindow cannot be used with SNAPSHOT job.")
        if self.windows and start is None:
            raise InvalidRequest("MaintenanceWindow cannot be used without StartTime of SchedulingConfig.")
        if start is not None and not self._ever_open(start, end):
            raise InvalidRequest("No MaintenanceWindow opens between StartTime and EndTime.")

    def _ever_open(self, start: float, end: float | None) -> bool:
        if self.open_at(start):
            return True
        opening = self.next_opening(start)
        return opening is not None and (end is None or opening < end)


def read_windows(wire: Any) -> tuple[Window, ...]:
    """Read maintenance windows. Raises InvalidRequest."""
    windows = tuple(Window(start=one["startTime"], minutes=one["durationInMinutes"]) for one in wire or ())
    for window in windows:
        try:
            parse_cron(window.start)
        except BadCron as error:
            raise InvalidRequest(
                f"The maintenance window's startTime {window.start} cannot be read: {error}."
            ) from error
    return windows


def shown_windows(windows: tuple[Window, ...]) -> list[dict[str, Any]]:
    """Answer them as they were given."""
    return [{"startTime": window.start, "durationInMinutes": window.minutes} for window in windows]


def read_schedule(wire: Mapping[str, Any] | None) -> Schedule | None:
    """Read a `schedulingConfig`. Raises InvalidRequest."""
    if not wire:
        return None
    for name in ("startTime", "endTime"):
        if wire.get(name) is not None:
            _moment(wire[name])
    return Schedule(
        start=wire.get("startTime"),
        end=wire.get("endTime"),
        at_end=wire.get("endBehavior"),
        windows=read_windows(wire.get("maintenanceWindows")),
    )


def shown_schedule(schedule: Schedule) -> dict[str, Any]:
    """Answer it as it was given."""
    shown: dict[str, Any] = {"startTime": schedule.start, "endTime": schedule.end, "endBehavior": schedule.at_end}
    if schedule.windows:
        shown["maintenanceWindows"] = shown_windows(schedule.windows)
    return {name: value for name, value in shown.items() if value is not None}


def next_rollouts(schedule: Schedule | None, now: float) -> list[dict[str, str]]:
    """Answer when the next windows begin."""
    found: list[dict[str, str]] = []
    at = None if schedule is None else schedule.next_opening(max(now, (schedule.start_at or 0.0) - 1))
    while schedule is not None and at is not None and len(found) < SHOWN_ROLLOUTS:
        found.append({"startTime": datetime.fromtimestamp(at, UTC).strftime(_FORMAT)})
        at = schedule.next_opening(at)
    return found


def _moment(text: str) -> float:
    try:
        if len(text) != len("YYYY-MM-DDThh:mm"):
            raise ValueError(text)
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise InvalidRequest(
            f"1 validation error detected: Provided time {text} UTC must follow the format YYYY-MM-DDThh:mm."
        ) from error
