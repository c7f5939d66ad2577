"""What the pages show of a fleet, as rows of plain values. Pure: no page, no clock of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.console.errors import Refused
from hedgerow.console.faults import Fault
from hedgerow.console.fleet import Fleet
from hedgerow.console.model import Device, Reading
from hedgerow.console.onboarding import Attempt, Waiting

MAX_CLOSED: Final = 200
MAX_IN_CELL: Final = 6
STALE_S: Final = 60.0
GAP_S: Final = 15.0
GOOD: Final = frozenset({"RUNNING", "FINISHED", "SUCCEEDED", "COMPLETED", "HEALTHY", "ACTIVE", "INSTALLED"})
BAD: Final = frozenset(
    {"BROKEN", "ERRORED", "FAILED", "UNHEALTHY", "REJECTED", "TIMED_OUT", "REVOKED", "INACTIVE", "PENDING_TRANSFER"}
)
WAYS: Final = {
    "CLAIM": "Claim",
    "TRUSTED_USER": "Trusted user",
    "JITP": "Just in time (JITP)",
    "JITR": "Just in time (JITR)",
    "OPERATOR": "Operator",
    "BULK": "In bulk",
    "VENDING": "Vending machine",
}
ORDERS: Final = ("name", "state", "faults")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Which part of the fleet a page shows."""

    search: str = ""
    order: str = "name"
    descending: bool = False
    page: int = 1
    size: int = 50


def fleet_rows(fleet: Fleet, look: Look, *, now: float) -> tuple[list[dict[str, Any]], int]:
    """Answer the rows of one page, and how many devices match."""
    counts = fleet.faults.open_counts()
    found = [device for device in fleet.devices.values() if _matches(device, look.search)]
    found.sort(key=lambda device: device.name)
    if look.order == "state":
        found.sort(key=lambda device: {False: 0, None: 1, True: 2}[device.online], reverse=look.descending)
    elif look.order == "faults":
        found.sort(key=lambda device: counts.get(device.name, 0), reverse=look.descending)
    elif look.descending:
        found.reverse()
    first = (look.page - 1) * look.size
    rows = [_device_row(device, counts.get(device.name, 0), now=now) for device in found[first : first + look.size]]
    return rows, len(found)


def summary(fleet: Fleet) -> str:
    """Answer the fleet in one line."""
    devices = fleet.devices.values()
    online = sum(device.online is True for device in devices)
    open_faults = len(fleet.faults.open())
    words = [_count(len(devices), "device"), f"{online} online", _count(open_faults, "open fault")]
    return " · ".join(words)


def state(online: bool | None) -> tuple[str, str]:
    """Answer the tone and the word for a connection."""
    return {True: ("good", "Online"), False: ("bad", "Offline"), None: ("plain", "Not known yet")}[online]


def tone(word: str) -> str:
    """Answer whether a status is good, bad or neither."""
    return "good" if word in GOOD else "bad" if word in BAD else "plain"


def shown(reading: Reading) -> str:
    """Answer a value as people read it."""
    if reading.switch and reading.value in (0.0, 1.0):
        return "on" if reading.value else "off"
    return number(reading.value) + (f" {reading.unit}" if reading.unit else "")


def number(value: float) -> str:
    """Answer a number with the digits that matter, a true minus, and no exponent where it can be helped."""
    if value != value or value in (float("inf"), float("-inf")):
        return "not a number"
    text = f"{value:.0f}" if abs(value) >= 1e5 and abs(value) < 1e15 else f"{value:.5g}"
    return text.replace("-", "−") if "e" not in text else text


def fault_rows(faults: Iterable[Fault], *, limit: int = MAX_CLOSED) -> list[dict[str, Any]]:
    """Answer the rows of a list of faults."""
    return [
        {
            "key": "/".join(fault.key),
            "thing": fault.thing,
            "fault": fault.fault,
            "state": {"tone": "plain" if fault.cleared else "bad", "word": "Closed" if fault.cleared else "Open"},
            "raised": fault.raised_at,
            "cleared": fault.cleared_at,
            "id": fault.id,
        }
        for fault in list(faults)[:limit]
    ]


