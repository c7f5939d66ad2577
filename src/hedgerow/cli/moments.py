"""Points in time on the command line: UTC, unless they say another zone."""

from datetime import UTC, datetime


def utc(moment: datetime) -> datetime:
    """Answer the moment with its zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
