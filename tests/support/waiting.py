"""Waiting for something that another process or thread will make true: asked again and again, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN_S = 15.0
_POLL_S = 0.02


def until(what: str, seen: Callable[[], T | None], *, within_s: float = WITHIN_S) -> T:
    """Answer the first true value of `seen`; at the deadline fail, and say what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        found = seen()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {within_s:g} s: {what}; the last answer was {found!r}")
        time.sleep(_POLL_S)
