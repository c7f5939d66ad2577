"""Cron expressions as AWS writes them, without a clock: which moment is the next one.

`cron(minutes hours day-of-month month day-of-week year)`, in UTC; with a seventh field in front, the seconds, which
must be 0. Days of the week are 1 (SUN) to 7 (SAT), or names. Understood are `*`, `?`, lists, ranges, steps, `L` for the
last day of a month, `6L` for its last Friday and `6#3` for its third one; `W` (the nearest weekday) is not.
"""

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

_NAMES: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTHS: Final = {name: number for number, name in enumerate(_NAMES, 1)}
DAYS: Final = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199
_FURTHEST: Final = timedelta(days=366 * 9)
"""Leap days, too, come within nine years."""
_NTH: Final = re.compile(r"([A-Z0-9]+)#([1-5])")
_LAST: Final = re.compile(r"([A-Z0-9]+)L")
_ANY: Final = ("*", "?")


class BadCron(ValueError):
    """It is no cron expression; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """One expression, read."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    days: frozenset[int]
    last_day: bool
    weekdays: frozenset[int]
    last_weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]

    def next_after(self, at: float) -> float | None:
        """Answer the first moment that is later, in seconds since the epoch; None when there is none any more."""
        moment = datetime.fromtimestamp(at, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day, end = moment.date(), moment.date() + _FURTHEST
        while day <= end and day.year <= LAST_YEAR:
            if self._has(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
                        if found >= moment:
                            return found.timestamp()
            day += timedelta(days=1)
        return None

    def _has(self, day: date) -> bool:
        if day.year not in self.years or day.month not in self.months:
            return False
        length = calendar.monthrange(day.year, day.month)[1]
        weekday = day.isoweekday() % 7 + 1
        in_month = day.day in self.days or (self.last_day and day.day == length)
        in_week = (
            weekday in self.weekdays
            or (weekday in self.last_weekdays and day.day > length - 7)
            or (weekday, (day.day - 1) // 7 + 1) in self.nth_weekdays
        )
        return in_month and in_week


@lru_cache(maxsize=256)
def parse_cron(text: str) -> Cron:
    """Read an expression, with or without `cron(…)` around it. Raises BadCron."""
    inner = text.strip()
    if inner.startswith("cron(") and inner.endswith(")"):
        inner = inner[5:-1]
    fields = inner.upper().split()
    if len(fields) == 7 and fields.pop(0) not in ("0", "00"):
        raise BadCron("the seconds, the first of seven fields, must be 0")
    if len(fields) != 6:
        raise BadCron("it needs six fields: minutes, hours, day of month, month, day of week, year")
    minutes, hours, days, months, weekdays, years = fields
    if days not in _ANY and weekdays not in _ANY:
        raise BadCron("one of day of month and day of week must be ?")
    return Cron(
        minutes=tuple(sorted(_numbers(minutes, 0, 59))),
        hours=tuple(sorted(_numbers(hours, 0, 23))),
        months=_numbers(months, 1, 12, MONTHS),
        years=_numbers(years, FIRST_YEAR, LAST_YEAR),
        last_day=days == "L",
        days=frozenset() if days == "L" else _numbers(_plain(days), 1, 31),
        **_weekdays(weekdays),  # type: ignore[arg-type]  # three fields of different kinds
    )


def _weekdays(text: str) -> Mapping[str, frozenset[int] | frozenset[tuple[int, int]]]:
    nth, last = _NTH.fullmatch(text), _LAST.fullmatch(text)
    none: frozenset[int] = frozenset()
    return {
        "weekdays": none if nth or last else _numbers(_plain(text), 1, 7, DAYS),
        "last_weekdays": _numbers(last[1], 1, 7, DAYS) if last else none,
        "nth_weekdays": frozenset((day, int(nth[2])) for day in _numbers(nth[1], 1, 7, DAYS)) if nth else frozenset(),
    }


def _plain(text: str) -> str:
    return "*" if text == "?" else text


def _numbers(text: str, low: int, high: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = _number(first, low, high, names)
            end = _number(last, low, high, names) if dash else (high if slash else start)
        if start > end or (slash and not _is_number(step)) or (slash and int(step) < 1):
            raise BadCron(f"{part[:32]} is no range")
        found.update(range(start, end + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(text: str, low: int, high: int, names: Mapping[str, int] | None) -> int:
    number = (names or {}).get(text)
    if number is None and _is_number(text):
        number = int(text)
    if number is None or not low <= number <= high:
        raise BadCron(f"{text[:32] or 'nothing'} is not one of {low} to {high}")
    return number


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4
