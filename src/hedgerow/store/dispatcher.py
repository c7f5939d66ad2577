"""Hands follow-ups on: at least once, in order per (account, kind, key), when they are due.

Each kind has its own task, so that a slow kind holds up no other, and at most AT_ONCE keys of it are worked on. A
handler that fails is tried again after a wait that grows; after ATTEMPTS the row is a dead letter. It sleeps until the
next row is due and is woken by each commit that wrote a follow-up. The rows themselves are `follow_ups`.
"""

import asyncio
import contextlib
import inspect
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self, cast

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.store import follow_ups
from hedgerow.store.follow_ups import DeadLetter, FollowUp, Head
from hedgerow.store.runner import Run
from hedgerow.store.tx import Answer, Tx

Operation = Callable[[Tx, FollowUp], Answer]
Flow = Callable[[FollowUp], Awaitable[None]]
Handler = Operation | Flow

AT_ONCE: Final = 32
ATTEMPTS: Final = 10
DEADLINE_S: Final = 60.0
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 300.0
LONGEST_SLEEP_S: Final = 60.0
"""The wall clock may be set: look again at least this often."""
GRACE_S: Final = 10.0
"""What a handler gets to finish when the process ends."""
_OF_ONE_KEY: Final = 64
BEHIND: Final = 5
"""So many pauses late, one that gathers takes none: there is enough to gather."""

log = get_logger("store.follow_ups")


class Scheduling(Run, Protocol):
    """A runner that says after a commit which follow-ups were written."""

    def when_scheduled(self, tell: Callable[[Mapping[str, float]], None]) -> None: ...


