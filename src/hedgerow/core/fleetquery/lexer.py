"""A query string as tokens. Blanks separate; a backslash takes the next character as it is."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from hedgerow.core.fleetquery.errors import InvalidQuery
from hedgerow.core.fleetquery.syntax import Wild

GEO_DISTANCE: Final = "geo_distance,"
"""What a geographic term begins with: commas may stand in such a one alone."""
REJECTED: Final = frozenset("`@#%/';,")
_UNSUPPORTED: Final = {"~": "fuzzy and proximity searches", "^": "boosting"}
_PREFIXES: Final = {"+": "the prefix +", "!": "the prefix ! (write NOT)", "&": "&& (write AND)", "|": "|| (write OR)"}


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    TEXT = "quoted text"
    OPEN = "("
    CLOSE = ")"
    COLON = ":"
    START = "[ or {"
    END = "] or }"
    COMPARE = "< or >"
    MINUS = "-"
    STOP = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token. `parts` are a word's texts and wildcards as written; `plain` says that nothing in it was escaped."""

    kind: Kind
    text: str
    at: int
    parts: tuple[str | Wild, ...] = ()
    plain: bool = True


_SINGLE: Final = {
    "(": Kind.OPEN,
    ")": Kind.CLOSE,
    ":": Kind.COLON,
    "[": Kind.START,
    "{": Kind.START,
    "]": Kind.END,
    "}": Kind.END,
}
_ENDS: Final = frozenset('()[]{}:"<>')


def tokens(text: str) -> list[Token]:
    """Answer the tokens, with one for the end. Raises InvalidQuery."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
            continue
        if char in _SINGLE:
            token, size = Token(_SINGLE[char], char, at), 1
        elif char in "<>":
            size = 2 if text[at + 1 : at + 2] == "=" else 1
            token = Token(Kind.COMPARE, text[at : at + size], at)
        elif char == '"':
            token, size = _quoted(text, at)
        elif char == "-" and _excludes(text, at):
            token, size = Token(Kind.MINUS, char, at), 1
        else:
            token, size = _word(text, at)
        found.append(token)
        at += size
    found.append(Token(Kind.STOP, "", len(text)))
    return found


def _excludes(text: str, at: int) -> bool:
    """A hyphen excludes where a term may begin; elsewhere it is the sign of a number or part of a word."""
    before = text[:at].rstrip()
    if before.endswith((":", "<", ">", "=", "[", "{")) or before.endswith(" TO"):
        return False
    return text[at + 1 : at + 2] not in ("", " ")


def _quoted(text: str, start: int) -> tuple[Token, int]:
    out: list[str] = []
    at = start + 1
    while at < len(text):
        char = text[at]
        if char == '"':
            return Token(Kind.TEXT, "".join(out), start), at + 1 - start
        if char == "\\" and at + 1 < len(text):
            at += 1
            char = text[at]
        out.append(char)
        at += 1
    raise InvalidQuery(f'the quotation mark at position {start + 1} is not closed: add a "')


def _word(text: str, start: int) -> tuple[Token, int]:
    _check_prefix(text, start)
    parts: list[str | Wild] = []
    plain = True
    commas = "," if text.startswith(GEO_DISTANCE, start) else ""
    at = start
    while at < len(text):
        char = text[at]
        if char.isspace() or char in _ENDS:
            break
        if char == "\\":
            at += 1
            if at == len(text):
                raise InvalidQuery("a backslash at the end of the query has nothing to escape")
            _append(parts, text[at])
            plain = False
        elif char in "*?":
            parts.append(Wild(char))
        else:
            if char != commas:
                _check(char, at)
            _append(parts, char)
        at += 1
    return Token(Kind.WORD, text[start:at], start, tuple(parts), plain), at - start


def _check_prefix(text: str, at: int) -> None:
    char = text[at]
    if char in _PREFIXES and (char not in "&|" or text[at : at + 2] == char * 2):
        raise InvalidQuery(f"{_PREFIXES[char]} at position {at + 1} is not supported; escape it as \\{char}")


def _check(char: str, at: int) -> None:
    if char in REJECTED:
        raise InvalidQuery(f"the character {char} at position {at + 1} is not supported; escape it as \\{char}")
    if char in _UNSUPPORTED:
        raise InvalidQuery(f"{_UNSUPPORTED[char]} ({char} at position {at + 1}) are not supported")


def _append(parts: list[str | Wild], char: str) -> None:
    if parts and isinstance(parts[-1], str):
        parts[-1] += char
    else:
        parts.append(char)
