"""Functions on arrays, objects and encodings. Source: developer guide, "Functions"."""

import base64
import binascii
from typing import Final

from hedgerow.core.rulesql.functions.table import Function, pure
from hedgerow.core.rulesql.values import UNDEFINED, Undefined, Value, parse_json, to_int, to_text


def item(of: Value, at: Value) -> Value:
    """Answer an element of an array, a character of a string or a member of an object; Undefined when there is none."""
    if isinstance(of, dict):
        return of.get(at, UNDEFINED) if isinstance(at, str) else UNDEFINED
    if isinstance(of, list | str):
        index = to_int(at)
        if not isinstance(index, Undefined) and 0 <= index < len(of):
            return of[index]
    return UNDEFINED


def _encoded(value: Value, scheme: Value) -> Value:
    if scheme != "base64":
        return UNDEFINED
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    text = to_text(value)
    return UNDEFINED if isinstance(text, Undefined) else base64.b64encode(text.encode()).decode("ascii")


def _decoded(value: Value, scheme: Value) -> Value:
    if scheme != "base64":
        return UNDEFINED
    text = to_text(value)
    if isinstance(text, Undefined):
        return UNDEFINED
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    try:
        return parse_json(plain)
    except ValueError:
        return plain


def _transformed(mode: Value, extra: Value, items: Value) -> Value:
    if mode != "enrichArray" or not isinstance(extra, dict) or not isinstance(items, list):
        return UNDEFINED
    if not all(isinstance(each, dict) for each in items):
        return UNDEFINED
    return [{**each, **extra} for each in items]


COLLECTIONS: Final[dict[str, Function]] = {
    "decode": pure(_decoded, 2),
    "encode": pure(_encoded, 2),
    "get": pure(item, 2),
    "get_or_default": pure(lambda value, otherwise: otherwise if value in (None, UNDEFINED) else value, 2),
    "isnull": pure(lambda value: value is None, 1),
    "isundefined": pure(lambda value: value is UNDEFINED, 1),
    "transform": pure(_transformed, 3),
}
