import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.recipe import RecipeError, fits
from hedgerow.core.recipe.platform import check

ATTRIBUTES = {"os": "linux", "architecture": "aarch64", "architecture.detail": "armv8l"}


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ({}, True),
        ({"os": "linux"}, True),
        ({"os": "windows"}, False),
        ({"os": "*", "runtime": "*"}, True),
        ({"os": "all", "architecture": "any"}, True),
        ({"runtime": "aws_nucleus_lite"}, False),
        ({"os": "/darwin|linux/"}, True),
        ({"os": "/lin/"}, False),
        ({"architecture.detail": "/armv[678]l/"}, True),
        ({"architecture.detail": "/.*v8.*/"}, True),
        ({"runtime": "/.*/"}, False),
        ({"os": "linux", "architecture": "amd64"}, False),
    ],
)
def test_a_manifest_fits_when_every_key_does(platform: dict[str, str], expected: bool) -> None:
    check(platform)

    assert fits(platform, ATTRIBUTES) is expected


@pytest.mark.parametrize(
    "pattern",
    ["(", "(a+)+b", "(a|a)*b", "(a){9}", r"(.)\\1", "a?" * 19, "(a|a)" * 19, ".*.*.*.*b", "a" * 300, "(?P<x>a)(?P=x)"],
)
def test_a_pattern_that_could_keep_us_busy_is_refused(pattern: str) -> None:
    with pytest.raises(RecipeError):
        check({"os": f"/{pattern}/"})


@pytest.mark.parametrize("pattern", [r"6\\.[0-9]+", "[+*?|{(]", "ubuntu|debian|raspbian|alpine", r"\\(\\)\\+", "[]a]+"])
def test_patterns_that_recipes_have_are_allowed(pattern: str) -> None:
    check({"os": f"/{pattern}/"})


@pytest.mark.slow
@given(st.text(alphabet="ab.*+?|()[]{}2,\\", max_size=24), st.sampled_from(["a" * 64, "ab" * 32, "b" * 64]))
def test_no_allowed_pattern_takes_long(pattern: str, value: str) -> None:
    platform = {"os": f"/{pattern}/"}
    try:
        check(platform)
    except RecipeError:
        return

    began = time.process_time()
    fits(platform, {"os": value})

    assert time.process_time() - began < 2.0
