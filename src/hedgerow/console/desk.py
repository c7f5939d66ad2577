"""Where the pages have a person's work done off the loop, with a deadline, on the watch's few threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Final, TypeVar

from hedgerow.console.errors import CloudUnreachable
from hedgerow.console.onboarding import Onboarding

T = TypeVar("T")

CALL_S: Final = 30.0


class Desk:
    """One person's desk."""

    def __init__(self, work: Onboarding, workers: Executor) -> None:
        self._work, self._workers = work, workers

    async def do(self, task: Callable[[Onboarding], T], *, within_s: float = CALL_S) -> T:
        """Do it and answer what it answers; raises the errors of `errors.py`."""
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.get_running_loop().run_in_executor(self._workers, partial(task, self._work))
        except TimeoutError as error:
            raise CloudUnreachable("The cloud's API does not answer in time.") from error
