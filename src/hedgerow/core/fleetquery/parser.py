"""Tokens to a tree: NOT binds closest, then AND (also where nothing is written), then OR.

Spec: AWS IoT developer guide, "Query syntax"; AWS's quotas of fleet indexing.
"""

import re
from collections.abc import Callable
from typing import Final

from hedgerow.core.fleetquery.errors import InvalidQuery
from hedgerow.core.fleetquery.fields import number_in
from hedgerow.core.fleetquery.lexer import GEO_DISTANCE, Kind, Token, tokens
from hedgerow.core.fleetquery.places import METRES, is_place
from hedgerow.core.fleetquery.syntax import And, Bound, Every, Exists, Match, Near, Node, Not, Or, Range, Wild, Word

QUERY_LENGTH: Final = 1000  # characters
LEADING_LENGTH: Final = 100  # of a query with a leading wildcard
QUERY_TERMS: Final = 12
DYNAMIC_GROUP_TERMS: Final = 5
MANY_IN_TERM: Final = 2
ONES_IN_TERM: Final = 5
DEPTH: Final = 20  # of parentheses
_WORDS: Final = ("AND", "OR", "NOT", "TO")
_UNTIL: Final = (Kind.STOP, Kind.CLOSE)
_NEAR: Final = re.compile(r"geo_distance,([^,]+),([^,]+),(<=?|>=?)?([0-9.]+(?:[eE][-+]?[0-9]+)?)([a-zA-Z]*)")


