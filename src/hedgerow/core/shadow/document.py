"""A shadow document: what is desired and reported, when each leaf was written, and what an update makes of it.

An update is merged key by key; null removes a key, and so does a nested `{}`; arrays and scalars are replaced whole.
Every leaf that an update names gets a new timestamp, changed or not. Spec: AWS IoT, "device shadow service documents".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Json = Any
Object = Mapping[str, Json]

SECTIONS: Final = ("desired", "reported")


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What a client asks for. `state` is None where it asks to clear everything."""

    state: Object | None
    version: int | None = None
    client_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """One document. `version` is 0 before the first update."""

    state: Object = field(default_factory=dict)
    metadata: Object = field(default_factory=dict)
    version: int = 0


def updated(shadow: Shadow, update: Update, *, now: int) -> Shadow:
    """Answer the shadow after the update, at the next version."""
    wanted: Object = dict.fromkeys(SECTIONS) if update.state is None else update.state
    state, metadata = dict(shadow.state), dict(shadow.metadata)
    for section in SECTIONS:
        if section not in wanted:
            continue
        patch = wanted[section]
        if patch is None:
            state.pop(section, None)
            metadata.pop(section, None)
            continue
        merged = _merged(state.get(section, {}), metadata.get(section, {}), patch, now)
        if section in state or merged[0]:
            state[section], metadata[section] = merged
    return Shadow(state=state, metadata=metadata, version=shadow.version + 1)


def _merged(state: Object, metadata: Object, patch: Object, now: int) -> tuple[dict[str, Json], dict[str, Json]]:
    values, times = dict(state), dict(metadata)
    for key, value in patch.items():
        if isinstance(value, Mapping):
            old = values.get(key)
            known = isinstance(old, Mapping)
            below = _merged(old if known else {}, times.get(key, {}) if known else {}, value, now)  # type: ignore[arg-type]  # known says it
            if value and (below[0] or known):
                values[key], times[key] = below
                continue
        elif value is not None:
            values[key], times[key] = value, stamps(value, now)
            continue
        values.pop(key, None)
        times.pop(key, None)
    return values, times


def stamps(value: Json, now: int) -> Json:
    """Answer the metadata of a value that was written now: a timestamp per leaf, per element in arrays."""
    if isinstance(value, Mapping):
        return {key: stamps(item, now) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [stamps(item, now) for item in value]
    return {"timestamp": now}


def delta(shadow: Shadow) -> tuple[dict[str, Json], dict[str, Json]]:
    """Answer what is desired and not reported so, with its metadata; ({}, {}) when nothing is."""
    return _difference(
        shadow.state.get("desired", {}), shadow.state.get("reported", {}), shadow.metadata.get("desired", {})
    )


def _difference(desired: Object, reported: Object, metadata: Object) -> tuple[dict[str, Json], dict[str, Json]]:
    values: dict[str, Json] = {}
    times: dict[str, Json] = {}
    for key, wanted in desired.items():
        there = reported.get(key)
        if isinstance(wanted, Mapping):
            below = _difference(wanted, there if isinstance(there, Mapping) else {}, metadata.get(key, {}))
            if below[0]:  # an empty object counts as missing, at any depth
                values[key], times[key] = below
            continue
        if key not in reported or not same(wanted, there):
            values[key], times[key] = wanted, metadata.get(key, {})
    return values, times


def same(one: Json, other: Json) -> bool:
    """Tell whether two JSON values mean the same: 1 is 1.0, but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
