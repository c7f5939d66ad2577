"""Semantic versions and their order.

Spec: semver.org 2.0.0, sections 2, 9, 10, 11. Greengrass limits: 64 characters, each number at most 999999.
"""

import re
from dataclasses import dataclass
from functools import total_ordering

from hedgerow.core.recipe.errors import VersionError

LONGEST = 64
LARGEST_NUMBER = 999_999

_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})"
    rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version. Build metadata is kept for display and counts for nothing in comparisons. [semver 10]"""

    major: int
    minor: int
    patch: int
    prerelease: tuple[int | str, ...] = ()
    build: str = ""

    @property
    def numbers(self) -> tuple[int, int, int]:
        """The three numbers, without what follows them."""
        return self.major, self.minor, self.patch

    def _key(self) -> tuple[object, ...]:
        # A prerelease comes before its release; numbers come before words; fewer fields before more. [semver 11]
        fields = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in self.prerelease)
        return (*self.numbers, not self.prerelease, fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: "Version") -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += "-" + ".".join(str(part) for part in self.prerelease)
        return f"{text}+{self.build}" if self.build else text


def prerelease_fields(text: str) -> tuple[int | str, ...]:
    """Answer the fields of `beta.2`: digits as numbers."""
    return tuple(int(part) if part.isdigit() else part for part in text.split("."))


def version(text: str) -> Version:
    """Read a version; raise VersionError when it is none."""
    if len(text) > LONGEST:
        raise VersionError(f"a version is longer than {LONGEST} characters: {text[:LONGEST]!r}")
    match = _VERSION.fullmatch(text)
    if match is None:
        raise VersionError(f"{text!r} is not a semantic version such as 1.0.0")
    major, minor, patch = int(match[1]), int(match[2]), int(match[3])
    if max(major, minor, patch) > LARGEST_NUMBER:
        raise VersionError(f"a number in the version {text!r} is above {LARGEST_NUMBER}")
    prerelease = prerelease_fields(match[4]) if match[4] else ()
    return Version(major, minor, patch, prerelease, match[5] or "")
