"""A state file whose every transaction is known to the recording disk, for power cuts between and in all writes."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hedgerow.edge.state import State
from tests.support.files import Cut, RecordingDisk

_WRITTEN = "the state"


class RecordingState(State):
    """Keeps a copy of the file after every transaction, and tells the disk that it is on the medium."""

    def __init__(self, path: Path, disk: RecordingDisk) -> None:
        super().__init__(path)
        self._disk = disk
        self._copies = [self._copy()]

    async def write(self, step: Callable[[sqlite3.Connection], Any]) -> Any:
        result = await super().write(step)
        self._copies.append(self._copy())
        self._disk.acknowledge(_WRITTEN)
        return result

    def at(self, cut: Cut, path: Path) -> State:
        """Answer the state as a power cut left it, in a file of its own."""
        path.write_bytes(self._copies[cut.acknowledged.count(_WRITTEN)])
        return State(path)

    def _copy(self) -> bytes:
        return self._thread.submit(self._connection.serialize).result()
