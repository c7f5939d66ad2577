import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.wire.timestamps import FIRST, LAST, read_timestamp, write_timestamp


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        1e300,
        10**400,
        "1e999",
        "9" * 400,
        "2020-13-01",
        "Mon, 32 Jan 2020 00:00:00 GMT",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "",
        True,
        [],
        LAST,
        FIRST - 1,
    ],
)
def test_what_no_calendar_has_is_no_moment(value: Any) -> None:
    assert read_timestamp(value) is None


@given(st.integers(FIRST, LAST - 1), st.sampled_from(["unixTimestamp", "iso8601"]))
def test_every_moment_is_read_as_it_was_written(seconds: int, form: str) -> None:
    assert read_timestamp(write_timestamp(seconds, form)) == seconds


@given(st.integers(0, 4_000_000_000))
def test_a_moment_of_a_header_is_read_as_it_was_written(seconds: int) -> None:
    assert read_timestamp(write_timestamp(seconds, "rfc822")) == seconds


@given(st.text(max_size=40) | st.floats() | st.integers())
def test_anything_is_a_moment_or_none(value: object) -> None:
    seconds = read_timestamp(value)

    assert seconds is None or FIRST <= seconds < LAST
