"""The gateway's life on an event loop: tasks with an owner, the second's sweep, start and stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.limits import AWS_SHAPES, Limits
from hedgerow.gateway.bus import Hub
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.grants import CompileGrants
from hedgerow.gateway.journal import Journal
from hedgerow.gateway.ports import Control

log = get_logger("gateway")


@asynccontextmanager
async def running(
    *,
    name: str,
    region: str,
    control: Control,
    hub: Hub,
    journal: Journal,
    clock: Clock,
    ids: Ids,
    compile_grants: CompileGrants,
    limits: Limits = AWS_SHAPES,
) -> AsyncIterator[Gateway]:
    """A started gateway on the running loop; it is stopped, and its tasks ended, when the block ends."""
    failure: BaseException | None = None
    async with asyncio.TaskGroup() as tasks:
        owned: set[asyncio.Task[None]] = set()

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            task = tasks.create_task(_guarded(work))
            owned.add(task)
            task.add_done_callback(owned.discard)
            task.add_done_callback(lambda _task: work.close())  # when it was cancelled before its first step

        gateway = Gateway(
            name=name,
            region=region,
            control=control,
            hub=hub,
            journal=journal,
            clock=clock,
            ids=ids,
            compile_grants=compile_grants,
            soon=_soon(asyncio.get_running_loop()),
            spawn=spawn,
            limits=limits,
        )
        gateway.start()
        spawn(_sweep(gateway))
        try:
            yield gateway
        except BaseException as error:  # noqa: BLE001  # raised again below as it is, not as a group's
            failure = error
        finally:
            gateway.stop()
            for task in tuple(owned):
                task.cancel()
    if failure is not None:
        raise failure


def _soon(loop: asyncio.AbstractEventLoop) -> Callable[[Callable[[], None]], None]:
    def soon(callback: Callable[[], None]) -> None:
        loop.call_soon(callback)

    return soon


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """A task that fails is our bug; it must not take the gateway with it."""
    try:
        await work
    except Exception:  # the task border
        log.exception("a task of the gateway failed")


async def _sweep(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(1.0)
        try:
            gateway.sweep()
        except Exception:  # the task border
            log.exception("the sweep failed")
