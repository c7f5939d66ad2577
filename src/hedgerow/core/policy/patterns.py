"""Text patterns of policies: `*`, `?`, policy variables and their escapes, made ready for quick matching.

Values of variables are literal: a `*` in a client id is no wildcard. MQTT's `+` and `#` are ordinary characters.
Matching takes time linear in the text for every pattern, so that no policy can stall its reader.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Wild(Enum):
    """A wildcard."""

    ANY = "*"  # any run of characters, empty too
    ONE = "?"  # exactly one character


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable that has no value yet; `default` is what `${key, 'text'}` gives."""

    name: str
    default: str | None = None


Token = str | Wild | Variable
Tokens = tuple[Token, ...]
Lookup = Callable[[str], "Sequence[str] | None"]

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_DEFAULT: Final = re.compile(r"\s*([^,]*?)\s*,\s*'([^']*)'\s*\Z")
_ESCAPES: Final = frozenset("*?$")
_CERTIFICATE: Final = "iot:certificate."
_UNSAFE: Final = frozenset("*$+?#")
_LONGEST: Final = 1024


def tokens(text: str, *, variables: bool, wildcards: bool = True) -> Tokens:
    """Split a pattern into literals, wildcards and variables; `${*}`, `${?}` and `${$}` are literals."""
    found: list[Token] = []
    end = 0
    for hit in _VARIABLE.finditer(text) if variables else ():
        found.extend(_plain(text[end : hit.start()], wildcards))
        name = hit[1].strip()
        default = _DEFAULT.match(hit[1])
        if name in _ESCAPES:
            found.append(name)
        elif default:
            found.append(Variable(default[1], default[2]))
        else:
            found.append(Variable(name))
        end = hit.end()
    found.extend(_plain(text[end:], wildcards))
    return _joined(found)


def _plain(text: str, wildcards: bool) -> Iterable[Token]:
    if not wildcards:
        return (text,) if text else ()
    return (Wild(part) if part in ("*", "?") else part for part in re.split(r"([*?])", text) if part)


def _joined(parts: Iterable[Token]) -> Tokens:
    joined: list[Token] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        elif not (part is Wild.ANY and last is Wild.ANY):
            joined.append(part)
    return tuple(joined)


def filled(pattern: Tokens, lookup: Lookup) -> Tokens:
    """Put in the values of the variables that have exactly one; the others stay."""
    if not has_variables(pattern):
        return pattern
    return _joined(_value(part, lookup) if isinstance(part, Variable) else part for part in pattern)


def with_defaults(pattern: Tokens) -> Tokens:
    """Put in the defaults of the variables that are still there."""
    if not has_variables(pattern):
        return pattern
    return _joined(
        part.default if isinstance(part, Variable) and part.default is not None else part for part in pattern
    )


def _value(variable: Variable, lookup: Lookup) -> Token:
    values = lookup(variable.name)
    if values is None or len(values) != 1:
        return variable
    value = values[0]
    if variable.name.lower().startswith(_CERTIFICATE) and (len(value) > _LONGEST or not _UNSAFE.isdisjoint(value)):
        return variable  # a certificate could otherwise bring its own wildcards
    return value


def has_variables(pattern: Tokens) -> bool:
    """Tell whether a variable is still without value."""
    for part in pattern:  # noqa: SIM110  # a generator takes four times as long, and every connection asks
        if isinstance(part, Variable):
            return True
    return False


def literal(pattern: Tokens) -> str | None:
    """Answer the text of a pattern that has no wildcard, else None."""
    text = ""
    for part in pattern:
        if not isinstance(part, str):
            return None
        text += part
    return text


def shown(pattern: Tokens) -> str:
    """Answer the pattern as a policy writes it."""
    return "".join(
        part.value if isinstance(part, Wild) else f"${{{part.name}}}" if isinstance(part, Variable) else part
        for part in pattern
    )


def runs(pattern: Tokens) -> tuple[str, ...] | None:
    """Answer the literal texts before, between and after the `*` of a pattern; None when it has a `?`, too."""
    found = [""]
    for part in pattern:
        if part is Wild.ANY:
            found.append("")
        elif isinstance(part, str):
            found[-1] += part
        else:
            return None
    return tuple(found)


def fits(texts: Sequence[str], text: str) -> bool:
    """Match runs (at least two): for each the leftmost place is as good as any later one, so nothing is tried twice."""
    first, last = texts[0], texts[-1]
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for middle in texts[1:-1]:
        at = text.find(middle, at, end)
        if at < 0:
            return False
        at += len(middle)
    return True


def expression(pattern: Tokens) -> str:
    """Answer a regular expression for `fullmatch` whose time is linear in the text.

    Every run up to the next literal is an atomic group: as in `fits` nothing is ever tried twice.
    """
    segments: list[str] = [""]
    for part in pattern:
        if part is Wild.ANY:
            segments.append("")
        elif part is Wild.ONE:
            segments[-1] += "."
        else:
            segments[-1] += re.escape(str(part))
    if len(segments) == 1:
        return segments[0]
    middle = "".join(f"(?>.*?{segment})" for segment in segments[1:-1] if segment)
    return f"{segments[0]}{middle}.*{segments[-1]}"


def matches(pattern: Tokens, text: str) -> bool:
    """Match one pattern that has no variable left."""
    texts = runs(pattern)
    if texts is None:
        return re.fullmatch(expression(pattern), text, re.DOTALL) is not None
    return text == texts[0] if len(texts) == 1 else fits(texts, text)


class Matcher:
    """Many patterns at once: texts, prefixes, runs, and one expression for those with `?`, made when first needed."""

    __slots__ = ("_exact", "_match", "_prefixes", "_rest", "_runs")

    def __init__(self, patterns: Iterable[Tokens]) -> None:
        exact: set[str] = set()
        prefixes: set[str] = set()
        several: set[tuple[str, ...]] = set()
        rest: list[Tokens] = []
        for pattern in patterns:
            texts = runs(pattern)
            if texts is None:
                rest.append(pattern)
            elif len(texts) == 1:
                exact.add(texts[0])
            elif len(texts) == 2 and not texts[1]:
                prefixes.add(texts[0])
            else:
                several.add(texts)
        self._exact = frozenset(exact)
        self._prefixes = tuple(prefixes)
        self._runs = tuple(several)
        self._rest = rest
        self._match: Callable[[str], object] | None = None

    def __call__(self, text: str) -> bool:
        if text in self._exact or text.startswith(self._prefixes):
            return True
        for texts in self._runs:
            if fits(texts, text):
                return True
        if not self._rest:
            return False
        if self._match is None:
            self._match = re.compile("|".join(f"(?:{expression(p)})" for p in self._rest), re.DOTALL).fullmatch
        return self._match(text) is not None
