"""Timestamps: float seconds inside, the model's three forms on the wire."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def read_timestamp(value: object) -> float | None:
    """Answer the seconds, whatever of the three forms was sent; None when it is none of them."""
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
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def write_timestamp(seconds: float, form: str) -> str | int | float:
    """Answer the seconds in the form `unixTimestamp`, `iso8601` or `rfc822`."""
    if form == "unixTimestamp":
        rounded = round(seconds, 3)
        return int(rounded) if rounded == int(rounded) else rounded
    moment = _EPOCH + timedelta(seconds=seconds)
    if form == "rfc822":
        return format_datetime(moment.replace(microsecond=0), usegmt=True)
    if moment.microsecond:
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
