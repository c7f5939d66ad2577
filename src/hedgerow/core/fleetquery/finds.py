"""Whether a query finds a document: slow, plain, and what the index's SELECT is measured against.

Dynamic groups ask it of one thing at a time.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from hedgerow.core.fleetquery.fields import Field, number_in
from hedgerow.core.fleetquery.places import GEO, chord, paths, vector
from hedgerow.core.fleetquery.syntax import And, Bound, Every, Exists, Match, Near, Node, Not, Or, Range, Wild, Word

UNNAMED: Final = ("connectivity.", "registry.", GEO)
"""Where a term without a field does not look."""


def finds(node: Node, fields: Sequence[Field]) -> bool:
    """Tell whether the query finds the document with these fields."""
    match node:
        case Every():
            return True
        case And(parts):
            return all(finds(part, fields) for part in parts)
        case Or(parts):
            return any(finds(part, fields) for part in parts)
        case Not(part):
            return not finds(part, fields)
        case Exists(name):
            return any(field.path == name for field in fields)
        case Match(name, words):
            return any(_matches(words, field) for field in _named(name, fields))
        case Range(name, low, high):
            return any(_lies(field, low, high) for field in fields if field.path == name)
        case Near():
            return _near(node, fields)


def _named(name: str | None, fields: Sequence[Field]) -> Iterable[Field]:
    """A term without a field is looked for in what is shown of the registry, in shadow and defender fields."""
    if name is None:
        return (field for field in fields if not field.path.startswith(UNNAMED))
    return (field for field in fields if field.path == name)


def _matches(words: tuple[Word, ...], field: Field) -> bool:
    if len(words) > 1:
        phrase = " ".join("".join(part for part in word if isinstance(part, str)) for word in words)
        return f" {phrase} " in f" {field.text} "
    (word,) = words
    if len(word) == 1 and isinstance(word[0], str):
        number = number_in(word[0])
        return field.text == word[0] or (number is not None and field.number == number)
    return " " not in field.text and _like(word, field.text)


def _like(word: Word, text: str) -> bool:
    """Match wildcards in time proportional to both lengths."""
    pattern = [char for part in word for char in ([part] if isinstance(part, Wild) else part)]
    at = here = back = 0
    star = -1
    while here < len(text):
        if at < len(pattern) and (pattern[at] is Wild.ONE or pattern[at] == text[here]):
            at, here = at + 1, here + 1
        elif at < len(pattern) and pattern[at] is Wild.MANY:
            star, back, at = at, here, at + 1
        elif star >= 0:
            back += 1
            at, here = star + 1, back
        else:
            return False
    return all(part is Wild.MANY for part in pattern[at:])


def _lies(field: Field, low: Bound | None, high: Bound | None) -> bool:
    ends = [end for end in (low, high) if end is not None]
    value = field.number if ends and isinstance(ends[0].value, float) else field.text
    return value is not None and _above(low, value) and _below(high, value)


def _near(node: Near, fields: Sequence[Field]) -> bool:
    known = {field.path: field.number for field in fields if field.path.startswith(GEO)}
    (x, y, z), (to_x, to_y, to_z) = (
        (known.get(path) for path in paths(node.field)),
        vector((node.latitude, node.longitude)),
    )
    if x is None or y is None or z is None:
        return False
    squares = (x - to_x) * (x - to_x) + (y - to_y) * (y - to_y) + (z - to_z) * (z - to_z)
    within = squares <= chord(node.metres) * chord(node.metres)
    return within is not node.beyond


def _above(low: Bound | None, value: str | float) -> bool:
    return low is None or (low.inclusive and value == low.value) or _less(low.value, value)


def _below(high: Bound | None, value: str | float) -> bool:
    return high is None or (high.inclusive and value == high.value) or _less(value, high.value)


def _less(one: str | float, other: str | float) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one < other
    return isinstance(one, float) and isinstance(other, float) and one < other
