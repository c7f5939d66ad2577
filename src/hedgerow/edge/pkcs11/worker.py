"""One thread in which a token's library is called, so that one that hangs costs a deadline and not the edge.

A call that never comes back keeps the thread: whoever calls after it is told so at once, and the process may end.
Leaves to others: what is called (`token.py`).
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from hedgerow.edge.trouble import Trouble

T = TypeVar("T")
WITHIN_S: Final = 30.0  # a slow chip makes a key in a few seconds


class Worker:
    """Runs one call after the other. May be used from every thread."""

    def __init__(self, name: str, *, within_s: float = WITHIN_S) -> None:
        self._name = name
        self._within = within_s
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        self._hangs = False
        self._closed = False

    def run(self, act: Callable[[], T]) -> T:
        """Answer what the call answers, or raise what it raises; raise Trouble when it does not end in time."""
        future: Future[T] = Future()
        with self._turn:
            if self._closed:
                raise Trouble(f"{self._name} is closed: the edge ends")
            if self._hangs:
                raise self._hanging()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="pkcs11", daemon=True)
                self._thread.start()
            self._calls.put((future, act))
        try:
            return future.result(self._within)
        except TimeoutError:
            with self._turn:
                if future.done():  # it came just now, or the error is the call's own
                    return future.result()
                self._hangs = True
            future.cancel()
            raise self._hanging() from None

    def close(self) -> None:
        """Run no more calls; may be called more than once, and waits for none that hangs."""
        with self._turn:
            self._closed = True
            thread, self._thread = self._thread, None
            if thread is not None:
                self._calls.put(None)
        if thread is not None:
            thread.join(0 if self._hangs else self._within)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, act = call
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(act())
            except BaseException as error:  # noqa: BLE001  # it is raised where the call was made
                future.set_exception(error)
            with self._turn:
                self._hangs = False

    def _hanging(self) -> Trouble:
        return Trouble(f"{self._name} does not answer within {self._within:g} s; the edge goes on when it does")
