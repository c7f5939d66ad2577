"""The Condition element: operators, quantifiers, and what a missing key means.

All keys and operators of a block must hold; of a key's values one is enough (for the negated operators: none may fit).
A missing key fails a positive operator and satisfies a negated one; `…IfExists` and `ForAllValues:` are satisfied.
"""

import datetime
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from hedgerow.core.policy.patterns import (
    Lookup,
    Tokens,
    Wild,
    filled,
    has_variables,
    literal,
    matches,
    tokens,
    with_defaults,
)

Comparison = Callable[[str, Tokens], bool]


class UnknownOperator(ValueError):
    """The condition has a form that is not known; the message says which."""


class Quantifier(Enum):
    """How many of the request's values must fit."""

    PLAIN = ""
    ALL = "ForAllValues:"
    ANY = "ForAnyValue:"


def _text(pattern: Tokens) -> str:
    return literal(pattern) or ""


def _equals(value: str, wanted: Tokens) -> bool:
    return value == _text(wanted)


def _equals_ignoring_case(value: str, wanted: Tokens) -> bool:
    return value.casefold() == _text(wanted).casefold()


def _like(value: str, wanted: Tokens) -> bool:
    return matches(wanted, value)


def _arn_like(value: str, wanted: Tokens) -> bool:
    """Compare part by part: a wildcard does not reach over the first five colons."""
    if wanted == (Wild.ANY,):
        return value.startswith("arn:")
    parts = value.split(":", 5)
    patterns = _split(wanted)
    return len(parts) == len(patterns) == 6 and all(matches(p, v) for p, v in zip(patterns, parts, strict=True))


def _split(wanted: Tokens) -> list[Tokens]:
    parts: list[list[Any]] = [[]]
    for token in wanted:
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        first, *others = token.split(":", 6 - len(parts))
        parts[-1].append(first)
        parts.extend([other] for other in others)
    return [tuple(part) for part in parts]


def _bool(value: str, wanted: Tokens) -> bool:
    return value.lower() == _text(wanted).lower()


def _ip(value: str, wanted: Tokens) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(_text(wanted), strict=False)
    except ValueError:
        return False


def _numbers(compare: Callable[[float, float], bool]) -> Comparison:
    def test(value: str, wanted: Tokens) -> bool:
        try:
            return compare(float(value), float(_text(wanted)))
        except ValueError:
            return False

    return test


def _dates(compare: Callable[[float, float], bool]) -> Comparison:
    def test(value: str, wanted: Tokens) -> bool:
        left, right = _moment(value), _moment(_text(wanted))
        return left is not None and right is not None and compare(left, right)

    return test


def _moment(text: str) -> float | None:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()


def _comparisons(kind: str, make: Callable[[Callable[[float, float], bool]], Comparison]) -> dict[str, Any]:
    return {
        f"{kind}Equals": (make(float.__eq__), False),
        f"{kind}NotEquals": (make(float.__eq__), True),
        f"{kind}LessThan": (make(float.__lt__), False),
        f"{kind}LessThanEquals": (make(float.__le__), False),
        f"{kind}GreaterThan": (make(float.__gt__), False),
        f"{kind}GreaterThanEquals": (make(float.__ge__), False),
    }


OPERATORS: Final[Mapping[str, tuple[Comparison, bool]]] = {  # name: (comparison, negated)
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "Bool": (_bool, False),
    "BinaryEquals": (_equals, False),
    "IpAddress": (_ip, False),
    "NotIpAddress": (_ip, True),
    **_comparisons("Numeric", _numbers),
    **_comparisons("Date", _dates),
}
_WITH_WILDCARDS: Final = frozenset({_like, _arn_like})
_BY_NAME: Final = {name.lower(): name for name in OPERATORS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One operator on one key."""

    operator: str  # as written
    key: str
    values: tuple[Tokens, ...]
    compare: Comparison | None  # None is Null
    negated: bool = False
    quantifier: Quantifier = Quantifier.PLAIN
    if_exists: bool = False

    def filled(self, lookup: Lookup) -> "Requirement":
        """Put in the values of fixed variables."""
        if not any(has_variables(value) for value in self.values):
            return self
        return Requirement(
            operator=self.operator,
            key=self.key,
            values=tuple(filled(value, lookup) for value in self.values),
            compare=self.compare,
            negated=self.negated,
            quantifier=self.quantifier,
            if_exists=self.if_exists,
        )

    def holds(self, lookup: Lookup, *, denies: bool) -> bool:
        """Tell whether the request satisfies this.

        A value whose variable is unknown fits nothing. Where that would satisfy a negated operator it does so for a
        Deny only: an unknown value must never widen a right.
        """
        found = lookup(self.key)
        if self.compare is None:
            return (found is None) is any(_text(value).lower() == "true" for value in self.values)
        if found is None:
            return self.if_exists or (self.negated and self.quantifier is not Quantifier.ANY) or self._vacuous()
        wanted = [with_defaults(filled(value, lookup)) for value in self.values]
        known = [value for value in wanted if not has_variables(value)]
        if self.negated and len(known) < len(wanted) and not denies:
            return False
        compare = self.compare
        fits = (any(compare(value, pattern) for pattern in known) is not self.negated for value in found)
        if self.quantifier is Quantifier.ALL or (self.negated and self.quantifier is Quantifier.PLAIN):
            return all(fits)
        return any(fits)

    def _vacuous(self) -> bool:
        return self.quantifier is Quantifier.ALL


def requirements(block: Mapping[str, Any], *, variables: bool) -> Iterator[Requirement]:
    """Read a Condition element; raise UnknownOperator for what is not known."""
    for written, keys in block.items():
        if not isinstance(keys, Mapping) or not keys:
            raise UnknownOperator(f"{written} must be an object of keys and values")
        quantifier, name, if_exists = _parts(written)
        for key, value in keys.items():
            texts = _values(value, written, key)
            if name == "null":
                yield Requirement(
                    operator=written, key=key, compare=None, values=tuple(tokens(t, variables=False) for t in texts)
                )
                continue
            compare, negated = OPERATORS[_BY_NAME[name]]
            wild = compare in _WITH_WILDCARDS
            yield Requirement(
                operator=written,
                key=key,
                values=tuple(tokens(text, variables=variables, wildcards=wild) for text in texts),
                compare=compare,
                negated=negated,
                quantifier=quantifier,
                if_exists=if_exists,
            )


def _parts(written: str) -> tuple[Quantifier, str, bool]:
    name = written.lower()
    quantifier = Quantifier.PLAIN
    for kind in (Quantifier.ALL, Quantifier.ANY):
        if name.startswith(kind.value.lower()):
            quantifier, name = kind, name[len(kind.value) :]
    if_exists = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if name == "null" and not if_exists and quantifier is Quantifier.PLAIN:
        return quantifier, name, False
    if name not in _BY_NAME:
        raise UnknownOperator(f"unknown operator {written!r}")
    return quantifier, name, if_exists


def _values(value: Any, written: str, key: str) -> list[str]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    if any(not isinstance(v, str | int | float) for v in values):
        raise UnknownOperator(f"the values of {written} {key} must be texts, numbers or booleans")
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
