"""Event sources: messages on local or cloud topics that invoke a function, one at a time per source, in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.packets import Publish
from hedgerow.edge.components.local_bus import LocalBus
from hedgerow.edge.connection import Connection
from hedgerow.edge.trouble import Trouble

_log = get_logger("edge.events")

Invoke = Callable[[Publish], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A topic filter, local or in the cloud."""

    topic: str
    from_cloud: bool


class Events:
    """The topics that functions can be invoked by."""

    def __init__(self, *, connection: Connection, bus: LocalBus) -> None:
        self._connection = connection
        self._bus = bus

    @asynccontextmanager
    async def feeding(self, sources: list[Source], invoke: Invoke, *, most: int) -> AsyncIterator[None]:
        """Invoke with every message of the sources for as long as the context lasts.

        At most so many wait; what comes when there is no room is dropped, and said in the log.
        """
        if not sources:
            yield
            return
        queue: asyncio.Queue[Publish] = asyncio.Queue(maxsize=most)

        def offer(message: Publish) -> None:
            if queue.full():
                _log.warning("a message was dropped: too many wait", extra={"fields": {"topic": message.topic}})
            else:
                queue.put_nowait(message)

        async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(_work(queue, invoke))
            for source in sources:
                await self._subscribe(source, offer, stack)
            try:
                yield
            finally:
                worker.cancel()

    async def _subscribe(self, source: Source, offer: Callable[[Publish], None], stack: AsyncExitStack) -> None:
        if not source.from_cloud:
            end = self._bus.subscribe(source.topic, lambda one: offer(Publish(one.topic, one.payload)))
            stack.callback(end)
            return
        try:
            subscription = await self._connection.subscribe(source.topic, offer)
        except Trouble as error:
            fields = {"topic": source.topic, "cause": str(error)}
            _log.warning("an event source cannot be subscribed to", extra={"fields": fields})
        else:
            stack.push_async_callback(self._quietly_end, subscription)

    async def _quietly_end(self, subscription: object) -> None:
        from contextlib import suppress

        with suppress(Trouble):
            await self._connection.unsubscribe(subscription)  # type: ignore[arg-type]  # what subscribe answered


async def _work(queue: asyncio.Queue[Publish], invoke: Invoke) -> None:
    while True:
        await invoke(await queue.get())
