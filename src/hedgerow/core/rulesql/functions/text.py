"""String functions. Arguments convert to String; Null and Undefined give Undefined (developer guide, "Functions")."""

import hashlib
from collections.abc import Callable
from typing import Final

from hedgerow.core.rulesql.functions.table import Function, pure
from hedgerow.core.rulesql.values import MAX_TEXT, UNDEFINED, Undefined, Value, to_int, to_int_down, to_text

MAX_PAD: Final = 1000


def _on_text(compute: Callable[..., Value]) -> Callable[..., Value]:
    """Wrap a function on strings."""

    def call(*values: Value) -> Value:
        texts = [to_text(value) for value in values]
        return UNDEFINED if any(isinstance(text, Undefined) for text in texts) else compute(*texts)

    return call


def _digest(name: str) -> Function:
    return pure(_on_text(lambda text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()), 1)


def _padding(value: Value, count: Value) -> tuple[str, str] | None:
    text, spaces = to_text(value), to_int_down(count)
    if isinstance(text, Undefined) or isinstance(spaces, Undefined):
        return None
    return text, " " * min(max(spaces, 0), MAX_PAD)


def _left_padded(value: Value, count: Value) -> Value:
    padded = _padding(value, count)
    return UNDEFINED if padded is None else padded[1] + padded[0]


def _right_padded(value: Value, count: Value) -> Value:
    padded = _padding(value, count)
    return UNDEFINED if padded is None else padded[0] + padded[1]


def _substring(value: Value, start: Value, end: Value = None) -> Value:
    text, first = to_text(value), to_int(_cut(start))
    last = len(text) if end is None and not isinstance(text, Undefined) else to_int(_cut(end))
    if isinstance(text, Undefined) or isinstance(first, Undefined) or isinstance(last, Undefined):
        return UNDEFINED
    first, last = max(first, 0), min(max(last, 0), len(text))
    return text[first:last] if first < last else ""


def _cut(value: Value) -> Value:
    down = to_int_down(value)
    return down if not isinstance(down, Undefined) else value


def _character(code: Value) -> Value:
    number = to_int_down(code)
    return chr(number) if not isinstance(number, Undefined) and 0 <= number < 0x110000 else UNDEFINED


def _index_of(text: Value, wanted: Value) -> Value:
    both = isinstance(text, str) and isinstance(wanted, str)
    return text.find(wanted) if both else UNDEFINED


def _joined(*values: Value) -> Value:
    if not values:
        return UNDEFINED
    if len(values) == 1:
        return values[0]
    if sum(len(value) for value in values if isinstance(value, str | list)) > MAX_TEXT:
        return UNDEFINED
    if any(isinstance(value, list) for value in values):
        return [item for value in values for item in (value if isinstance(value, list) else [value])]
    if not any(isinstance(value, str) for value in values):
        return UNDEFINED
    texts = [to_text(value) for value in values]
    return UNDEFINED if any(isinstance(text, Undefined) for text in texts) else "".join(map(str, texts))


def _replaced(text: str, old: str, new: str) -> Value:
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        return UNDEFINED
    return text.replace(old, new)


TEXT: Final[dict[str, Function]] = {
    "chr": pure(_character, 1),
    "concat": pure(_joined, 0, 100),
    "endswith": pure(_on_text(str.endswith), 2),
    "indexof": pure(_index_of, 2),
    "length": pure(_on_text(len), 1),
    "lower": pure(_on_text(str.lower), 1),
    "lpad": pure(_left_padded, 2),
    "ltrim": pure(_on_text(lambda text: text.lstrip(" \t")), 1),
    "md5": _digest("md5"),
    "numbytes": pure(_on_text(lambda text: len(text.encode())), 1),
    "replace": pure(_on_text(_replaced), 3),
    "rpad": pure(_right_padded, 2),
    "rtrim": pure(_on_text(lambda text: text.rstrip(" \t")), 1),
    "sha1": _digest("sha1"),
    "sha224": _digest("sha224"),
    "sha256": _digest("sha256"),
    "sha384": _digest("sha384"),
    "sha512": _digest("sha512"),
    "startswith": pure(_on_text(str.startswith), 2),
    "substring": pure(_substring, 2, 3),
    "trim": pure(_on_text(str.strip), 1),
    "upper": pure(_on_text(str.upper), 1),
}
