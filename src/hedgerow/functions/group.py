"""One function's queue and instances, as the pool keeps them. No tasks of its own: the pool's lanes work through it."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.functions.errors import Stopped
from hedgerow.functions.model import FunctionSpec, FunctionState, Outcome
from hedgerow.functions.worker import Worker

EXPIRY_MARGIN_S: Final = 5.0


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    """One invocation on its way."""

    payload: bytes
    request_id: str
    client_context: bytes
    invoked_arn: str
    outcome: "asyncio.Future[Outcome]"
    taken: bool = False

    def answer(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


@dataclass(slots=True, eq=False)
class Group:
    """What the pool knows of one function."""

    spec: FunctionSpec
    state: FunctionState
    queue: deque[Item] = field(default_factory=deque)
    idle: "list[asyncio.Future[Item | None]]" = field(default_factory=list)
    workers: set[Worker] = field(default_factory=set)
    lanes: int = 0  # tasks that have, start or end an instance
    starting: int = 0  # of these, those whose instance is not ready yet
    returning: int = 0  # of these, those that have answered and whose runtime is about to ask for work again
    busy: int = 0  # of these, those that have an invocation
    invocations: int = 0
    errors: int = 0
    refused: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)  # set when a lane ended or an invocation was finished

    @property
    def room(self) -> int:
        """How many more instances there may be."""
        return (1 if self.spec.pinned else max(1, self.spec.max_instances)) - self.lanes

    def offer(self, item: Item) -> None:
        """Hand the item to the instance that was used last, or queue it."""
        while self.idle:
            waiter = self.idle.pop()
            if not waiter.done():
                item.taken = True
                waiter.set_result(item)
                return
        self.queue.append(item)

    async def take(self, worker: Worker, *, now: float) -> Item | None:
        """Wait for the next item; None when this instance is to end: idle for too long, ended, expired, or closing."""
        expires_at = worker.grant.expires_at
        left = None if expires_at is None else expires_at - now - self.spec.timeout_s - EXPIRY_MARGIN_S
        if self.closing.is_set() or worker.exited.done() or (left is not None and left <= 0):
            return None
        while self.queue:
            item = self.queue.popleft()
            if not item.outcome.done():
                item.taken = True
                return item
        limits = [limit for limit in (None if self.spec.pinned else self.spec.max_idle_s, left) if limit is not None]
        waiter: asyncio.Future[Item | None] = asyncio.get_running_loop().create_future()
        self.idle.append(waiter)
        try:
            either: set[asyncio.Future[Any]] = {waiter, worker.exited}
            await asyncio.wait(either, timeout=min(limits, default=None), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if waiter.done() and (item_or_none := waiter.result()) is not None:
                item_or_none.fail(Stopped(f"{self.spec.arn} was stopped"))
            raise
        finally:
            if waiter in self.idle:
                self.idle.remove(waiter)
        return waiter.result() if waiter.done() else None

    def give_back(self, item: Item) -> None:
        """Put an item that no runtime has seen back to the head of the queue."""
        item.taken = False
        self.queue.appendleft(item)

    def release_idle(self) -> None:
        """Let the instances that wait for work end."""
        for waiter in self.idle:
            if not waiter.done():
                waiter.set_result(None)
        self.idle.clear()

    def answer_all(self, answer: "Outcome | Exception") -> None:
        """Answer everything that waits in the queue."""
        while self.queue:
            item = self.queue.popleft()
            if isinstance(answer, Exception):
                item.fail(answer)
            else:
                item.answer(answer)
