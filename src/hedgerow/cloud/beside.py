"""A task beside a block: it is cancelled when the block ends, and its failure ends the block."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(work: Any) -> AsyncIterator[None]:
    """Run a coroutine beside the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield
        finally:
            task.cancel()
