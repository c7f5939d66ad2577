"""Version requirements in npm's grammar: `^1.2`, `~1.2.3`, `1.x`, `>=1.0.0 <2.0.0`, `1.0.0 - 1.9.0`, `a || b`, `*`.

A prerelease is allowed only by a set of comparators in which one names a prerelease of the same three numbers.
Spec: the range grammar of node-semver, which the Greengrass nucleus follows.
"""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from hedgerow.core.recipe.errors import VersionError
from hedgerow.core.recipe.semver import LARGEST_NUMBER, Version, prerelease_fields, version

LONGEST = 1024
MOST_SETS = 64

_OPERATORS: Final[dict[str, Callable[[Version, Version], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Comparator:
    """One bound, such as `>=1.2.0`."""

    sign: str
    bound: Version

    def holds(self, candidate: Version) -> bool:
        """Tell whether the candidate is on the right side of the bound."""
        return _OPERATORS[self.sign](candidate, self.bound)

    def __str__(self) -> str:
        return f"{self.sign}{self.bound}"


ComparatorSet = tuple[Comparator, ...]


def _set_allows(comparators: ComparatorSet, candidate: Version) -> bool:
    if not all(comparator.holds(candidate) for comparator in comparators):
        return False
    if not candidate.prerelease:
        return True
    return any(one.bound.prerelease and one.bound.numbers == candidate.numbers for one in comparators)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What versions are wanted: every clause must allow the version; a clause is a choice of comparator sets."""

    clauses: tuple[tuple[ComparatorSet, ...], ...]
    text: str

    def allows(self, candidate: Version | str) -> bool:
        """Tell whether the version is one of those wanted."""
        wanted = version(candidate) if isinstance(candidate, str) else candidate
        return all(any(_set_allows(one, wanted) for one in clause) for clause in self.clauses)

    def __and__(self, other: "Requirement") -> "Requirement":
        """Answer the requirement that allows exactly what both allow."""
        return Requirement(self.clauses + other.clauses, f"{self.text} and {other.text}")

    def best(self, candidates: Iterable[Version]) -> Version | None:
        """Answer the newest of the versions that is allowed, or None."""
        return max((one for one in candidates if self.allows(one)), default=None)

    def __str__(self) -> str:
        return self.text


ANYTHING: Final = Requirement((), "*")


@dataclass(frozen=True, slots=True)
class _Partial:
    """A version of which the last numbers may be missing (`1`, `1.2`, `1.x`); None stands for the missing ones."""

    major: int | None
    minor: int | None
    patch: int | None
    prerelease: tuple[int | str, ...] = ()

    def floor(self) -> Version:
        return Version(self.major or 0, self.minor or 0, self.patch or 0, self.prerelease)

    def above(self) -> Version:
        """The first version after all that this partial one covers."""
        if self.minor is None:
            return _ceiling((self.major or 0) + 1)
        return _ceiling(self.major or 0, self.minor + 1)


def _ceiling(major: int, minor: int = 0, patch: int = 0) -> Version:
    return Version(major, minor, patch, (0,))  # `<2.0.0-0` leaves out the prereleases of 2.0.0 too


_NOTHING: Final = (Comparator("<", Version(0, 0, 0, (0,))),)
_PART = r"(?:[0-9]+|[xX*])"
_PARTIAL = rf"[v=]*({_PART})(?:\.({_PART})(?:\.({_PART})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?"
_HYPHEN = re.compile(rf"\s*{_PARTIAL}\s+-\s+{_PARTIAL}\s*")
_SIMPLE = re.compile(rf"(\^|~>?|>=|<=|>|<|=)?\s*{_PARTIAL}(?=\s|$)")


def requirement(text: str) -> Requirement:
    """Read a requirement; raise VersionError when it is none. An empty text allows everything."""
    if len(text) > LONGEST:
        raise VersionError(f"a version requirement is longer than {LONGEST} characters")
    choices = text.split("||")
    if len(choices) > MOST_SETS:
        raise VersionError(f"a version requirement has more than {MOST_SETS} alternatives")
    return Requirement((tuple(_choice(choice, text) for choice in choices),), text.strip() or "*")


def _choice(text: str, whole: str) -> ComparatorSet:
    hyphen = _HYPHEN.fullmatch(text)
    if hyphen is not None:
        low, high = _partial(hyphen.groups()[:4], whole), _partial(hyphen.groups()[4:], whole)
        return (Comparator(">=", low.floor()), *_signed("<=", high))
    comparators: list[Comparator] = []
    at = 0
    stripped = text.strip()
    while at < len(stripped):
        match = _SIMPLE.match(stripped, at)
        if match is None:
            raise VersionError(f"{whole!r} is not a version requirement: cannot read {stripped[at:]!r}")
        sign = match[1] or "="
        comparators.extend(_expanded(sign, _partial(match.groups()[1:], whole)))
        at = match.end()
        while at < len(stripped) and stripped[at].isspace():
            at += 1
    return tuple(comparators) or (Comparator(">=", Version(0, 0, 0)),)


def _partial(groups: tuple[str | None, ...], whole: str) -> _Partial:
    major = _number(groups[0], whole)
    minor = None if major is None else _number(groups[1], whole)
    patch = None if minor is None else _number(groups[2], whole)
    prerelease = groups[3]
    if prerelease is None or patch is None:
        return _Partial(major, minor, patch)
    if not all(prerelease.split(".")):
        raise VersionError(f"{whole!r} is not a version requirement: {prerelease!r} has an empty part")
    return _Partial(major, minor, patch, prerelease_fields(prerelease))


def _number(part: str | None, whole: str) -> int | None:
    if part is None or part in "xX*":
        return None
    if len(part) > len(str(LARGEST_NUMBER)):
        raise VersionError(f"a number in {whole!r} is above {LARGEST_NUMBER}")
    return int(part)


def _expanded(sign: str, part: _Partial) -> ComparatorSet:
    if sign == "^":
        return _between(part, _caret_ceiling(part))
    if sign in ("~", "~>"):
        return _between(part, part.above())
    return _signed(sign, part)


def _between(part: _Partial, ceiling: Version) -> ComparatorSet:
    if part.major is None:
        return (Comparator(">=", Version(0, 0, 0)),)
    return Comparator(">=", part.floor()), Comparator("<", ceiling)


def _caret_ceiling(part: _Partial) -> Version:
    """What the caret lets through: nothing may change at or left of the first number that is not zero."""
    if part.major or part.minor is None:
        return _ceiling((part.major or 0) + 1)
    if part.minor or part.patch is None:
        return _ceiling(0, part.minor + 1)
    return _ceiling(0, 0, part.patch + 1)


def _signed(sign: str, part: _Partial) -> ComparatorSet:
    if part.major is None:
        return _NOTHING if sign in ("<", ">") else (Comparator(">=", Version(0, 0, 0)),)
    if part.patch is not None:
        return (Comparator(sign, part.floor()),)
    if sign == "=":
        return _between(part, part.above())
    if sign == ">":
        return (Comparator(">=", Version(*part.above().numbers)),)
    if sign == "<=":
        return (Comparator("<", part.above()),)
    if sign == "<":
        return (Comparator("<", _ceiling(*part.floor().numbers)),)
    return (Comparator(">=", part.floor()),)
