"""Policies read slowly and plainly, statement by statement: what the compiled engine is measured against.

Nothing is prepared, remembered or shared with the engine. Source: IAM user guide, "Policy evaluation logic", "Condition
operators", "Multivalued context keys", "Policy variables". Two choices are ours and the engine's: a variable without
value matches nothing, and where that would widen an Allow (a negated operator, NotResource) the statement is left out.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Context = Mapping[str, "str | Sequence[str]"]
Pattern = list[tuple[str, bool]]  # characters, and whether each stands for itself

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_WITH_DEFAULT = re.compile(r"([^,]+?)\s*,\s*'([^']*)'")
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
}


def decided(document: Mapping[str, Any], action: str, resource: str, context: Context) -> str:
    """Answer ALLOWED, EXPLICIT_DENY or IMPLICIT_DENY."""
    answer = "IMPLICIT_DENY"
    filling = context if document["Version"] == "2012-10-17" else None
    for statement in document["Statement"]:
        denies = statement["Effect"] == "Deny"
        if not _is_about(statement, action) or not _covers(statement, resource, filling, denies=denies):
            continue
        tests = [
            (operator, key, texts)
            for operator, keys in statement.get("Condition", {}).items()
            for key, texts in keys.items()
        ]
        if all(_holds(*test, context, filling, denies=denies) for test in tests):
            if denies:
                return "EXPLICIT_DENY"
            answer = "ALLOWED"
    return answer


def _is_about(statement: Mapping[str, Any], action: str) -> bool:
    texts = statement.get("Action") or statement["NotAction"]
    named = any(_fits(_filled(text.lower(), None), action.lower()) for text in texts)
    return named is not ("NotAction" in statement)


def _covers(statement: Mapping[str, Any], resource: str, filling: Context | None, *, denies: bool) -> bool:
    patterns = [_filled(text, filling) for text in statement.get("Resource") or statement["NotResource"]]
    named = any(_fits(pattern, resource) for pattern in patterns)
    if "NotResource" not in statement:
        return named
    return not named and (denies or None not in patterns)


def _holds(
    operator: str, key: str, texts: Sequence[str], context: Context, filling: Context | None, *, denies: bool
) -> bool:
    value = _value(context, key)
    if operator == "Null":
        return (value is None) == (texts[0] == "true")
    quantifier, _, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    negated = base in _NEGATED
    if value is None:
        return name != base or quantifier == "ForAllValues" or (negated and quantifier != "ForAnyValue")
    patterns = [_filled(text, filling) for text in texts]
    if negated and None in patterns and not denies:
        return False
    fits = _OPERATORS[_NEGATED.get(base, base)]
    found = [
        any(fits(one, pattern) for pattern in patterns if pattern is not None) is not negated
        for one in ([value] if isinstance(value, str) else value)
    ]
    everyone = quantifier == "ForAllValues" or (negated and not quantifier)
    return all(found) if everyone else any(found)


def _value(context: Context, key: str) -> "str | Sequence[str] | None":
    return next((value for name, value in context.items() if name.lower() == key.lower()), None)


def _filled(text: str, context: Context | None) -> Pattern | None:
    """Answer the pattern with the values of its variables, None when one has no value."""
    out: Pattern = []
    end = 0
    for hit in _VARIABLE.finditer(text) if context is not None else ():
        out += [(char, False) for char in text[end : hit.start()]]
        end = hit.end()
        name = hit[1].strip()
        if name in ("*", "?", "$"):
            out.append((name, True))
            continue
        default = _WITH_DEFAULT.fullmatch(name)
        value = _value(context or {}, default[1] if default else name)
        single = value if isinstance(value, str) else value[0] if value is not None and len(value) == 1 else None
        if single is None and default is None:
            return None
        out += [(char, True) for char in (default[2] if single is None and default else single or "")]
    return out + [(char, False) for char in text[end:]]


def _fits(pattern: Pattern | None, text: str) -> bool:
    if pattern is None:
        return False
    wild = {"*": ".*", "?": "."}
    expression = "".join(re.escape(char) if plain else wild.get(char, re.escape(char)) for char, plain in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _text(pattern: Pattern) -> str:
    return "".join(char for char, _ in pattern)


def _arn_fits(value: str, pattern: Pattern) -> bool:
    if pattern == [("*", False)]:
        return value.startswith("arn:")
    parts: list[Pattern] = [[]]
    for char, plain in pattern:
        if char == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append((char, plain))
    values = value.split(":", 5)
    return len(parts) == len(values) == 6 and all(map(_fits, parts, values))


def _address_fits(value: str, pattern: Pattern) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(_text(pattern), strict=False)
    except ValueError:
        return False


def _number(text: str) -> float:
    return float(text)


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ordered(read: Callable[[str], float], fits: Callable[[float, float], bool]) -> Callable[[str, Pattern], bool]:
    def test(value: str, pattern: Pattern) -> bool:
        try:
            return fits(read(value), read(_text(pattern)))
        except ValueError:
            return False

    return test


def _comparisons(kind: str, read: Callable[[str], float]) -> dict[str, Callable[[str, Pattern], bool]]:
    return {
        f"{kind}Equals": _ordered(read, lambda one, other: one == other),
        f"{kind}LessThan": _ordered(read, lambda one, other: one < other),
        f"{kind}LessThanEquals": _ordered(read, lambda one, other: one <= other),
        f"{kind}GreaterThan": _ordered(read, lambda one, other: one > other),
        f"{kind}GreaterThanEquals": _ordered(read, lambda one, other: one >= other),
    }


_OPERATORS: dict[str, Callable[[str, Pattern], bool]] = {
    "StringEquals": lambda value, pattern: value == _text(pattern),
    "StringLike": lambda value, pattern: _fits(pattern, value),
    "StringEqualsIgnoreCase": lambda value, pattern: value.lower() == _text(pattern).lower(),
    "Bool": lambda value, pattern: value.lower() == _text(pattern).lower(),
    "ArnLike": _arn_fits,
    "IpAddress": _address_fits,
    **_comparisons("Numeric", _number),
    **_comparisons("Date", _moment),
}