class Gathered:
    """An operation that takes over what else waits (`Tx.take_follow_ups`): called once at a time, with pauses between.

    So what is written in the meantime is done together, and costs less.
    """

    def __init__(self, operation: Operation, *, pause_s: float) -> None:
        self._operation = operation
        self.pause_s = pause_s

    def __call__(self, tx: Tx, row: FollowUp) -> Answer:
        return self._operation(tx, row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How hard the dispatcher tries. `chance` answers a number from 0 to 1, so that not all come back together."""

    attempts: int = ATTEMPTS
    deadline_s: float = DEADLINE_S
    at_once: int = AT_ONCE
    first_wait_s: float = FIRST_WAIT_S
    longest_wait_s: float = LONGEST_WAIT_S
    chance: Callable[[], float] = secrets.SystemRandom().random

    def wait_s(self, failures: int) -> float:
        """Answer how long to wait after so many failures (1 or more)."""
        longest = min(self.first_wait_s * 2.0 ** min(failures - 1, 60), self.longest_wait_s)
        return longest * (0.5 + self.chance() / 2)


class Dispatcher:
    """An async context manager: entering it starts, leaving it lets handlers finish (GRACE_S) and stops.

    A handler is an operation `(tx, row) -> Answer`, which runs in the transaction that removes the row, or a flow
    `async def (row) -> None`, after which the row is removed. Both may be called more than once for the same row.
    """

    def __init__(
        self, run: Scheduling, handlers: Mapping[str, Handler], clock: Clock, *, policy: Policy | None = None
    ) -> None:
        self._run = run
        self._clock = clock
        policy = policy or Policy()
        self._kinds = {kind: _Kind(kind, handler, run, clock, policy) for kind, handler in handlers.items()}
        self._unknown = asyncio.Event()
        self._stopping = False
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._bury_unknown()
        self._run.when_scheduled(self.wake)
        await self._tasks.__aenter__()
        for kind in self._kinds.values():
            self._tasks.create_task(kind.serve(), name=f"follow-ups {kind.name}")
        self._tasks.create_task(self._watch_for_unknown(), name="follow-ups of unknown kinds")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping = True
        self._unknown.set()
        for each in self._kinds.values():
            each.stop()
        try:
            async with asyncio.timeout(GRACE_S):
                await self._tasks.__aexit__(kind, error, traceback)
        except TimeoutError:
            log.warning("follow-ups were cut off; they will be tried again at the next start")

    def wake(self, scheduled: Mapping[str, float]) -> None:
        """Take notice that follow-ups of these kinds were written, due then."""
        for name, due in scheduled.items():
            kind = self._kinds.get(name)
            if kind is None:
                self._unknown.set()
            else:
                kind.notice(due)

    async def dead_letters(self, account: str) -> Sequence[DeadLetter]:
        """Answer the account's follow-ups that are not tried any more, oldest first."""
        return await self._run.read(lambda tx: follow_ups.dead_letters(tx, account))

    async def retry(self, account: str, seq: int) -> bool:
        """Have a dead letter tried again from the beginning; False when the account has no such one."""
        answer = await self._run.write(lambda tx: Answer({"kind": follow_ups.revive(tx, account, seq)}))
        kind = answer.response["kind"]
        if kind is not None:
            self.wake({kind: self._clock.now()})
        return kind is not None

    async def discard(self, account: str, seq: int) -> bool:
        """Forget a dead letter; False when the account has no such one."""
        answer = await self._run.write(lambda tx: Answer({"found": follow_ups.discard(tx, account, seq)}))
        return bool(answer.response["found"])

    def statistics(self) -> Mapping[str, int]:
        """Answer how many were `done`, `failed` (each time counts) and `buried`, and how many keys are `busy`."""
        kinds = self._kinds.values()
        return {
            "done": sum(kind.done for kind in kinds),
            "failed": sum(kind.failed for kind in kinds),
            "buried": sum(kind.buried for kind in kinds),
            "busy": sum(len(kind.busy) for kind in kinds),
        }

    async def settled(self, *, deadline_s: float = 10.0) -> None:
        """Wait until nothing that is due is left to be tried; raises TimeoutError after the deadline."""
        async with asyncio.timeout(deadline_s):
            for kind in self._kinds.values():
                while not await kind.settled():
                    kind.notice(self._clock.now())
                    await asyncio.sleep(0.001)

    async def _watch_for_unknown(self) -> None:
        while not self._stopping:
            await self._unknown.wait()
            self._unknown.clear()
            try:
                await self._bury_unknown()
            except Unavailable:
                log.warning("cannot look for follow-ups of unknown kinds", exc_info=True)

    async def _bury_unknown(self) -> None:
        found = await self._run.read(follow_ups.kinds)
        for kind in set(found) - set(self._kinds):
            error = f"no handler for the kind {kind!r}"
            await self._run.write(_burial(kind, error))
            log.error("follow-ups of an unknown kind are kept as dead letters", extra={"fields": {"kind": kind}})


class _Kind:
    """The follow-ups of one kind."""

    def __init__(self, name: str, handler: Handler, run: Run, clock: Clock, policy: Policy) -> None:
        self.name = name
        self.busy: set[tuple[str, str]] = set()
        self.done = self.failed = self.buried = 0
        self._flow, self._operation = _told_apart(handler)
        self._pause_s = handler.pause_s if isinstance(handler, Gathered) else None
        self._run = run
        self._clock = clock
        self._policy = policy
        self._wake = asyncio.Event()
        self._next_due: float | None = None
        self._touched: set[int] = set()  # since the last look began: what it says of these may be out of date
        self._stopping = False
        self._stopped = asyncio.Event()

    def notice(self, due: float) -> None:
        """Look again, unless this is due only after what is waited for anyway."""
        if due <= self._clock.now() or self._next_due is None or due < self._next_due:
            self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._stopped.set()
        self._wake.set()

    async def settled(self) -> bool:
        heads = await self._run.read(lambda tx: follow_ups.heads(tx, self.name, now=self._clock.now(), limit=1))
        return not heads and not self.busy

    async def serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping:
                self._wake.clear()
                try:
                    heads = await self._look()
                except Unavailable:
                    log.warning("cannot read follow-ups", exc_info=True, extra={"fields": {"kind": self.name}})
                    await self._sleep(1.0)
                    continue
                if heads and self._pause_s is not None:
                    await self._gather(heads[0], self._pause_s)
                    continue
                for head in heads:
                    key = (head.row.account, head.row.key)
                    free = key not in self.busy and len(self.busy) < self._policy.at_once
                    if free and head.row.seq not in self._touched:
                        self.busy.add(key)
                        tasks.create_task(self._work_off(head))
                await self._sleep(self._until_next())

    async def _gather(self, head: Head, pause_s: float) -> None:
        self.busy.add((head.row.account, head.row.key))
        await self._work_off(head)
        if self._clock.now() - head.row.due_at > BEHIND * pause_s:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stopped.wait()

    async def _look(self) -> Sequence[Head]:
        now = self._clock.now()
        self._touched.clear()

        def query(tx: Tx) -> tuple[Sequence[Head], float | None]:
            if self._pause_s is not None:
                found = follow_ups.oldest(tx, self.name, now=now)
            else:
                limit = self._policy.at_once  # those of busy keys are among them
                found = follow_ups.heads(tx, self.name, now=now, limit=limit)
            return found, follow_ups.next_due(tx, self.name, now=now)

        heads, self._next_due = await self._run.read(query)
        return heads

    def _until_next(self) -> float:
        if self._next_due is None:
            return LONGEST_SLEEP_S
        return min(max(self._next_due - self._clock.now(), 0.0), LONGEST_SLEEP_S)

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _work_off(self, head: Head) -> None:
        """Handle the due rows of one key in order, up to the first that fails."""
        try:
            rows = [head.row]
            if head.due > 1:
                now = self._clock.now()
                rows = list(
                    await self._run.read(lambda tx: follow_ups.due_of_key(tx, head.row, now=now, limit=_OF_ONE_KEY))
                )
            for row in rows:
                if self._stopping or not await self._handle(row):
                    break
        except Unavailable:
            log.warning("the store failed a follow-up", exc_info=True, extra={"fields": {"kind": self.name}})
            await asyncio.sleep(1.0)
        finally:
            self.busy.discard((head.row.account, head.row.key))
            self._wake.set()

    async def _handle(self, row: FollowUp) -> bool:
        """Answer whether the next row of the key may be handled. Raises Unavailable when the store fails."""
        try:
            if self._flow is not None:
                async with asyncio.timeout(self._policy.deadline_s):
                    await self._flow(row)
                await self._run.write(_removal(row))
            elif self._operation is not None:
                await self._run.write(_removing(row, self._operation))
        except Exception as error:  # noqa: BLE001  # the border of the task; it is logged in _failed
            return await self._failed(row, error)
        else:
            self.done += 1
            return True
        finally:
            self._touched.add(row.seq)

    async def _failed(self, row: FollowUp, error: Exception) -> bool:
        self.failed += 1
        failures = row.attempts + 1
        text = "took longer than its deadline" if isinstance(error, TimeoutError) else str(error)
        text = f"{type(error).__name__}: {text}"
        fields = {"kind": row.kind, "account": row.account, "key": row.key, "seq": row.seq, "failures": failures}
        if failures >= self._policy.attempts:
            await self._run.write(_change(lambda tx: follow_ups.bury(tx, row, error=text)))
            self.buried += 1
            log.error("a follow-up is a dead letter now", exc_info=error, extra={"fields": fields})
            return True
        retry_at = self._clock.now() + self._policy.wait_s(failures)
        await self._run.write(
            _change(lambda tx: follow_ups.put_back(tx, row, retry_at=retry_at, error=text)), lane=row.account
        )
        log.warning("a follow-up failed and will be tried again", exc_info=error, extra={"fields": fields})
        return False


def _told_apart(handler: Handler) -> tuple[Flow | None, Operation | None]:
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__):
        return cast("Flow", handler), None
    return None, cast("Operation", handler)


def _removing(row: FollowUp, handle: Operation) -> Callable[[Tx], Answer]:
    def operation(tx: Tx) -> Answer:
        if not follow_ups.remove(tx, row.seq):
            return Answer()  # cancelled since it was read
        return handle(tx, row)

    return operation


def _removal(row: FollowUp) -> Callable[[Tx], Answer]:
    return _change(lambda tx: follow_ups.remove(tx, row.seq))


def _burial(kind: str, error: str) -> Callable[[Tx], Answer]:
    return _change(lambda tx: follow_ups.bury_kind(tx, kind, error=error))


def _change(change: Callable[[Tx], object]) -> Callable[[Tx], Answer]:
    def operation(tx: Tx) -> Answer:
        change(tx)
        return Answer()

    return operation
