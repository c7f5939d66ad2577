"""JSON and CBOR values: from what was decoded to what operations get, and back.

Inside, blobs are bytes and timestamps are float seconds. What does not have its type's form raises Malformed.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cbor2

from hedgerow.core.wire.errors import Malformed
from hedgerow.core.wire.model import Member, Shape
from hedgerow.core.wire.timestamps import read_timestamp, write_timestamp

_HALVES = re.compile("[\ud800-\udfff]")
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def read_value(shape: Shape, value: Any, path: str, ignored: list[str]) -> Any:
    """Answer the value in its inner form; unknown members are left out and their paths added to `ignored`."""
    if shape.document:
        return value
    try:
        return _READ[shape.type](shape, value, path, ignored)
    except KeyError:
        raise Malformed(path, f"a {shape.type}") from None


def read_members(shape: Shape, value: Any, path: str, ignored: list[str], *, body_only: bool = False) -> dict[str, Any]:
    """Answer the members of a structure; with `body_only`, those that travel elsewhere are not looked for."""
    if not isinstance(value, Mapping):
        raise Malformed(path, "a structure")
    prefix = f"{path}." if path else ""
    found: dict[str, Any] = {}
    known = 0
    for name, member in shape.members.items():
        if body_only and member.location is not None:
            continue
        if member.wire in value:
            known += 1
            sent = value[member.wire]
            if sent is not None:
                found[name] = read_value(member.shape, sent, prefix + name, ignored)
    if known != len(value):
        wires = {member.wire for member in shape.members.values() if not (body_only and member.location)}
        unknown = (name for name in value if name not in wires and name != "__type")
        ignored.extend(f"{prefix}{_shown(name)}" for name in unknown)
    return found


def _read_list(shape: Shape, value: Any, path: str, ignored: list[str]) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise Malformed(path, "a list")
    assert shape.member is not None  # noqa: S101 - every list shape has one
    element = shape.member.shape
    return [
        None if item is None else read_value(element, item, f"{path}[{index}]", ignored)
        for index, item in enumerate(value)
    ]


def _read_map(shape: Shape, value: Any, path: str, ignored: list[str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Malformed(path, "a map")
    assert shape.value is not None  # noqa: S101 - every map shape has one
    element = shape.value.shape
    found: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):  # CBOR knows others
            raise Malformed(path, "a map from text")
        _whole(key, path)
        if item is not None:
            found[key] = read_value(element, item, f"{path}.{key}", ignored)
    return found


def _shown(name: object) -> str:
    return name if isinstance(name, str) else f"({type(name).__name__})"


def _read_string(shape: Shape, value: Any, path: str, ignored: list[str]) -> str:
    if not isinstance(value, str):
        raise Malformed(path, "a string")
    return _whole(value, path)


def _whole(text: str, path: str) -> str:
    """Answer the text; raise Malformed for halves of characters, which no encoding can hold."""
    if not text.isascii() and _HALVES.search(text):
        raise Malformed(path, "text of whole characters")
    return text


def _read_integer(shape: Shape, value: Any, path: str, ignored: list[str]) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    bits = 31 if shape.type == "integer" else 63
    if isinstance(value, bool) or not isinstance(value, int) or not -(1 << bits) <= value < 1 << bits:
        raise Malformed(path, f"a whole number of {bits + 1} bits")
    return value


def _read_float(shape: Shape, value: Any, path: str, ignored: list[str]) -> float:
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(path, "a number")
    try:
        return float(value)
    except OverflowError:
        raise Malformed(path, "a number of 64 bits") from None


def _read_boolean(shape: Shape, value: Any, path: str, ignored: list[str]) -> bool:
    if not isinstance(value, bool):
        raise Malformed(path, "true or false")
    return value


def _read_blob(shape: Shape, value: Any, path: str, ignored: list[str]) -> bytes:
    if isinstance(value, bytes):
        return value  # CBOR has byte strings
    if not isinstance(value, str):
        raise Malformed(path, "base64 text")
    return read_base64(value, path)


def _read_timestamp(shape: Shape, value: Any, path: str, ignored: list[str]) -> float:
    seconds = read_timestamp(value)
    if seconds is None:
        raise Malformed(path, "a timestamp")
    return seconds


def read_base64(text: str, path: str) -> bytes:
    """Answer the bytes; raise Malformed when the text is no base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(path, "base64 text") from None


_READ: dict[str, Callable[[Shape, Any, str, list[str]], Any]] = {
    "structure": read_members,
    "list": _read_list,
    "map": _read_map,
    "string": _read_string,
    "character": _read_string,
    "integer": _read_integer,
    "long": _read_integer,
    "float": _read_float,
    "double": _read_float,
    "boolean": _read_boolean,
    "blob": _read_blob,
    "timestamp": _read_timestamp,
}


def write_json(shape: Shape, value: Any, member: Member | None = None) -> Any:
    """Answer the value ready for `json.dumps`."""
    return _write(shape, value, member, cbor=False)


def write_cbor(shape: Shape, value: Any) -> Any:
    """Answer the value ready for `cbor2.dumps`."""
    return _write(shape, value, None, cbor=True)


def write_members(
    shape: Shape, value: Mapping[str, Any], *, cbor: bool = False, body_only: bool = False
) -> dict[str, Any]:
    """Answer a structure's members under their wire names; None is absent. Unknown names are our own mistake."""
    out: dict[str, Any] = {}
    members = shape.members
    for name, item in value.items():
        if item is None:
            continue
        member = members.get(name)
        if member is None:
            raise ValueError(f"{shape.name} has no member {name!r}: the answer does not fit the model")
        if body_only and member.location is not None:
            continue
        out[member.wire] = _write(member.shape, item, member, cbor=cbor)
    return out


def _write(shape: Shape, value: Any, member: Member | None, *, cbor: bool) -> Any:
    kind = shape.type
    if kind == "string" or shape.document:
        return value
    if kind == "structure":
        return write_members(shape, value, cbor=cbor)
    if kind == "list":
        return _write_list(shape, value, cbor=cbor)
    if kind == "map":
        assert shape.value is not None  # noqa: S101
        element = shape.value
        return {str(key): _write(element.shape, item, element, cbor=cbor) for key, item in value.items()}
    if kind == "timestamp":
        if isinstance(value, str):
            return value  # already in the form that the model names
        form = (member.timestamp_format if member else shape.timestamp_format) or "unixTimestamp"
        return cbor2.CBORTag(1, float(value)) if cbor else write_timestamp(value, form)
    if kind == "blob":
        raw = value.encode() if isinstance(value, str) else bytes(value)
        return raw if cbor else base64.b64encode(raw).decode("ascii")
    if kind in ("float", "double"):
        return float(value) if cbor else _write_float(float(value))
    return value


def _write_list(shape: Shape, value: Sequence[Any], *, cbor: bool) -> list[Any]:
    assert shape.member is not None  # noqa: S101
    element = shape.member
    if element.shape.type == "string":
        return list(value)
    return [_write(element.shape, item, element, cbor=cbor) for item in value]


def _write_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
