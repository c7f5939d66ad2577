"""The fleet as one watch knows it: devices, faults, the points of charts, and what is wrong. In memory, bounded.

Used on the event loop only. `version` grows with every change, so a page asks one number whether to look again.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hedgerow.console.faults import FaultBook, FaultEvent
from hedgerow.console.model import Component, Details, Device, Reading
from hedgerow.console.sources import Sources, Telemetry, thing_in

MAX_POINTS: Final = 1_200  # of one curve; the oldest go first
MAX_CHARTS: Final = 64  # devices and windows whose curves are kept; what was loaded longest ago goes first


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far back a chart looks, and how far its points are apart."""

    label: str
    length_s: int
    period_s: int


WINDOWS: Final = (
    Window(label="15 minutes", length_s=900, period_s=1),
    Window(label="1 hour", length_s=3_600, period_s=5),
    Window(label="6 hours", length_s=21_600, period_s=60),
    Window(label="24 hours", length_s=86_400, period_s=300),
)


class Fleet:
    """Everything that the pages show."""

    def __init__(self) -> None:
        self.version = 0
        self.devices: dict[str, Device] = {}
        self.faults = FaultBook()
        self.sources = Sources()
        self.details: dict[str, Details] = {}
        self.problems: dict[str, str] = {}
        self.complete = True  # whether the list of things is whole
        self.loaded = False  # whether the list of things was ever read
        self.live = False  # whether MQTT is connected
        self.over = False  # whether the session has ended
        self._curves: dict[tuple[str, Window], dict[str, deque[tuple[float, float]]]] = {}

    def touch(self) -> None:
        """Say that something changed."""
        self.version += 1

    def problem(self, area: str, words: str | None) -> None:
        """Note what is wrong in an area, None when nothing is any more."""
        if words is None:
            if self.problems.pop(area, None) is not None:
                self.touch()
        elif self.problems.get(area) != words:
            self.problems[area] = words
            self.touch()

    def put_things(self, things: Sequence[tuple[str, str, Mapping[str, str]]], *, complete: bool) -> list[str]:
        """Take over the list of things; answer the names that are new."""
        listed = {name for name, _, _ in things}
        new = [name for name in listed if name not in self.devices]
        for gone in [name for name in self.devices if name not in listed]:
            del self.devices[gone]
            self.details.pop(gone, None)
            for window in WINDOWS:
                self._curves.pop((gone, window), None)
            self.touch()
        for name, kind, attributes in things:
            self.change(name, create=True, type=kind, attributes=attributes)
        if not self.loaded or self.complete != complete:
            self.loaded, self.complete = True, complete
            self.touch()
        return sorted(new)

    def change(self, name: str, *, create: bool = False, **values: Any) -> None:
        """Change what is known of a device; nothing happens for one that is not known."""
        known = self.devices.get(name)
        if known is None:
            if not create:
                return
            known = Device(name=name)
        changed = replace(known, **values)
        if self.devices.get(name) != changed:
            self.devices[name] = changed
            self.touch()

    def put_components(self, name: str, components: Sequence[Component]) -> None:
        self.change(name, components=tuple(sorted(components, key=lambda one: one.name)))

    def put_reading(self, name: str, reading: Reading) -> None:
        """Take over a value unless a newer one is known; it is a point of the chart when one is kept."""
        device = self.devices.get(name)
        if device is None:
            return
        known = device.readings.get(reading.label)
        if known is None or reading.at >= known.at:
            self.change(name, readings={**device.readings, reading.label: reading})
        for window in WINDOWS:
            curve = self._curves.get((name, window), {}).get(reading.label)
            if curve is not None and (not curve or reading.at >= curve[-1][0] + window.period_s * 0.5):
                curve.append((reading.at, reading.value))

    def put_history(self, name: str, window: Window, label: str, points: Sequence[tuple[float, float]]) -> None:
        """Take over a value's past; live points that are newer stay."""
        curves = self._curves.pop((name, window), {})
        last = points[-1][0] + window.period_s if points else 0.0
        newer = (point for point in curves.get(label, ()) if point[0] >= last)
        curves[label] = deque([*points, *newer], maxlen=MAX_POINTS)
        self._curves[name, window] = curves  # loaded last, at the end
        while len(self._curves) > MAX_CHARTS:
            del self._curves[next(iter(self._curves))]
        self.touch()

    def curve(self, name: str, window: Window, label: str, *, since: float) -> list[tuple[float, float]]:
        """Answer the points of a value, oldest first."""
        return [point for point in self._curves.get((name, window), {}).get(label, ()) if point[0] >= since]

    def put_details(self, name: str, details: Details) -> None:
        if self.details.get(name) != details:
            self.details[name] = details
            self.touch()

    def note_fault(self, event: FaultEvent, *, now: float) -> None:
        if self.faults.note(event, now=now):
            self.touch()

    def adopt_faults(self, thing: str, listed: Mapping[str, str], *, now: float) -> None:
        if self.faults.adopt(thing, listed, now=now):
            self.touch()

    def telemetry_of(self, topic: str) -> list[tuple[str, Telemetry]]:
        """Answer the devices and sources that a topic belongs to."""
        found = []
        for source in self.sources.telemetry:
            thing = thing_in(topic, source.filter, source.level)
            if thing is not None and thing in self.devices:
                found.append((thing, source))
        return found
