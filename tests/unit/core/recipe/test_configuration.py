from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.recipe import ConfigurationError, merged, updated, with_reset

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.lists(st.integers(0, 1), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=3)


@given(DOCUMENTS)
def test_merging_nothing_changes_nothing(one: dict[str, Any]) -> None:
    assert merged(one, {}) == merged({}, one) == merged(one, one) == one


@given(DOCUMENTS, DOCUMENTS)
def test_merging_twice_is_merging_once(one: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merged(one, patch)

    assert merged(once, patch) == once


@given(DOCUMENTS, DOCUMENTS)
def test_resetting_everything_gives_the_defaults(current: dict[str, Any], defaults: dict[str, Any]) -> None:
    assert with_reset(current, defaults, [""]) == defaults


@given(DOCUMENTS, DOCUMENTS, KEYS)
def test_a_reset_key_is_as_in_the_defaults(current: dict[str, Any], defaults: dict[str, Any], key: str) -> None:
    result = with_reset(current, defaults, [f"/{key}"])

    assert (key in result) == (key in defaults)
    assert result.get(key) == defaults.get(key)
    assert {k: v for k, v in result.items() if k != key} == {k: v for k, v in current.items() if k != key}


def test_objects_merge_and_arrays_and_scalars_are_replaced() -> None:
    current = {"o": {"a": 1, "b": 2}, "l": [1, 2, 3], "s": "x"}

    assert merged(current, {"o": {"b": None}, "l": [4], "s": {"y": 1}}) == {
        "o": {"a": 1, "b": None},
        "l": [4],
        "s": {"y": 1},
    }
    assert current == {"o": {"a": 1, "b": 2}, "l": [1, 2, 3], "s": "x"}


def test_a_new_version_keeps_values_and_adds_new_defaults() -> None:
    assert updated({"a": 7}, {"a": 1, "b": 2}) == {"a": 7, "b": 2}


def test_resets_come_before_the_merge() -> None:
    result = updated({"a": {"x": 7, "y": 8}}, {"a": {"x": 1}}, reset=["/a/x", "/a/y"], merge={"a": {"z": 3}})

    assert result == {"a": {"x": 1, "z": 3}}


def test_a_pointer_with_escapes_names_its_key() -> None:
    assert with_reset({"a/b": {"c~d": 1}, "e": 2}, {}, ["/a~1b/c~0d"]) == {"a/b": {}, "e": 2}


@pytest.mark.parametrize("text", ["a", "/l/0"])
def test_a_bad_pointer_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        with_reset({"l": [1]}, {}, [text])
