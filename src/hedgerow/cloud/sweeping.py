"""Removes blobs that no row names any more: of deleted objects and uploads, of functions' earlier code."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.store import Blobs, Run, Tx

log = get_logger("store")

SWEEP_EVERY_S: Final = 3600.0


class Naming(Protocol):
    """A subject whose rows name blobs."""

    def digests(self, tx: Tx, account: str) -> set[str]:
        """Answer the blobs that the account's rows name."""
        ...


class BlobSweeper:
    """Sweeps, now and then. `subjects` must be all that name blobs: what it is not told of is removed."""

    def __init__(self, *, blobs: Blobs, run: Run, subjects: Sequence[Naming]) -> None:
        self._blobs = blobs
        self._run = run
        self._subjects = subjects

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except (Unavailable, OSError):  # a disk that fails now may be well in an hour
                log.warning("the sweep of blobs failed", exc_info=True)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def sweep(self) -> None:
        """Sweep every account once."""
        for account in await asyncio.to_thread(self._blobs.accounts):
            named = await self._run.read(lambda tx, account=account: self._named(tx, account))  # type: ignore[misc]  # bound now
            removed = await self._blobs.sweep(account, named)
            if removed:
                log.info("blobs removed", extra={"fields": {"account": account, "blobs": removed}})

    def _named(self, tx: Tx, account: str) -> set[str]:
        return set().union(*(subject.digests(tx, account) for subject in self._subjects))
