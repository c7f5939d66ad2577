"""What of a document can be searched: paths with values, as the index keeps them.

A value of several words is there as a whole and word by word, so that a term finds the word and a phrase the whole.
Objects give dotted paths, arrays of scalars each of their values; nulls and arrays of objects are not searched.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_TEXT: Final = 1024  # characters of a value that are searched
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the index. `text` is in lower case; `whole` is False for a word of a longer value."""

    path: str
    text: str
    number: float | None
    whole: bool


def number_in(text: str) -> float | None:
    """Answer the finite number that the text is, or None."""
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if abs(value) != float("inf") else None


def fields_of(document: Mapping[str, Any], *, numbers_in_text: bool = True) -> Iterator[Field]:
    """Answer the rows of a document. With `numbers_in_text`, texts that are numbers count as numbers, too."""
    for path, value in _leaves("", document):
        yield from _rows(path, value, numbers_in_text)


def _leaves(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield from _leaves(f"{prefix}.{name}" if prefix else str(name), below)
    elif isinstance(value, list | tuple):
        scalars = (each for each in value if not isinstance(each, Mapping | list | tuple) and each is not None)
        for _, each in dict.fromkeys((type(each), each) for each in scalars):  # True is not 1
            yield prefix, each
    elif value is not None:
        yield prefix, value


def _rows(path: str, value: Any, numbers_in_text: bool) -> Iterator[Field]:
    if isinstance(value, bool):
        yield Field(path, "true" if value else "false", None, True)
    elif isinstance(value, int | float):
        text = str(value)
        yield Field(path, text.lower(), number_in(text), True)
    else:
        text = " ".join(str(value).lower().split())[:MAX_TEXT].rstrip()
        yield Field(path, text, number_in(text) if numbers_in_text else None, True)
        words = dict.fromkeys(text.split())
        if " " in text:
            for word in words:
                yield Field(path, word, None, False)
