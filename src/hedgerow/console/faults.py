"""Which faults are open and which are over, from events and from what the devices' shadows report as open.

An event is `{thing, fault, state: raised|cleared, id, at}`; it may come twice (live and from the log) and late. The
shadow's word counts where there is one: a fault that it no longer reports is over, one that it reports is open.
Pure and bounded: the oldest closed faults are forgotten first.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

MAX_FAULTS: Final = 2_000
MAX_TEXT: Final = 256
SETTLE_S: Final = 10.0  # a device tells of a fault first, and its shadow a moment later


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one device. Times in seconds; None: not known."""

    thing: str
    fault: str
    id: str
    raised_at: float | None
    cleared_at: float | None = None
    cleared: bool = False
    heard_at: float = 0.0  # when its last event came in, by our own clock

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.thing, self.fault, self.id)

    @property
    def last_at(self) -> float:
        """Answer when something was last heard of it."""
        return self.cleared_at or self.raised_at or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """One change."""

    thing: str
    fault: str
    id: str
    cleared: bool
    at: float


def parse_event(payload: bytes | str) -> FaultEvent | None:
    """Answer the event, None when it is none."""
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("state") not in ("raised", "cleared"):
        return None
    thing, fault, identifier, at = (content.get(name) for name in ("thing", "fault", "id", "at"))
    if not isinstance(thing, str) or not isinstance(fault, str) or isinstance(at, bool):
        return None
    if not isinstance(at, int | float) or max(len(thing), len(fault), len(str(identifier))) > MAX_TEXT:
        return None
    seconds = at / 1000 if at > 1e11 else float(at)
    return FaultEvent(
        thing=thing, fault=fault, id=str(identifier or ""), cleared=content["state"] == "cleared", at=seconds
    )


def reported_open(shadow: Mapping[str, Any]) -> dict[str, str] | None:
    """Answer the open faults (name → id) of a shadow document; None when it does not tell."""
    state = shadow.get("state")
    reported = state.get("reported") if isinstance(state, Mapping) else None
    listed = reported.get("open") if isinstance(reported, Mapping) else None
    if not isinstance(listed, Mapping):
        return None
    return {str(name): str(identifier) for name, identifier in listed.items() if identifier}


class FaultBook:
    """All faults that are known."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str, str], Fault] = {}

    def note(self, event: FaultEvent, *, now: float) -> bool:
        """Take in an event; answer whether it told something new."""
        key = (event.thing, event.fault, event.id)
        known = self._faults.get(key) or Fault(thing=event.thing, fault=event.fault, id=event.id, raised_at=None)
        if event.cleared:
            changed = replace(known, cleared=True, cleared_at=known.cleared_at or event.at)
        elif event.id or not known.cleared or event.at > (known.cleared_at or 0.0):
            again = known.cleared and not event.id  # without ids, a later raise opens it anew
            changed = replace(known, raised_at=event.at if again else known.raised_at or event.at)
            changed = replace(changed, cleared=False, cleared_at=None) if again else changed
        else:
            return False
        return self._put(changed if changed == known else replace(changed, heard_at=now))

    def adopt(self, thing: str, listed: Mapping[str, str], *, now: float) -> bool:
        """Take over what a device's shadow reported as open when it was read; answer whether that was news."""
        news = False
        for fault in [fault for fault in self._faults.values() if fault.thing == thing and not fault.cleared]:
            if listed.get(fault.fault) != fault.id and fault.heard_at + SETTLE_S <= now:
                news |= self._put(replace(fault, cleared=True))
        for name, identifier in listed.items():
            known = self._faults.get((thing, name, identifier))
            if known is None:
                news |= self._put(Fault(thing=thing, fault=name, id=identifier, raised_at=None))
            elif known.cleared and known.cleared_at is None:
                news |= self._put(replace(known, cleared=False))
        return news

    def open(self, thing: str | None = None) -> list[Fault]:
        """Answer the open faults, of one device or of all, newest first."""
        return self._sorted(thing, cleared=False)

    def closed(self, thing: str | None = None) -> list[Fault]:
        """Answer the faults that are over, newest first."""
        return self._sorted(thing, cleared=True)

    def open_counts(self) -> dict[str, int]:
        """Answer how many faults are open, by device."""
        counts: dict[str, int] = {}
        for fault in self._faults.values():
            if not fault.cleared:
                counts[fault.thing] = counts.get(fault.thing, 0) + 1
        return counts

    def _sorted(self, thing: str | None, *, cleared: bool) -> list[Fault]:
        found = [one for one in self._faults.values() if one.cleared == cleared and thing in (None, one.thing)]
        return sorted(found, key=lambda one: (-one.last_at, one.key))

    def _put(self, fault: Fault) -> bool:
        if self._faults.get(fault.key) == fault:
            return False
        self._faults[fault.key] = fault
        if len(self._faults) > MAX_FAULTS:
            oldest = min(self._faults.values(), key=lambda one: (not one.cleared, one.last_at))
            del self._faults[oldest.key]
        return True
