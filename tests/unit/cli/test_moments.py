from datetime import UTC, datetime

import pytest

from hedgerow.cli.moments import utc


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2027-01-01T12:00:00", "2027-01-01T12:00:00+00:00"),
        ("2027-01-01T12:00:00+02:00", "2027-01-01T10:00:00+00:00"),
        ("2027-01-01T12:00:00Z", "2027-01-01T12:00:00+00:00"),
    ],
)
def test_a_moment_is_utc_unless_it_says_another_zone(written: str, meant: str) -> None:
    assert utc(datetime.fromisoformat(written)).astimezone(UTC).isoformat() == meant
