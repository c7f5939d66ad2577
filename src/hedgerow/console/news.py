"""Takes over what the cloud tells by itself, and says what should be asked for because of it.

Topics: presence events, the sources' telemetry and faults, changes of the shadow `faults`, health reports of cores.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.console.faults import parse_event
from hedgerow.console.fleet import Fleet
from hedgerow.console.live import Live
from hedgerow.console.model import Reading
from hedgerow.console.sources import Value

PRESENCE: Final = "$aws/events/presence/"
ALWAYS: Final = (
    f"{PRESENCE}#",
    "$aws/things/+/shadow/name/faults/update/accepted",
    "$aws/things/+/greengrassv2/health/json",
)
AFTER_LOSS: Final = ("logs", "cores", "focus")


@dataclass(slots=True)
class Reasons:
    """What should be asked for at once: devices, and the watch's turns."""

    devices: set[str] = field(default_factory=set)
    turns: set[str] = field(default_factory=set)


class News:
    """Reads one live connection into one fleet. `sessions` is the MQTT session that each device was last seen with."""

    def __init__(self, *, fleet: Fleet, live: Live, clock: Clock) -> None:
        self.sessions: dict[str, str] = {}
        self._fleet, self._live, self._clock = fleet, live, clock
        self._reasons = Reasons()

    def take(self) -> Reasons:
        """Take over what came since the last time."""
        self._reasons = Reasons()
        latest, waiting, lost = self._live.take()
        if self._fleet.live != self._live.connected:
            self._fleet.live = self._live.connected
            self._fleet.touch()
        self._fleet.problem("live", self._live.trouble or None)
        for topic, payload in latest.items():
            self._on_telemetry(topic, payload)
        for topic, payload in waiting:
            self._on_message(topic, payload)
        if lost:
            self._reasons.devices.update(self._fleet.devices)
            self._reasons.turns.update(AFTER_LOSS)
        return self._reasons

    def forget(self, names: set[str]) -> None:
        """Forget devices that are gone."""
        for name in names & self.sessions.keys():
            del self.sessions[name]

    def _on_message(self, topic: str, payload: bytes) -> None:
        levels = topic.split("/")
        if topic.startswith(PRESENCE):
            self._on_presence(levels[3], payload)
        elif topic.startswith("$aws/things/") and len(levels) > 3:
            if levels[3] == "greengrassv2":
                self._reasons.turns |= {"cores", "focus"}
            else:
                self._reasons.devices.add(levels[2])
        else:
            event = parse_event(payload)
            if event is not None:
                self._fleet.note_fault(event, now=self._clock.now())
            self._on_telemetry(topic, payload)

    def _on_telemetry(self, topic: str, payload: bytes) -> None:
        found = self._fleet.telemetry_of(topic)
        content = _object(payload) if found else None
        if content is None:
            return
        at = self._clock.now()
        for name, source in found:
            for value in source.values:
                number = value.read(content)
                if number is not None:
                    self._fleet.put_reading(name, reading_of(value, number, at))

    def _on_presence(self, word: str, payload: bytes) -> None:
        content = _object(payload) or {}
        name = str(content.get("thingName") or content.get("clientId") or "")
        if name not in self._fleet.devices and content.get("thingName"):
            self._reasons.turns.add("things")  # somebody just made it
        if name not in self._fleet.devices or content.get("clientId") != name:
            return
        session, at = str(content.get("sessionIdentifier")), content.get("timestamp")
        changed_at = at / 1000 if isinstance(at, int | float) else None
        if word == "connected":
            self.sessions[name] = session
            self._fleet.change(name, online=True, changed_at=changed_at)
        elif word == "disconnected" and self.sessions.get(name, session) == session:  # not of one taken over
            self.sessions[name] = ""
            self._fleet.change(name, online=False, changed_at=changed_at)
        self._reasons.devices.add(name)


def reading_of(value: Value, number: float, at: float) -> Reading:
    """Answer a number as the reading of a value."""
    return Reading(label=value.label, value=number, unit=value.unit, switch=value.switch, at=at)


def _object(payload: bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