def parse(text: str, *, terms: int = QUERY_TERMS) -> Node:
    """Answer the tree of a query string; raise InvalidQuery, which says what is wrong and where."""
    if not text.strip():
        raise InvalidQuery("the query is empty; write * to find everything")
    if len(text) > QUERY_LENGTH:
        raise InvalidQuery(f"the query has {len(text)} characters; {QUERY_LENGTH} are allowed")
    parser = _Parser(tokens(text))
    node = parser.whole()
    if parser.terms > terms:
        raise InvalidQuery(f"the query has {parser.terms} terms; {terms} are allowed")
    if parser.leading > 1:
        raise InvalidQuery("only one term of a query may begin with a wildcard")
    if parser.leading and len(text) > LEADING_LENGTH:
        raise InvalidQuery(f"a query with a leading wildcard may have {LEADING_LENGTH} characters, not {len(text)}")
    return node


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._at = 0
        self._depth = 0
        self.terms = 0
        self.leading = 0

    def whole(self) -> Node:
        node = self._any(None)
        if self._next.kind is not Kind.STOP:
            raise self._unexpected()
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _is_word(self, word: str) -> bool:
        token = self._next
        return token.kind is Kind.WORD and token.plain and token.text == word and not self._names_a_field()

    def _names_a_field(self) -> bool:
        return self._tokens[self._at + 1].kind in (Kind.COLON, Kind.COMPARE)

    def _unexpected(self) -> InvalidQuery:
        token = self._next
        what = "the query ends" if token.kind is Kind.STOP else f"{token.text!r} stands"
        return InvalidQuery(f"{what} at position {token.at + 1} where it cannot be understood")

    def _any(self, field: str | None) -> Node:
        parts = [self._all(field)]
        while self._is_word("OR"):
            self._take()
            parts.append(self._all(field))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, field: str | None) -> Node:
        parts = [self._one(field)]
        while self._next.kind not in _UNTIL and not self._is_word("OR"):
            if self._is_word("AND"):
                self._take()
            parts.append(self._one(field))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, field: str | None) -> Node:
        if self._next.kind is Kind.MINUS or self._is_word("NOT"):
            self._take()
            return self._deeper(lambda: Not(self._one(field)))
        if self._next.kind is Kind.OPEN:
            return self._group(field)
        if self._is_near():
            return self._near(field)
        if self._next.kind is Kind.WORD and self._names_a_field():
            if field is not None:
                raise InvalidQuery(f"a field inside of {field}:(…) at position {self._next.at + 1}; escape the colon")
            return self._of_field(self._field())
        return self._term(field)

    def _group(self, field: str | None) -> Node:
        opened = self._take()
        node = self._deeper(lambda: self._any(field))
        if self._next.kind is not Kind.CLOSE:
            raise InvalidQuery(f"the parenthesis at position {opened.at + 1} is not closed")
        self._take()
        return node

    def _deeper(self, inside: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > DEPTH:
            raise InvalidQuery(f"the query is nested deeper than {DEPTH} levels")
        node = inside()
        self._depth -= 1
        return node

    def _field(self) -> str:
        token = self._take()
        if len(token.parts) != 1 or not isinstance(token.parts[0], str):
            raise InvalidQuery(f"{token.text!r} at position {token.at + 1} is no name of a field")
        return token.parts[0]

    def _of_field(self, field: str) -> Node:
        if self._next.kind is Kind.COLON:
            self._take()
        token = self._next
        if token.kind is Kind.COMPARE:
            return self._comparison(field)
        if token.kind is Kind.START:
            return self._range(field)
        if token.kind is Kind.OPEN:
            return self._group(field)
        if token.kind is Kind.WORD and token.parts == (Wild.MANY,):
            self._take()
            self.terms += 1
            return Exists(field)
        if self._is_near():
            return self._near(field)
        return self._term(field)

    def _term(self, field: str | None) -> Node:
        token = self._next
        if token.kind not in (Kind.WORD, Kind.TEXT) or (
            token.kind is Kind.WORD and token.plain and token.text in _WORDS
        ):
            raise self._unexpected()
        self._take()
        self.terms += 1
        if token.kind is Kind.TEXT:
            words = tuple((word,) for word in token.text.lower().split())
            if not words:
                raise InvalidQuery(f"the text at position {token.at + 1} is empty")
            return Match(field, words)
        if token.parts == (Wild.MANY,):
            return Every() if field is None else Exists(field)
        return Match(field, (self._word(token),))

    def _is_near(self) -> bool:
        """One in quotation marks is one, too, when it has no blanks."""
        token = self._next
        known = token.kind in (Kind.WORD, Kind.TEXT) and token.text.startswith(GEO_DISTANCE)
        return known and not any(char.isspace() for char in token.text)

    def _near(self, field: str | None) -> Node:
        token = self._take()
        text = token.text
        if self._next.kind is Kind.COMPARE:  # geo_distance,1,2,>3km is three tokens
            text += self._take().text + self._take().text
        self.terms += 1
        where = f"at position {token.at + 1}"
        if field is None:
            raise InvalidQuery(
                f"geo_distance {where} needs a field: write field:geo_distance,latitude,longitude,distance"
            )
        found = _NEAR.fullmatch(text)
        if found is None:
            raise InvalidQuery(f"{text!r} {where} is none of geo_distance,latitude,longitude,distance, as in 10km")
        latitude, longitude, distance = (number_in(found[part]) for part in (1, 2, 4))
        if latitude is None or longitude is None or not is_place(latitude, longitude):
            raise InvalidQuery(f"{text!r} {where} has no latitude from -90 to 90 and longitude from -180 to 180")
        unit = METRES.get(found[5].lower())
        if distance is None or unit is None:
            raise InvalidQuery(f"{text!r} {where} has no distance with a unit such as km, m, mi, yd or ft")
        return Near(field, latitude, longitude, distance * unit, (found[3] or "").startswith(">"))

    def _word(self, token: Token) -> Word:
        if token.parts.count(Wild.MANY) > MANY_IN_TERM or token.parts.count(Wild.ONE) > ONES_IN_TERM:
            raise InvalidQuery(
                f"{token.text!r} at position {token.at + 1} has too many wildcards:"
                f" {MANY_IN_TERM} * and {ONES_IN_TERM} ? are allowed in a term"
            )
        if isinstance(token.parts[0], Wild):
            self.leading += 1
        return tuple(part if isinstance(part, Wild) else part.lower() for part in token.parts)

    def _comparison(self, field: str) -> Node:
        compare = self._take()
        value, open_ended = self._end(f"after {compare.text}")
        if open_ended:
            raise InvalidQuery(f"{compare.text} at position {compare.at + 1} needs a value")
        self.terms += 1
        bound = Bound(value, compare.text.endswith("="))
        return Range(field, None, bound) if compare.text.startswith("<") else Range(field, bound, None)

    def _range(self, field: str) -> Node:
        start = self._take()
        low, open_low = self._end("at the start of the range")
        if not self._is_word("TO"):
            raise InvalidQuery(f"the range at position {start.at + 1} has no TO: write [low TO high]")
        self._take()
        high, open_high = self._end("at the end of the range")
        if self._next.kind is not Kind.END:
            raise InvalidQuery(f"the range at position {start.at + 1} is not closed by ] or }}")
        end = self._take()
        self.terms += 1
        if open_low and open_high:
            return Exists(field)
        if not open_low and not open_high and isinstance(low, float) is not isinstance(high, float):
            raise InvalidQuery(f"the range at position {start.at + 1} is from a number to a text, or the reverse")
        return Range(
            field,
            None if open_low else Bound(low, start.text == "["),
            None if open_high else Bound(high, end.text == "]"),
        )

    def _end(self, where: str) -> tuple[str | float, bool]:
        """Answer the value of an end, and whether it is open."""
        token = self._take()
        if token.kind is Kind.TEXT:
            return _blanks_as_one(token.text.lower()), False
        if token.kind is Kind.WORD and token.parts == (Wild.MANY,):
            return "", True
        if token.kind is not Kind.WORD or any(isinstance(part, Wild) for part in token.parts):
            self._at -= 1
            raise InvalidQuery(f"a value is missing {where}, at position {token.at + 1}")
        text = "".join(part for part in token.parts if isinstance(part, str))
        number = number_in(text) if token.plain else None
        return (_blanks_as_one(text.lower()) if number is None else number), False


def _blanks_as_one(text: str) -> str:
    """Answer the text as values are indexed."""
    return " ".join(text.split())
