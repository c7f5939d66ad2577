"""IoT SQL text to tokens. Keywords and function names are not case-sensitive; field names are."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hedgerow.core.rulesql.errors import SqlParseError

KEYWORDS: Final = frozenset(
    {"SET", "SELECT", "VALUE", "FROM", "WHERE", "AS", "AND", "OR", "NOT", "TRUE", "FALSE", "NULL"}
    | {"CASE", "WHEN", "THEN", "ELSE", "END"}
)


class Kind(Enum):
    """What a token is."""

    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    KEYWORD = "keyword"
    SIGN = "sign"
    VARIABLE = "variable"
    END = "end of statement"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is a keyword in capitals, a string without its quotes, else as written.

    A keyword may also be a field's name (`reading.value`): `written` keeps its case.
    """

    kind: Kind
    text: str
    position: int
    written: str = ""


_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<string>'(?:[^']|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<variable>@[A-Za-z0-9_]{1,64})
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign><>|<=|>=|[-+*/%=<>().,\[\]{}:])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r'\\(["\\/])')


def tokens(text: str, start: int = 0) -> list[Token]:
    """Answer the tokens, the last of kind END; raise SqlParseError at a character that begins none."""
    found: list[Token] = []
    position = start
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SqlParseError(f"Unexpected character {text[position]!r} at position {position}")
        if match.lastgroup != "space":
            found.append(_token(match))
        position = match.end()
    found.append(Token(Kind.END, "", len(text)))
    return found


def tokens_until_brace(text: str, start: int) -> tuple[list[Token], int]:
    """Answer the tokens up to the `}` that closes a `${` whose inside begins at `start`, and where the rest begins."""
    found: list[Token] = []
    depth = 0
    position = start
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SqlParseError(f"Unexpected character {text[position]!r} at position {position}")
        token = None if match.lastgroup == "space" else _token(match)
        if token is not None and token.kind is Kind.SIGN:
            if token.text == "}" and depth == 0:
                return [*found, Token(Kind.END, "", position)], match.end()
            depth += (token.text == "{") - (token.text == "}")
        if token is not None:
            found.append(token)
        position = match.end()
    raise SqlParseError("a substitution template ${ is not closed by }")


def _token(match: re.Match[str]) -> Token:
    text, position = match.group(), match.start()
    match match.lastgroup:
        case "number":
            return Token(Kind.NUMBER, text, position)
        case "string":
            return Token(Kind.STRING, _unquoted(text), position)
        case "variable":
            return Token(Kind.VARIABLE, text, position)
        case "sign":
            return Token(Kind.SIGN, text, position)
    if text.upper() not in KEYWORDS:
        return Token(Kind.NAME, text, position)
    return Token(Kind.KEYWORD, text.upper(), position, text)


def _unquoted(text: str) -> str:
    quote, inside = text[0], text[1:-1].replace(text[0] * 2, text[0])
    return _ESCAPE.sub(r"\1", inside) if quote == '"' else inside
