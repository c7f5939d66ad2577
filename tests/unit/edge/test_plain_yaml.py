import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.edge.plain_yaml import load


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", "x: {a: 1, a: 1}", "'1': x\n'1': y\n"])
def test_a_key_that_is_there_twice_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError, match="is there twice") as raised:
        load(text)

    assert raised.value.problem_mark is not None
    assert raised.value.problem_mark.line == text.strip().count("\n")


def test_what_is_merged_may_be_overridden() -> None:
    assert load("a: &a {x: 1, y: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, y: 3}\n")["c"] == {"x": 1, "y": 3}


@given(st.from_regex(r"[0-9][0-9:_.]{0,8}|[-+][0-9]{1,4}|0x[0-9A-F]{1,4}|[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True))
def test_digits_are_shown_as_they_were_written(text: str) -> None:
    try:
        value = load(f"x: {text}")["x"]
    except (ValueError, yaml.YAMLError):  # the 45th of May, or a mapping
        return

    assert isinstance(value, dict) or str(value) == text
