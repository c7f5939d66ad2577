"""Single values as text: in paths, queries, headers, form bodies and XML."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.core.wire.errors import Malformed
from hedgerow.core.wire.json_form import read_base64
from hedgerow.core.wire.model import Member, Shape
from hedgerow.core.wire.timestamps import read_timestamp, write_timestamp

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")


def read_text(shape: Shape, text: str, path: str, *, header: bool = False, json_value: bool = False) -> Any:
    """Answer the value of a scalar that was sent as text; raise Malformed."""
    kind = shape.type
    if kind in ("string", "character"):
        return _read_json_header(text, path) if json_value and header else text
    if kind in ("integer", "long"):
        return _read_integer(text, path)
    if kind in ("float", "double"):
        return _read_float(text, path)
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise Malformed(path, "true or false")
        return text.lower() == "true"
    if kind == "timestamp":
        seconds = read_timestamp(text)
        if seconds is None:
            raise Malformed(path, "a timestamp")
        return seconds
    if kind == "blob":
        return read_base64(text, path)
    raise Malformed(path, f"a {kind}")


def _read_integer(text: str, path: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Malformed(path, "a whole number")
    return int(text)


def _read_float(text: str, path: str) -> float:
    if "_" in text or not text.isascii():  # which Python takes
        raise Malformed(path, "a number")
    try:
        return float(text)
    except ValueError:
        raise Malformed(path, "a number") from None


def _read_json_header(text: str, path: str) -> Any:
    try:
        return json.loads(read_base64(text, path))
    except ValueError:
        raise Malformed(path, "base64 text of JSON") from None


def write_text(member: Member, value: Any, *, timestamps: str) -> str:
    """Answer a scalar (or, in headers, a list of them) as text."""
    kind = member.shape.type
    if member.json_value:
        return base64.b64encode(json.dumps(value).encode()).decode("ascii")
    if kind == "boolean":
        return "true" if value else "false"
    if kind == "timestamp":
        return str(write_timestamp(value, member.timestamp_format or timestamps))
    if kind == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")
    if kind == "list":
        element = member.shape.member
        assert element is not None  # noqa: S101 - every list shape has one
        return ",".join(write_text(element, item, timestamps=timestamps) for item in value)
    return str(value)


def write_headers(shape: Shape | None, response: Mapping[str, Any]) -> dict[str, str]:
    """Answer the headers of a REST answer, in lower case: members located there, and maps with a prefix."""
    headers: dict[str, str] = {}
    for name, member in shape.members.items() if shape else ():
        value = response.get(name)
        if value is None:
            continue
        if member.location == "header":
            headers[member.wire.lower()] = write_text(member, value, timestamps="rfc822")
        elif member.location == "headers":
            headers.update({f"{member.wire}{key}".lower(): str(item) for key, item in value.items()})
    return headers