def component_rows(device: Device) -> list[dict[str, Any]]:
    """Answer the rows of a device's components."""
    return [
        {
            "name": one.name,
            "version": one.version,
            "state": {"tone": tone(one.state), "word": one.state},
            "details": one.details,
        }
        for one in device.components
    ]


def deployment_rows(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """Answer the rows of a device's deployments."""
    details = fleet.details.get(name)
    return [
        {
            "id": one.id,
            "name": one.name,
            "state": {"tone": tone(one.status), "word": one.status},
            "changed": one.changed_at,
            "reason": one.reason,
        }
        for one in (details.deployments if details else ())
    ]


def certificate_rows(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """Answer the rows of a device's certificates."""
    details = fleet.details.get(name)
    return [
        {
            "id": one.id,
            "state": {"tone": tone(one.status), "word": one.status},
            "created": one.created_at,
            "from": one.not_before,
            "until": one.not_after,
        }
        for one in (details.certificates if details else ())
    ]


def waiting_rows(waiting: Iterable[Waiting]) -> list[dict[str, Any]]:
    """Answer the rows of devices at the vending machine."""
    return [
        {
            "serial": one.serial,
            "asked": one.requested_at,
            "address": one.address,
            "note": " · ".join(part for part in (one.template, one.decided_by.rsplit(":", 1)[-1]) if part),
            "decided": one.decided_at,
            "approve": {"ISSUED": "Another one", "APPROVED": "Approve again"}.get(one.state, "Approve"),
            "deny": one.state in ("PENDING", "APPROVED"),
        }
        for one in waiting
    ]


def parameters(text: str, *, thing: str = "") -> dict[str, str]:
    """Answer NAME=VALUE, one to a line, and the thing's name; raises Refused for anything else."""
    found = {"ThingName": thing} if thing else {}
    for line in (each.strip() for each in text.splitlines() if each.strip()):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not name or not equals:
            raise Refused(f"Parameters must be NAME=VALUE, one to a line; {line!r} is not.")
        if name in found:
            raise Refused(f"The parameter {name} is given twice.")
        found[name] = value
    return found


def attempt_rows(attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Answer the rows of attempts to get in."""
    return [
        {
            "key": f"{one.at} {number}",
            "at": one.at,
            "way": WAYS.get(one.way, one.way),
            "outcome": {"tone": "good", "word": "Accepted"} if one.accepted else {"tone": "bad", "word": "Refused"},
            "device": one.device,
            "address": one.address,
            "reason": one.reason,
        }
        for number, one in enumerate(attempts)
    ]


def with_gaps(points: Iterable[tuple[float, float]], period_s: float) -> list[tuple[float, float | None]]:
    """Answer the points with a hole wherever nothing came for a while, so that no line is drawn across it."""
    gap = max(period_s * 3, GAP_S)
    out: list[tuple[float, float | None]] = []
    for at, value in points:
        if out and at - out[-1][0] > gap:
            out.append((at - period_s, None))
        out.append((at, value))
    return out


def _device_row(device: Device, faults: int, *, now: float) -> dict[str, Any]:
    colour, word = state(device.online)
    readings = sorted(device.readings.values(), key=lambda one: one.label)
    return {
        "name": device.name,
        "type": device.type,
        "state": {"tone": colour, "word": word},
        "changed": device.changed_at,
        "groups": list(device.groups),
        "components": [
            {"name": one.name, "version": one.version, "tone": tone(one.state), "state": one.state}
            for one in device.components[:MAX_IN_CELL]
        ],
        "more": {
            "components": max(0, len(device.components) - MAX_IN_CELL),
            "readings": max(0, len(readings) - MAX_IN_CELL),
        },
        "readings": [
            {
                "label": one.label,
                "shown": shown(one),
                "old": now - one.at > STALE_S,
                "at": one.at if now - one.at > STALE_S else 0,
            }
            for one in readings[:MAX_IN_CELL]
        ],
        "faults": faults,
    }


def _matches(device: Device, search: str) -> bool:
    wanted = search.strip().lower()
    if not wanted:
        return True
    texts = (device.name, device.type, *device.groups, *(f"{one.name} {one.version}" for one in device.components))
    return any(wanted in text.lower() for text in texts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
