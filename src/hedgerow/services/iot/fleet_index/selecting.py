"""A query as a condition of SQL on a document: each term is a subquery over the values, joined as the tree says.

Words of values and queries are in lower case already. Spec: what `core.fleetquery.finds` finds.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, false, literal, not_, or_, select, true

from hedgerow.core.fleetquery import (
    UNNAMED,
    And,
    Bound,
    Every,
    Exists,
    Match,
    Near,
    Node,
    Not,
    Or,
    Range,
    Wild,
    Word,
    chord,
    number_in,
    paths,
    vector,
)

_LAST: Final = "\U0010ffff"
_ESCAPE: Final = "\\"
_ROUNDING: Final = 1e-9  # the exact question follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where the documents' names and the rows of values are; account and index of both."""

    document: Any
    account: Any
    index: Any
    fields: Table


def condition(node: Node, columns: Columns) -> ColumnElement[bool]:
    """Answer the condition under which the query finds a document."""
    match node:
        case Every():
            return true()
        case And(parts):
            return and_(*(condition(part, columns) for part in parts))
        case Or(parts):
            return or_(*(condition(part, columns) for part in parts))
        case Not(part):
            return not_(condition(part, columns))
        case Exists(field):
            return _has(columns, field, true())
        case Match(field, words):
            values = _matching(words, columns.fields.c)
            return or_(*(_has(columns, field, value) for value in values))  # each by its own index
        case Range(field, low, high):
            return _has(columns, field, _between(low, high, columns.fields.c))
        case Near():
            return _near(columns, node)


def _has(columns: Columns, path: str | None, value: ColumnElement[bool]) -> ColumnElement[bool]:
    """The document has a value at the path (at any, for None) for which this holds."""
    c = columns.fields.c
    rows = select(c.name).where(c.account == columns.account, c.index_name == columns.index, value)
    if path is None:
        rows = rows.where(*(not_(_starts(c.path, prefix)) for prefix in UNNAMED))
    else:
        rows = rows.where(c.path == path)
    found: ColumnElement[bool] = columns.document.in_(rows)
    return found


def _near(columns: Columns, node: Near) -> ColumnElement[bool]:
    """Three values of the document are the coordinates of a point; each alone says already what is far too far."""
    reach = chord(node.metres)
    centre = vector((node.latitude, node.longitude))
    axes = [columns.fields.alias(axis) for axis in ("near_x", "near_y", "near_z")]
    first, others = axes[0].c, axes[1:]
    rows = select(first.name).where(first.account == columns.account, first.index_name == columns.index)
    for other in others:
        same = (other.c.account == first.account, other.c.index_name == first.index_name, other.c.name == first.name)
        rows = rows.where(*same)
    squares: list[ColumnElement[float]] = []
    for axis, path, to in zip(axes, paths(node.field), centre, strict=True):
        rows = rows.where(axis.c.path == path)
        away = axis.c.number - literal(to)
        squares.append(away * away)
        if not node.beyond:
            rows = rows.where(axis.c.number >= to - reach - _ROUNDING, axis.c.number <= to + reach + _ROUNDING)
    distance = squares[0] + squares[1] + squares[2]
    limit = literal(reach * reach)
    found: ColumnElement[bool] = columns.document.in_(
        rows.where(distance > limit if node.beyond else distance <= limit)
    )
    return found


def led(node: Node) -> tuple[Match, tuple[Node, ...]] | None:
    """Answer a term that all found documents have, with what else they have to have: led by it nothing is sorted.

    It is one whole text of one field, so that the index has its documents in order. None when there is no such term.
    """
    parts = node.parts if isinstance(node, And) else (node,)
    for at, part in enumerate(parts):
        if isinstance(part, Match) and part.field is not None and exact(part) is not None:
            return part, parts[:at] + parts[at + 1 :]
    return None


def exact(term: Match) -> str | None:
    """Answer the text that a value must be, None when others would do, too."""
    ((first, *others), *more) = term.words
    alone = isinstance(first, str) and not others and not more and number_in(first) is None
    return str(first) if alone else None


def _matching(words: tuple[Word, ...], c: Any) -> list[ColumnElement[bool]]:
    """Answer conditions on a value of which one must hold."""
    if len(words) > 1:
        phrase = " ".join("".join(part for part in word if isinstance(part, str)) for word in words)
        return [_phrase(c.text, phrase)]
    (word,) = words
    if len(word) == 1 and isinstance(word[0], str):
        number = number_in(word[0])
        return [c.text == word[0], *([] if number is None else [c.number == number])]
    one_word = not_(c.text.like("% %"))
    start = word[0]
    if isinstance(start, str):  # the composite index is used for what is fixed at the start
        return [and_(_starts(c.text, start), one_word, c.text.like(_pattern(word), escape=_ESCAPE))]
    return [and_(one_word, c.text.like(_pattern(word), escape=_ESCAPE))]


def _phrase(text: Any, phrase: str) -> ColumnElement[bool]:
    inside = _plain(phrase)
    patterns = (f"{inside} %", f"% {inside}", f"% {inside} %")
    return or_(text == phrase, *(text.like(pattern, escape=_ESCAPE) for pattern in patterns))


def _starts(column: Any, start: str) -> ColumnElement[bool]:
    return and_(column >= start, column < start + _LAST)


def _pattern(word: Word) -> str:
    signs = {Wild.MANY: "%", Wild.ONE: "_"}
    return "".join(signs[part] if isinstance(part, Wild) else _plain(part) for part in word)


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _between(low: Bound | None, high: Bound | None, c: Any) -> ColumnElement[bool]:
    ends = [end for end in (low, high) if end is not None]
    if not ends:
        return false()
    column = c.number if isinstance(ends[0].value, float) else c.text
    parts: list[ColumnElement[bool]] = []
    if low is not None:
        parts.append(column >= low.value if low.inclusive else column > low.value)
    if high is not None:
        parts.append(column <= high.value if high.inclusive else column < high.value)
    return and_(*parts)
