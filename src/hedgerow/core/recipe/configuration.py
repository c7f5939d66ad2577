"""A component's configuration: merged, reset, carried over to a new version.

Objects are merged key by key; arrays and scalars are replaced as a whole; null is stored as null. Nothing here changes
its arguments. Spec: Greengrass V2, "update component configurations"; pointers are RFC 6901 without array indexes.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from hedgerow.core.recipe.errors import ConfigurationError

Json = Any


def merged(current: Json, patch: Json) -> Json:
    """Answer the current value with the patch laid over it."""
    if not (isinstance(current, Mapping) and isinstance(patch, Mapping)):
        return copy.deepcopy(patch)
    result = {key: copy.deepcopy(value) for key, value in current.items()}
    for key, value in patch.items():
        result[key] = merged(current[key], value) if key in current else copy.deepcopy(value)
    return result


def with_reset(current: Mapping[str, Json], defaults: Mapping[str, Json], pointers: Sequence[str]) -> dict[str, Json]:
    """Answer the configuration with each place set back to its default, or removed where there is no default."""
    result: dict[str, Json] = copy.deepcopy(dict(current))
    for text in pointers:
        keys = pointer(text)
        if not keys:
            result = copy.deepcopy(dict(defaults))
            continue
        found, value = find(defaults, keys)
        if found:
            _put(result, keys, copy.deepcopy(value))
        else:
            _remove(result, keys)
    return result


def updated(
    current: Mapping[str, Json] | None,
    defaults: Mapping[str, Json],
    *,
    reset: Sequence[str] = (),
    merge: Mapping[str, Json] | None = None,
) -> dict[str, Json]:
    """Answer the configuration after a deployment: defaults fill what is new, then the resets, then the merge.

    `current` is None for a component that the device does not have yet.
    """
    start = merged(defaults, current or {})
    result = with_reset(start, defaults, reset)
    answer: dict[str, Json] = merged(result, merge or {})
    return answer


def pointer(text: str) -> tuple[str, ...]:
    """Read a JSON pointer; raise ConfigurationError when it is none. "" is the whole document."""
    if text == "":
        return ()
    if not text.startswith("/"):
        raise ConfigurationError(f"{text!r} is no JSON pointer: it must be empty or start with /")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))


def find(document: Json, keys: Sequence[str]) -> tuple[bool, Json]:
    """Answer whether there is a value at the place, and the value. Raise ConfigurationError inside an array."""
    value = document
    for key in keys:
        if isinstance(value, list):
            raise ConfigurationError(f"a pointer cannot go into an array (at {key!r})")
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value


def _put(document: dict[str, Json], keys: Sequence[str], value: Json) -> None:
    place = document
    for key in keys[:-1]:
        below = place.get(key)
        if isinstance(below, list):
            raise ConfigurationError(f"a pointer cannot go into an array (at {key!r})")
        if not isinstance(below, dict):
            below = place[key] = {}
        place = below
    place[keys[-1]] = value


def _remove(document: dict[str, Json], keys: Sequence[str]) -> None:
    found, parent = find(document, keys[:-1])
    if isinstance(parent, list):
        raise ConfigurationError(f"a pointer cannot go into an array (at {keys[-1]!r})")
    if found and isinstance(parent, dict):
        parent.pop(keys[-1], None)
