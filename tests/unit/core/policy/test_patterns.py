"""A pattern matches exactly what its regular expression does, alone and among many."""

import re

from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.policy.patterns import Matcher, expression, matches, tokens

PATTERNS = st.text("ab*?\n", max_size=8)
TEXTS = st.text("ab*\n", max_size=10)


def plainly(pattern: str, text: str) -> bool:
    """Match as the language says, without any thought of time."""
    parts = ("." if char == "?" else ".*" if char == "*" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


@given(pattern=PATTERNS, text=TEXTS)
def test_a_pattern_matches_what_the_language_says(pattern: str, text: str) -> None:
    parts = tokens(pattern, variables=False)

    assert matches(parts, text) is plainly(pattern, text)
    assert (re.fullmatch(expression(parts), text, re.DOTALL) is not None) is plainly(pattern, text)


@given(patterns=st.lists(PATTERNS, max_size=6), text=TEXTS)
def test_many_patterns_match_when_one_does(patterns: list[str], text: str) -> None:
    matcher = Matcher(tokens(pattern, variables=False) for pattern in patterns)

    assert matcher(text) is any(plainly(pattern, text) for pattern in patterns)


def test_what_overlaps_is_not_counted_twice() -> None:
    assert not matches(tokens("aba*ba", variables=False), "aba")
    assert not matches(tokens("*ab*ba*", variables=False), "aba")
    assert matches(tokens("*ab*ba*", variables=False), "abba")


def test_a_pattern_of_many_wildcards_takes_no_time() -> None:
    hard = tokens("*a" * 200 + "*b", variables=False)

    assert not matches(hard, "a" * 20_000)
