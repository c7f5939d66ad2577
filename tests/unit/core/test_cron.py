"""Cron expressions: the next moment, and what is none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.core.cron import BadCron, parse_cron


def after(text: str, moment: str) -> str:
    """Answer the next moment, by the minute."""
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    found = parse_cron(text).next_after(at)
    return "never" if found is None else datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("text", "moment", "wanted"),
    [
        ("cron(0 18 ? * MON *)", "2026-11-21T07:00:00", "2026-11-23T18:00"),
        ("cron(0 0 18 ? * MON *)", "2026-11-21T07:00:00", "2026-11-23T18:00"),
        ("0 18 ? * 2 *", "2026-11-23T18:00:00", "2026-11-30T18:00"),
        ("cron(*/15 * * * ? *)", "2026-11-21T07:14:59", "2026-11-21T07:15"),
        ("cron(5/20 0 1 JAN,JUL ? *)", "2026-07-01T00:45:00", "2027-01-01T00:05"),
        ("cron(0 8-10/2 ? * MON-FRI *)", "2026-11-20T10:00:00", "2026-11-23T08:00"),
        ("cron(0 0 L * ? *)", "2026-02-01T00:00:00", "2026-02-28T00:00"),
        ("cron(0 0 29 2 ? *)", "2026-03-01T00:00:00", "2028-02-29T00:00"),
        ("cron(0 0 ? * 6L *)", "2026-11-21T00:00:00", "2026-11-27T00:00"),
        ("cron(0 0 ? * 6#3 *)", "2026-11-21T00:00:00", "2026-12-18T00:00"),
        ("cron(0 0 1 1 ? 2027)", "2027-01-01T00:00:00", "never"),
        ("cron(0 0 31 4 ? *)", "2026-01-01T00:00:00", "never"),
    ],
)
def test_the_next_moment_is_found(text: str, moment: str, wanted: str) -> None:
    assert after(text, moment) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "six fields"),
        ("cron(0 18 * * *)", "six fields"),
        ("cron(30 0 18 ? * MON *)", "seconds"),
        ("cron(60 18 ? * MON *)", "60"),
        ("cron(0 24 ? * MON *)", "24"),
        ("cron(0 0 1 * MON *)", "must be"),
        ("cron(0 0 15W * ? *)", "15W"),
        ("cron(0 9-8 ? * MON *)", "range"),
        ("cron(0/0 9 ? * MON *)", "range"),
        ("cron(0 9 ? * MOO *)", "MOO"),
        ("cron(0, 9 ? * MON *)", "nothing"),
    ],
)
def test_what_is_no_expression_is_refused_and_says_where(text: str, words: str) -> None:
    with pytest.raises(BadCron, match=words):
        parse_cron(text)


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.integers(1, 7),
    at=st.integers(0, 4_000_000_000),
)
def test_the_next_moment_of_a_week_comes_within_it(minute: int, hour: int, weekday: int, at: int) -> None:
    found = parse_cron(f"cron({minute} {hour} ? * {weekday} *)").next_after(at)

    assert found is not None
    moment = datetime.fromtimestamp(found, UTC)
    assert (moment.minute, moment.hour, moment.isoweekday() % 7 + 1) == (minute, hour, weekday)
    assert timedelta(0) < moment - datetime.fromtimestamp(at, UTC) <= timedelta(days=7)


@given(st.text(alphabet="0123456789*?,-/LW#MON ()cr", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        cron = parse_cron(text)
    except BadCron:
        return
    found = cron.next_after(1_800_000_000.0)
    assert found is None or found > 1_800_000_000.0
