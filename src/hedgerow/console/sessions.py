"""Who is signed in, and the watches that serve them. Credentials are in memory only and leave with the session.

The browser holds a random cookie; here is only its hash. One watch serves all pages of one person (account and
principal); it ends half a minute after the last page, or with the session whose credentials it uses.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.base.log import get_logger
from hedgerow.console.model import Credentials
from hedgerow.console.watch import Watch

log = get_logger("console")

MAX_SESSIONS: Final = 1_000  # the one that ends first goes when there are more
MAX_WATCHES: Final = 50
LINGER_S: Final = 30.0
HOUSEKEEPING_S: Final = 5.0


class TooManyWatches(Exception):
    """More people look at once than this process serves."""


@dataclass(slots=True)
class _Running:
    watch: Watch
    key_id: str
    task: asyncio.Task[None] | None = None  # None: nobody has looked at the fleet yet
    leases: int = 0
    idle_since: float = field(default=0.0)

    def cancel(self) -> None:
        """End the watch; its pages load again."""
        if self.task is not None:
            self.task.cancel()
        else:
            self.watch.fleet.over = True


class Sessions:
    """The signed-in browsers."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._sessions: dict[str, Credentials] = {}

    def begin(self, credentials: Credentials) -> str:
        """Answer the cookie of a new session."""
        cookie = secrets.token_urlsafe(32)
        self._sessions[_digest(cookie)] = credentials
        if len(self._sessions) > MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda each: self._sessions[each].expires_at)]
        return cookie

    def get(self, cookie: str) -> Credentials | None:
        """Answer the credentials of a session that is not over."""
        credentials = self._sessions.get(_digest(cookie))
        return credentials if credentials is not None and credentials.expires_at > self._clock.now() else None

    def end(self, cookie: str) -> Credentials | None:
        """End a session; answer its credentials."""
        return self._sessions.pop(_digest(cookie), None)

    def ended(self) -> list[Credentials]:
        """Forget the sessions that are over; answer their credentials."""
        now = self._clock.now()
        over = [digest for digest, credentials in self._sessions.items() if credentials.expires_at <= now]
        return [self._sessions.pop(digest) for digest in over]


class Watches:
    """The running watches. `make` builds one for a person; its tasks belong to the group."""

    def __init__(self, *, make: Callable[[Credentials], Watch], tasks: asyncio.TaskGroup, clock: Clock) -> None:
        self._make, self._tasks, self._clock = make, tasks, clock
        self._running: dict[tuple[str, str], _Running] = {}

    def lease(self, credentials: Credentials, *, look: bool = True) -> tuple[Watch, Callable[[], None]]:
        """Answer the person's watch, and what to call when it is no longer needed (once).

        It runs once somebody wants to `look` at the fleet; its desk needs no run.
        """
        key = (credentials.account, credentials.principal)
        running = self._running.get(key)
        if running is None or running.watch.fleet.over:
            if len(self._running) >= MAX_WATCHES:
                raise TooManyWatches
            running = self._running[key] = _Running(self._make(credentials), credentials.access_key_id)
        if look and running.task is None:
            running.task = self._tasks.create_task(self._run(running.watch))
        running.leases += 1
        leased = running

        def release() -> None:
            leased.leases -= 1
            leased.idle_since = self._clock.monotonic()

        return running.watch, release

    def end(self, credentials: Credentials) -> None:
        """End the watch that uses these credentials."""
        key = (credentials.account, credentials.principal)
        running = self._running.get(key)
        if running is not None and running.key_id == credentials.access_key_id:
            self._running.pop(key)
            running.cancel()

    def end_all(self) -> None:
        """End every watch."""
        for running in self._running.values():
            running.cancel()
        self._running.clear()

    async def keep_house(self, sessions: Sessions) -> None:
        """End what nobody looks at, for ever."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            for credentials in sessions.ended():
                self.end(credentials)
            self.end_unused()

    def end_unused(self) -> None:
        """End the watches that nobody has looked at for a while, and forget those that have ended."""
        now = self._clock.monotonic()
        for key, running in list(self._running.items()):
            unused = running.leases <= 0 and now - running.idle_since > LINGER_S
            if unused or (running.task is not None and running.task.done()):
                del self._running[key]
                running.cancel()

    async def _run(self, watch: Watch) -> None:
        try:
            await watch.run()
        except Exception:  # the border of the task: the pages say so, the log says why
            log.exception("a watch ended")


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()
