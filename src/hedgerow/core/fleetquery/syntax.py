"""The tree of a query, and how it is written down again.

Values are compared without regard to case, so they stand here in lower case; names of fields are exact.
Source: AWS IoT developer guide, "Query syntax" and "Example thing queries".
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

SPECIAL: Final = frozenset("\\()[]{}:\"<>*?-+!&|^~=`@#%/';,")
"""What must be escaped in a word to stand for itself."""


class Wild(Enum):
    """A wildcard in a word."""

    MANY = "*"
    ONE = "?"


Word = tuple["str | Wild", ...]
"""A word: texts and wildcards; two texts never stand side by side."""


@dataclass(frozen=True, slots=True)
class Every:
    """Finds everything: `*`."""


@dataclass(frozen=True, slots=True)
class Match:
    """A term (one word) or phrase (several, one after the other) in a field, or in any field."""

    field: str | None
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value: `field:*`."""

    field: str


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range. A number is compared with numbers, a text with texts."""

    value: str | float
    inclusive: bool


@dataclass(frozen=True, slots=True)
class Range:
    """Values between two ends, of which one may be open. Both ends are numbers, or both are texts."""

    field: str
    low: Bound | None
    high: Bound | None


@dataclass(frozen=True, slots=True)
class Near:
    """A location within a distance of a place, or `beyond` it: `field:geo_distance,latitude,longitude,distance`."""

    field: str
    latitude: float
    longitude: float
    metres: float
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """All parts find it. There are at least two."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any part finds it. There are at least two."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not find it."""

    part: "Node"


Node = Every | Match | Exists | Range | Near | And | Or | Not


def show(node: Node) -> str:
    """Answer a query string that is parsed to the same tree."""
    match node:
        case Every():
            return "*"
        case Match(field, words):
            return _named(field) + _words(words)
        case Exists(field):
            return f"{_name(field)}:*"
        case Range(field, low, high):
            return f"{_name(field)}:{_range(low, high)}"
        case Near(field, latitude, longitude, metres, beyond):
            sign = ">" if beyond else ""
            return f"{_name(field)}:geo_distance,{latitude!r},{longitude!r},{sign}{metres!r}m"
        case And(parts):
            return "(" + " AND ".join(show(part) for part in parts) + ")"
        case Or(parts):
            return "(" + " OR ".join(show(part) for part in parts) + ")"
        case Not(part):
            return f"NOT {show(part)}"


def places_in(node: Node) -> frozenset[str]:
    """Answer the fields whose locations the query asks about."""
    match node:
        case Near(field):
            return frozenset({field})
        case And(parts) | Or(parts):
            return frozenset().union(*(places_in(part) for part in parts))
        case Not(part):
            return places_in(part)
        case _:
            return frozenset()


def _words(words: tuple[Word, ...]) -> str:
    if len(words) > 1 or words[0] in (("and",), ("or",), ("not",), ("to",)):
        inside = " ".join("".join(part for part in word if isinstance(part, str)) for word in words)
        return '"' + inside.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "".join(part.value if isinstance(part, Wild) else _escaped(part) for part in words[0])


def _range(low: Bound | None, high: Bound | None) -> str:
    start = "[" if low is None or low.inclusive else "{"
    end = "]" if high is None or high.inclusive else "}"
    return f"{start}{_end(low)} TO {_end(high)}{end}"


def _end(bound: Bound | None) -> str:
    if bound is None:
        return "*"
    if isinstance(bound.value, float):
        return repr(bound.value)
    return '"' + bound.value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _named(field: str | None) -> str:
    return "" if field is None else f"{_name(field)}:"


def _name(field: str) -> str:
    return _escaped(field, allowed="-")


def _escaped(text: str, allowed: str = "") -> str:
    return "".join(
        "\\" + char if (char in SPECIAL and char not in allowed) or char.isspace() else char for char in text
    )
