"""Removes files that no row names any more: of deleted objects and uploads, of functions' earlier code."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final, Protocol

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.store import Run, Tx

log = get_logger("store")

SWEEP_EVERY_S: Final = 3600.0


class Naming(Protocol):
    """A subject whose rows name blobs."""

    def digests(self, tx: Tx, account: str) -> set[str]:
        """Answer the blobs that the account's rows name."""
        ...


class Keeper(Protocol):
    """Keeps files by account and digest: blobs, or what was unpacked from them."""

    def accounts(self) -> list[str]:
        """Answer the accounts that have files there. Blocks."""
        ...

    async def sweep(self, account: str, named: Collection[str]) -> int:
        """Remove what has not been named for a while; answer how many."""
        ...


class Sweeper:
    """Sweeps, now and then. `subjects` must be all that name blobs: what it is not told of is removed."""

    def __init__(self, *, keepers: Sequence[Keeper], run: Run, subjects: Sequence[Naming]) -> None:
        self._keepers = keepers
        self._run = run
        self._subjects = subjects

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            try:
                await self.sweep()
            except (Unavailable, OSError):  # a disk that fails now may be well in an hour
                log.warning("the sweep of files failed", exc_info=True)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def sweep(self) -> None:
        """Sweep every account once."""
        for keeper in self._keepers:
            for account in await asyncio.to_thread(keeper.accounts):
                named = await self._run.read(lambda tx, account=account: self._named(tx, account))  # type: ignore[misc]  # bound now
                removed = await keeper.sweep(account, named)
                if removed:
                    fields = {"account": account, "files": removed, "keeper": type(keeper).__name__}
                    log.info("files removed that nothing names", extra={"fields": fields})

    def _named(self, tx: Tx, account: str) -> set[str]:
        return set().union(*(subject.digests(tx, account) for subject in self._subjects))
