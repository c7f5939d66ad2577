"""The instances of all functions of a host: which there are, which gets which invocation, and how they end.

Leaves to others: what one instance is (`worker`), where it runs (`process`), what it may do (the grant that the
caller's port gives), where log lines go. Every queue has a bound; an invocation that finds it full, or gets no
instance in time, is refused with TooBusy. Nothing is retried here: an invocation runs at most once.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Self

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError, Unavailable
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.functions.errors import InvalidEntrypoint, RuntimeNotHere, Stopped, TooBusy
from hedgerow.functions.group import Group, Item
from hedgerow.functions.model import FunctionSpec, FunctionState, Grant, LogLine, Outcome, State
from hedgerow.functions.process import Driver
from hedgerow.functions.runtime_api import error_body
from hedgerow.functions.runtimes import Runtimes
from hedgerow.functions.worker import MIN_INIT_S, InitError, Worker

log = get_logger("functions")

FIRST_PAUSE_S: Final = 1.0  # before a kept function that ended is started again; doubles each time
LONGEST_PAUSE_S: Final = 60.0
STEADY_S: Final = 60.0  # a life that lasted this long counts as a good one: the pause starts over
SETTLE_S: Final = 10.0  # a kept function whose module never returns counts as running after this

LogSink = Callable[[FunctionSpec, LogLine], None]
StateSink = Callable[[FunctionState], None]
Granter = Callable[[FunctionSpec], Awaitable[Grant]]


class Kept:
    """A function that is kept running."""

    def __init__(self, pool: "Pool", group: Group) -> None:
        self._pool = pool
        self._group = group

    @property
    def spec(self) -> FunctionSpec:
        return self._group.spec

    @property
    def state(self) -> FunctionState:
        return self._group.state

    async def invoke(self, payload: bytes, *, client_context: bytes | None = None) -> Outcome:
        """See `Pool.invoke`."""
        return await self._pool.invoke(self.spec, payload, client_context=client_context)


class Pool:
    """Use as `async with Pool(…) as pool`; leaving it ends every instance."""

    def __init__(
        self,
        *,
        driver: Driver,
        runtimes: Runtimes,
        clock: Clock,
        ids: Ids,
        on_log: LogSink,
        grant: Granter | None = None,
        on_state: StateSink | None = None,
        queue_limit: int = 1000,
        queue_wait_s: float = 60.0,
        grace_s: float = 2.0,
    ) -> None:
        self._driver = driver
        self._runtimes = runtimes
        self._clock = clock
        self._ids = ids
        self._on_log = on_log
        self._grant = grant
        self._on_state = on_state
        self._queue_limit = queue_limit
        self._queue_wait_s = queue_wait_s
        self._grace_s = grace_s
        self._groups: dict[str, Group] = {}
        self._leaving: set[Group] = set()  # replaced ones whose instances still finish their work
        self._tasks = asyncio.TaskGroup()
        self._open = False

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._driver.recover)
        await self._tasks.__aenter__()
        self._open = True
        gaps = await asyncio.to_thread(self._driver.unenforced)
        log.info("functions can run", extra={"fields": {"not_enforced": list(gaps)}})
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.aclose()
        finally:
            await self._tasks.__aexit__(None, None, None)

    async def invoke(
        self,
        spec: FunctionSpec,
        payload: bytes,
        *,
        client_context: bytes | None = None,
        invoked_arn: str | None = None,
        request_id: str | None = None,
    ) -> Outcome:
        """Run the function once on this event and answer what it answered, errors of the function included.

        `client_context` is plain JSON. Raises TooBusy, Stopped, RuntimeNotHere; ValueError for a context that is no
        JSON.
        """
        context = json.dumps(json.loads(client_context)).encode() if client_context else b""
        group = self._group(spec)
        if len(group.queue) >= self._queue_limit:
            group.refused += 1
            raise TooBusy(f"{spec.arn}: {len(group.queue)} invocations wait already")
        item = Item(
            payload=payload or b"{}",
            request_id=request_id or self._ids.uuid(),
            client_context=context,
            invoked_arn=invoked_arn or spec.arn,
            outcome=asyncio.get_running_loop().create_future(),
        )
        group.offer(item)
        self._scale(group)
        return await self._outcome(group, item)

    async def keep(self, spec: FunctionSpec) -> Kept:
        """Keep one instance of this (pinned) function running until `stop`; a function of the same ARN is stopped
        first.

        Starts at once and answers at once; `Kept.state` and `on_state` tell how it goes. Repeated with an equal spec
        it changes nothing.
        """
        if not spec.pinned:
            raise ValueError(f"{spec.arn} is not pinned")
        known = self._groups.get(spec.arn)
        if known is not None and known.spec == spec and not known.closing.is_set():
            return Kept(self, known)
        if known is not None:
            await self.stop(known.spec)
        group = self._new_group(spec)
        self._tasks.create_task(self._supervise(group))
        return Kept(self, group)

    async def stop(self, spec: FunctionSpec) -> None:
        """End this function's instances: running invocations get the grace, waiting ones are refused with Stopped."""
        group = self._groups.pop(spec.arn, None)
        if group is not None:
            await self._close(group)

    async def aclose(self) -> None:
        """End everything. Invocations that come later are refused with Stopped. May be called twice."""
        self._open = False
        groups = [*self._groups.values(), *self._leaving]
        self._groups.clear()
        async with asyncio.TaskGroup() as closing:
            for group in groups:
                closing.create_task(self._close(group))

    def states(self) -> list[FunctionState]:
        """Tell how the kept functions are."""
        return [group.state for group in self._groups.values() if group.spec.pinned]

    def statistics(self) -> dict[str, Mapping[str, int]]:
        """Tell for each function: instances, busy ones, waiting invocations, totals."""
        return {
            arn: {
                "instances": group.lanes,
                "busy": group.busy,
                "waiting": len(group.queue),
                "invocations": group.invocations,
                "errors": group.errors,
                "refused": group.refused,
            }
            for arn, group in self._groups.items()
        }

    async def available_runtimes(self) -> list[str]:
        """Name the runtimes that this host has."""
        return sorted(await asyncio.to_thread(self._runtimes.available))

    async def require_runtime(self, runtime: str) -> None:
        """Raise RuntimeNotHere, with what this host has, when it cannot run this runtime."""
        if self._runtimes.is_known:
            self._runtimes.require(runtime)
        else:
            await asyncio.to_thread(self._runtimes.require, runtime)

    def _group(self, spec: FunctionSpec) -> Group:
        group = self._groups.get(spec.arn)
        if group is not None and group.spec == spec:
            return group
        if spec.pinned:
            raise Stopped(f"{spec.arn} is long-lived and not running")
        waiting = self._replace(group) if group is not None else []
        fresh = self._new_group(spec)
        fresh.queue.extend(waiting)
        return fresh

    def _new_group(self, spec: FunctionSpec) -> Group:
        if not self._open:
            raise Stopped("functions are stopped on this host")
        state = FunctionState(arn=spec.arn, state=State.STARTING, since=self._clock.now())
        group = self._groups[spec.arn] = Group(spec, state)
        return group

    def _replace(self, group: Group) -> list[Item]:
        """Let an older version's instances finish and end; answers what waited for them."""
        waiting = list(group.queue)
        group.queue.clear()
        group.closing.set()
        group.release_idle()
        if group.lanes:
            self._leaving.add(group)
        return waiting

    def _scale(self, group: Group) -> None:
        while not group.spec.pinned and group.room > 0 and group.starting + group.returning < len(group.queue):
            group.lanes += 1
            group.starting += 1
            self._tasks.create_task(self._lane(group))

    async def _outcome(self, group: Group, item: Item) -> Outcome:
        wait_s = self._queue_wait_s + max(MIN_INIT_S, group.spec.timeout_s)
        try:
            await asyncio.wait({item.outcome}, timeout=wait_s)
            if not item.outcome.done() and not item.taken:
                group.refused += 1
                raise TooBusy(f"{group.spec.arn}: no instance became free within {wait_s:.0f} seconds")
            return await item.outcome  # a taken one is ended by its worker's own timer
        finally:  # also when the caller no longer waits
            if not item.outcome.done():
                item.outcome.cancel()
                with suppress(ValueError):
                    group.queue.remove(item)

    async def _lane(self, group: Group) -> None:
        """One instance from its start to its end, for a function that is run on demand."""
        await self._life(group)
        if group.closing.is_set():
            self._leaving.discard(group)
        else:
            self._scale(group)

    async def _supervise(self, group: Group) -> None:
        """One life after the other, for a function that is kept."""
        pause_s = FIRST_PAUSE_S
        while not group.closing.is_set():
            self._set_state(group, State.STARTING)
            began = self._clock.monotonic()
            group.lanes += 1
            group.starting += 1
            cause = await self._life(group)
            if group.closing.is_set():
                break
            self._set_state(group, State.ERRORED, cause or "the process ended", restarts=group.state.restarts + 1)
            if self._clock.monotonic() - began > STEADY_S:
                pause_s = FIRST_PAUSE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await group.closing.wait()
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        self._set_state(group, State.STOPPED)
        group.changed.set()

    async def _life(self, group: Group) -> str:
        """Start an instance, work through the queue with it, end it; answers why it ended, in words ("" when asked
        to).
        """
        begun = _Begun(group)
        try:
            return await self._instance(group, begun)
        except InitError as error:
            self._no_instance(group, Outcome(
                payload=error.body, request_id="", error="Unhandled", error_type=error.error_type,
                log_tail=error.log_tail, version=group.spec.version,
            ))  # fmt: skip
            return str(error)
        except InvalidEntrypoint as error:
            kind = "Runtime.InvalidEntrypoint"
            body = error_body(kind, f"Error: {error}")
            self._no_instance(group, Outcome(payload=body, request_id="", error="Unhandled", error_type=kind))
            return str(error)
        except (HedgerowError, OSError) as error:
            self._no_instance(
                group, error if isinstance(error, RuntimeNotHere | Unavailable) else Unavailable(str(error))
            )
            return str(error)
        except Exception as error:  # the task's border: the pool must live on
            log.exception("an instance failed by our own fault", extra={"fields": {"function": group.spec.arn}})
            self._no_instance(group, Unavailable("an internal error kept the function from running"))
            return f"internal error: {error}"
        finally:
            begun.ready()
            group.lanes -= 1
            group.changed.set()

    async def _instance(self, group: Group, begun: "_Begun") -> str:
        spec = group.spec
        launch = await asyncio.to_thread(self._runtimes.launch, spec)
        grant = await self._grant(spec) if self._grant is not None else Grant()
        name = self._ids.hex(32)
        day = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y/%m/%d")
        worker = Worker(
            spec,
            driver=self._driver,
            launch=launch,
            grant=grant,
            clock=self._clock,
            stream=spec.log_stream or f"{day}/[{spec.version}]{name}",
            scratch=spec.working_folder / name,
            on_log=self._on_log,
            grace_s=self._grace_s,
        )
        async with worker:
            group.workers.add(worker)
            try:
                await self._ready(group, worker)
                begun.ready()
                await self._work(group, worker)
            finally:
                group.workers.discard(worker)
        return "" if worker.stopping else "the process ended"

    async def _ready(self, group: Group, worker: Worker) -> None:
        if not group.spec.pinned:
            await worker.ready()
            return
        settle = asyncio.get_running_loop().call_later(SETTLE_S, self._set_state, group, State.RUNNING)
        try:
            await worker.ready()
        finally:
            settle.cancel()
        self._set_state(group, State.RUNNING)

    async def _work(self, group: Group, worker: Worker) -> None:
        init_s = worker.init_s
        while (item := await group.take(worker, now=self._clock.now())) is not None:
            if not worker.waits_for_work:
                group.give_back(item)  # it has not been seen by the function: another instance takes it
                return
            group.busy += 1
            try:
                outcome = await worker.invoke(
                    item.payload,
                    request_id=item.request_id,
                    client_context=item.client_context,
                    invoked_arn=item.invoked_arn,
                    init_s=init_s,
                )
            except BaseException:
                item.fail(Stopped(f"{group.spec.arn} was stopped"))
                raise
            finally:
                group.busy -= 1
                group.changed.set()
            init_s = None
            group.invocations += 1
            group.errors += outcome.error is not None
            item.answer(outcome)
            group.returning += 1
            try:
                if not await worker.usable():
                    return
            finally:
                group.returning -= 1

    def _no_instance(self, group: Group, answer: Outcome | Exception) -> None:
        """An instance could not start: what waits is answered, unless other instances will get to it."""
        if group.lanes - group.starting > 0 and not group.spec.pinned:
            return
        while group.queue:
            item = group.queue.popleft()
            if isinstance(answer, Exception):
                item.fail(answer)
            else:
                group.invocations += 1
                group.errors += 1
                item.answer(replace(answer, request_id=item.request_id))

    async def _close(self, group: Group) -> None:
        group.closing.set()
        group.release_idle()
        group.answer_all(Stopped(f"{group.spec.arn} was stopped"))
        deadline = self._clock.monotonic() + self._grace_s
        while group.busy and (left := deadline - self._clock.monotonic()) > 0:
            await _changed(group, left)
        async with asyncio.TaskGroup() as stopping:
            for worker in tuple(group.workers):
                stopping.create_task(worker.stop())
        while group.lanes:
            await _changed(group, self._grace_s)
            for worker in tuple(group.workers):
                worker.kill()
        self._leaving.discard(group)

    def _set_state(self, group: Group, state: State, cause: str = "", restarts: int | None = None) -> None:
        count = group.state.restarts if restarts is None else restarts
        group.state = FunctionState(
            arn=group.spec.arn, state=state, cause=cause, restarts=count, since=self._clock.now()
        )
        if state is State.ERRORED:
            fields = {"function": group.spec.arn, "cause": cause, "restarts": count}
            log.warning("a kept function ended and will be started again", extra={"fields": fields})
        if self._on_state is not None:
            self._on_state(group.state)


class _Begun:
    """Counts a lane's instance as starting until it is ready, once."""

    def __init__(self, group: Group) -> None:
        self._group: Group | None = group

    def ready(self) -> None:
        if self._group is not None:
            self._group.starting -= 1
            self._group = None


async def _changed(group: Group, timeout_s: float) -> None:
    group.changed.clear()
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await group.changed.wait()
