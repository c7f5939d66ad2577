"""Tells whether this thread has a transaction open, so that a port that is called inside one fails at once.

An operation touches nothing outside its `tx`: a file, socket or process that it waited for would hold up the only
writer, and its effect would stay when the transaction is rolled back or run again. Ports say `forbid_in_transaction`.
What must hold before a flow writes anything, whose first transaction nothing takes back, is looked at here, too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_open: ContextVar[bool] = ContextVar("open", default=False)
_check: ContextVar[Callable[[], None] | None] = ContextVar("check", default=None)


def in_transaction() -> bool:
    """Answer whether the calling code runs inside a transaction of the runner."""
    return _open.get()


@contextmanager
def transaction() -> Iterator[None]:
    """Mark what runs inside as being in a transaction."""
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)


def forbid_in_transaction(port: str) -> None:
    """Raise RuntimeError (our bug) when a transaction is open; `port` names what was called."""
    if _open.get():
        raise RuntimeError(f"{port} was called while a transaction is open; make it a step of a flow")


@contextmanager
def checked_before_writing(check: Callable[[], None]) -> Iterator[None]:
    """Have every transaction that is asked for inside, and that writes, begin with a look: `check` may raise."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


def look_before_writing() -> None:
    """Do what `checked_before_writing` asked for."""
    check = _check.get()
    if check is not None:
        check()
