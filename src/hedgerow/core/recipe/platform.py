"""Does a manifest fit a device? The platform of a manifest against the attributes that a device reports.

A value is matched exactly, by `*` (also when the device has no such attribute), by `/regular expression/` (the whole
value), or by the older words `all` and `any`. A manifest without a platform fits every device.

Patterns are tried one way after the other, and whoever writes a recipe must not keep the cloud busy with that: what is
repeated may be no group, there are no back-references, and how many ways there can be is bounded.
"""

import re
from collections.abc import Mapping
from typing import Final

from hedgerow.core.recipe.errors import RecipeError

_ANY: Final = frozenset({"*", "all", "any"})
_LONGEST_PATTERN: Final = 256
_LONGEST_VALUE: Final = 64
_MOST_DOUBLINGS: Final = 18
"""Ways to try a pattern, as a power of two: an alternative or option doubles them, a repetition counts for six."""

_PLAIN: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")  # escaped letters and classes, whatever stands in them

_UNCLEAR: Final = re.compile(r"\[\^?\[|\[[^\]]*(?:\[|--|&&|~~|\|\|)")  # will mean something else in a later Python


def fits(platform: Mapping[str, str], attributes: Mapping[str, str]) -> bool:
    """Tell whether a device with these attributes satisfies every key of the manifest's platform."""
    return all(_fits(wanted, attributes.get(key)) for key, wanted in platform.items())


def check(platform: Mapping[str, str]) -> None:
    """Raise RecipeError when a value is a regular expression that cannot be read."""
    for key, wanted in platform.items():
        pattern = _pattern(wanted)
        if pattern is None:
            continue
        if len(pattern) > _LONGEST_PATTERN:
            raise RecipeError(f"the platform's {key} is a pattern of more than {_LONGEST_PATTERN} characters")
        if _doublings(pattern) > _MOST_DOUBLINGS:
            raise RecipeError(f"the platform's {key} is a pattern with too many ways to match")
        try:
            re.compile(pattern)
        except re.error as error:
            raise RecipeError(f"the platform's {key} is no usable pattern: {error}") from error


def _doublings(pattern: str) -> int:
    """Answer a bound for how often the ways to match double; far too many where there is none."""
    rest = _PLAIN.sub("a", pattern)
    if _UNCLEAR.search(pattern) or re.search(r"\)[*+{]|\(\?P=|\(\?\(", rest) or re.search(r"\\[1-9]", pattern):
        return _MOST_DOUBLINGS + 1
    return sum(rest.count(sign) for sign in "|?") + 6 * sum(rest.count(sign) for sign in "*+{")


def _pattern(wanted: str) -> str | None:
    return wanted[1:-1] if len(wanted) >= 2 and wanted.startswith("/") and wanted.endswith("/") else None


def _fits(wanted: str, value: str | None) -> bool:
    if wanted in _ANY:
        return True
    if value is None:
        return False
    pattern = _pattern(wanted)
    if pattern is None:
        return wanted == value
    return len(value) <= _LONGEST_VALUE and re.fullmatch(pattern, value) is not None
