"""JSON that people type: a whole document (in the argument, in a file, on standard input), or `key.below=value`."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import Unusable

STANDARD_INPUT: Final = "-"


def read(text: str) -> dict[str, Any]:
    """Answer the JSON object in TEXT, in the file that `@FILE` names, or on standard input (`-`)."""
    where = "standard input" if text == STANDARD_INPUT else text if text.startswith("@") else "the document"
    return parsed(raw(text), where)


def raw(text: str) -> str:
    """Answer the text itself, that of `@FILE`, or that on standard input (`-`)."""
    if text == STANDARD_INPUT:
        return sys.stdin.read()
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise Unusable(f"cannot read {text[1:]}: {error}") from error


def parsed(text: str, where: str) -> dict[str, Any]:
    """Answer the JSON object in a text; `where` says in a refusal where the text is from."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{where} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unusable(f"{where} is not a JSON object: it must look like {{…}}")
    return found


def assembled(assignments: Sequence[str]) -> dict[str, Any]:
    """Answer the document that `lamp.on=true` and its like make; a value that is no JSON is a text."""
    document: dict[str, Any] = {}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise Unusable(f"{assignment!r} is neither KEY=VALUE nor a JSON object")
        _put(document, keys, _value(value), assignment)
    return document


def _put(document: dict[str, Any], keys: Sequence[str], value: Any, assignment: str) -> None:
    *above, last = keys
    for key in above:
        document = document.setdefault(key, {})
        if not isinstance(document, dict):
            raise Unusable(f"{assignment!r} is below something that has a value already")
    if last in document:
        raise Unusable(f"{assignment!r} is there twice, or has something below it")
    document[last] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def without_nothing(document: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the document without what is None."""
    return {key: value for key, value in document.items() if value is not None}
