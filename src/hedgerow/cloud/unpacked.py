"""Unpacked packages of functions, `<folder>/<account>/<digest>`: what no function names any more is removed.

It is removed at the second sweep that finds it so: the first instances of a function that is just being made, and the
last ones of a deleted function, outlive no sweep. What was cut short while it was unpacked or removed goes, too.
"""

import asyncio
import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from hedgerow.functions import Package, remove

_ACCOUNT: Final = re.compile(r"[0-9]{12}")


class Unpacked:
    """See the module. Sweeps are an hour apart, and one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unnamed: dict[str, frozenset[str]] = {}

    def accounts(self) -> list[str]:
        """Answer the accounts that have packages here. Blocks."""
        return sorted(found.name for found in self._folder.glob("*") if _ACCOUNT.fullmatch(found.name))

    async def sweep(self, account: str, named: Collection[str]) -> int:
        """Remove the account's packages that no row names, now nor at the last sweep; answer how many."""
        return await asyncio.to_thread(self._sweep, account, frozenset(named))

    def _sweep(self, account: str, named: frozenset[str]) -> int:
        home = self._folder / account
        unnamed = frozenset(entry.name for entry in home.iterdir()) - named
        over = unnamed & self._unnamed.get(account, frozenset())
        for name in sorted(over):
            remove(Package(folder=home / name, digest=name))
        self._unnamed[account] = unnamed - over
        return len(over)
