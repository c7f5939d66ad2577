"""Running an edge in the foreground: the loop, and the signals that end it."""

import asyncio
import signal

from hedgerow.edge.compose import build
from hedgerow.edge.settings import EdgeSettings
from hedgerow.edge.trouble import ungrouped


def run(settings: EdgeSettings) -> None:
    """Run an edge until SIGTERM or SIGINT; raise Unusable when it cannot start."""
    asyncio.run(_run(settings))


async def _run(settings: EdgeSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with ungrouped():
        async with build(settings) as edge, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(edge.run())
            stopping = tasks.create_task(stop.wait())
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            running.cancel()
