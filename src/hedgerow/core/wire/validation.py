"""What the model says of an input: required members, lengths, ranges, patterns, enumerations.

Messages have AWS's form and name the member: `1 validation error detected: Value 'a b' at 'thingName' failed to satisfy
constraint: Member must satisfy regular expression pattern: …`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from hedgerow.core.wire.model import Member, Operation, Shape

_SHOWN = 100
_MATCHED = 4096  # longer texts (of shapes without a maximum) are not matched: some patterns take quadratic time
_AT_MOST = 10  # problems named in one answer
_RUNTIME = "Runtime"  # Lambda takes runtimes that the model does not list [lambda-runtime 3]
_LENIENT_ENUMS = frozenset({("lambda", _RUNTIME), ("greengrass", "EncodingType")})

# Java's classes in the models' patterns, as the inside of a bracket. POSIX names are ASCII in Java.
_CLASSES = {
    "L": r"\w",  # in a bracket there is no way to take digits and `_` out again; the patterns here allow them
    "Graph": r"!-~",
    "Alnum": "0-9A-Za-z",
    "Alpha": "A-Za-z",
    "Digit": "0-9",
    "Upper": "A-Z",
    "Lower": "a-z",
    "Print": " -~",
    "ASCII": r"\x00-\x7f",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r"\s",
    "Z": " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    "C": "\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff\ufff9-\ufffb",
    "Cc": "\x00-\x1f\x7f-\x9f",
    "M": "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f",
    "P": r"!-#%-*,-/:;?@\[-\]_{}\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u2010-\u2027\u2030-\u205e\u3001-\u3003",
    "S": r"$+<=>^`|~\u00a2-\u00a9\u00ac\u00ae-\u00b1\u00b4\u00d7\u00f7\u20a0-\u20bf\u2100-\u2bff",
    "N": r"\d\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u2189\u2460-\u249b",
}
# these backtrack exponentially on a few dozen spaces
_ENDLESS = frozenset(
    {
        r"^[ \t]*[^\x00-\x1F:\x7F]+([ \t]+[^\x00-\x1F:\x7F]+)*[ \t]*$",
        r"^[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*$",
    }
)
_PROPERTY = re.compile(r"\\([pP])\{(?:Is)?(\w+)\}")
_ASCII_IN_JAVA = {"\\w": "0-9A-Z_a-z", "\\d": "0-9"}  # as the inside of a bracket; Python's take every script's
_CLASSES_WRITTEN = frozenset({*_ASCII_IN_JAVA.values(), r"\s", r"\W", r"\D", r"\S"})


def problems(service: str, operation: Operation, params: Mapping[str, Any]) -> list[str]:
    """Answer what is wrong with an input, in the members' order; [] when nothing is."""
    if operation.input is None:
        return []
    try:
        return list(islice(_structure(service, operation.input, params, ""), _AT_MOST))
    except RecursionError:
        return ["Value at 'input' failed to satisfy constraint: Member must be nested less deeply"]


def message(found: list[str]) -> str:
    """Answer AWS's sentence for these problems."""
    plural = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {plural} detected: {'; '.join(found)}"


