"""Timestamps: float seconds inside, the model's three forms on the wire."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

FIRST, LAST = -62_135_596_800, 253_402_300_800  # the years 1 to 9999: what the text forms can say
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def read_timestamp(value: object) -> float | None:
    """Answer the seconds, whatever of the three forms was sent; None when it is none of them, or no moment we know."""
    try:
        seconds = _seconds(value)
    except (ValueError, OverflowError):
        return None
    return seconds if seconds is not None and FIRST <= seconds < LAST else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, datetime):
        return value.timestamp()
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def write_timestamp(seconds: float, form: str) -> str | int | float:
    """Answer the seconds in the form `unixTimestamp`, `iso8601` or `rfc822`."""
    if form == "unixTimestamp":
        rounded = round(seconds, 3)
        return int(rounded) if rounded == int(rounded) else rounded
    moment = _EPOCH + timedelta(seconds=seconds)
    if form == "rfc822":
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