def missing(path: str) -> str:
    """Answer what is wrong when a required member is not there."""
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _structure(service: str, shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name in shape.required:
        if value.get(name) is None:
            yield missing(prefix + name)
    if shape.union and len(value) != 1:
        yield f"Value at '{path}' failed to satisfy constraint: Exactly one member must be set"
    members = shape.members
    for name, item in value.items():
        yield from _value(service, members[name], item, prefix + name)


def _value(service: str, member: Member, value: Any, path: str) -> Iterator[str]:
    shape = member.shape
    kind = shape.type
    if shape.document or member.json_value:
        return
    if kind == "structure":
        yield from _structure(service, shape, value, path)
    elif kind in ("string", "blob"):
        yield from _text(service, shape, value, path)
    elif kind in ("integer", "long", "float", "double"):
        yield from _range(shape, value, path)
    elif kind == "list":
        yield from _length(shape, value, path)
        assert shape.member is not None  # noqa: S101
        for index, item in enumerate(value):
            if item is not None:
                yield from _value(service, shape.member, item, f"{path}.{index + 1}.member")
    elif kind == "map":
        yield from _length(shape, value, path)
        assert shape.key is not None and shape.value is not None  # noqa: S101, PT018
        for key, item in value.items():
            yield from _value(service, shape.key, key, f"{path} (key)")
            yield from _value(service, shape.value, item, f"{path}.{key}.member")


def _text(service: str, shape: Shape, value: str | bytes, path: str) -> Iterator[str]:
    too = list(_length(shape, value, path))
    if too or isinstance(value, bytes):
        yield from too  # and no pattern is tried on it
        return
    if shape.enum is not None and value not in shape.enum and (service, shape.name) not in _LENIENT_ENUMS:
        allowed = ", ".join(sorted(shape.enum))
        yield _failed(shape, value, path, f"Member must satisfy enum value set: [{allowed}]")
    if shape.pattern is not None and len(value) <= _MATCHED:
        pattern = compiled(shape.pattern)
        if pattern is not None and pattern.fullmatch(value) is None:
            yield _failed(shape, value, path, f"Member must satisfy regular expression pattern: {shape.pattern}")


def _length(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if shape.minimum is None and shape.maximum is None:
        return
    length = _utf16_length(value) if isinstance(value, str) else len(value)
    if shape.minimum is not None and length < shape.minimum:
        yield _failed(shape, value, path, f"Member must have length greater than or equal to {shape.minimum}")
    if shape.maximum is not None and length > shape.maximum:
        yield _failed(shape, value, path, f"Member must have length less than or equal to {shape.maximum}")


def _utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _range(shape: Shape, value: float, path: str) -> Iterator[str]:
    if shape.minimum is not None and value < shape.minimum:
        yield _failed(shape, value, path, f"Member must have value greater than or equal to {shape.minimum}")
    if shape.maximum is not None and value > shape.maximum:
        yield _failed(shape, value, path, f"Member must have value less than or equal to {shape.maximum}")


def _failed(shape: Shape, value: Any, path: str, constraint: str) -> str:
    return f"Value {_shown(shape, value)}at '{path}' failed to satisfy constraint: {constraint}"


def _shown(shape: Shape, value: Any) -> str:
    if shape.sensitive or not isinstance(value, str | int | float):
        return ""
    text = str(value)
    return f"'{text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}' "


@lru_cache(maxsize=2048)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """Answer the pattern for Python, None when it is not enforced: Python cannot say it, or it never ends."""
    if pattern in _ENDLESS:
        return None
    try:
        return re.compile(_translated(pattern))
    except re.error:
        return None


def _translated(pattern: str) -> str:
    """Answer the pattern with Java's `\\p{…}`, `\\Z`-less anchors and stray `-` put into Python's words."""
    out: list[str] = []
    at = 0
    inside = False
    while at < len(pattern):
        found = _PROPERTY.match(pattern, at)
        if found is not None:
            at = found.end()
            out.append(_class(found.group(1), found.group(2), inside=inside))
            continue
        char = pattern[at]
        if char == "\\":
            out.append(_escaped(pattern[at : at + 2], inside=inside))
            at += 2
            continue
        if inside and char == "[":
            out.append("\\")  # Python warns of what may one day be a nested set
        if char == "[" and not inside:
            inside = True
        elif char == "]" and inside:
            inside = False
        elif inside and char == "-" and out and out[-1] in _CLASSES_WRITTEN:
            out.append("\\")
        out.append(char)
        at += 1
    return "".join(out)


def _escaped(pair: str, *, inside: bool) -> str:
    content = _ASCII_IN_JAVA.get(pair)
    if content is None:
        return pair
    return content if inside else f"[{content}]"


def _class(letter: str, name: str, *, inside: bool) -> str:
    try:
        content = _CLASSES[name] if name in _CLASSES else _CLASSES[name[0]]
    except KeyError:
        raise re.error(f"no class {name}") from None
    negated = letter == "P"
    if inside:
        if negated:
            raise re.error("a negated class in a bracket")
        return content
    return f"[{'^' if negated else ''}{content}]"
