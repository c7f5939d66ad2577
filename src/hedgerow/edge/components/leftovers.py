"""What scripts of an earlier life left running: written down while they run, ended at the next start.

A kill of the edge ends the shells that it started, not always what these started. A process group is known by its
number and by the token in the environment of its members, since numbers are used again.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from hedgerow.base.log import get_logger

_log = get_logger("edge.components")


class Leftovers:
    """The notes about running scripts, one small file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, group: int, token: str) -> None:
        """A script runs in this process group, with this token as its SVCUID."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / f"{group}.json").write_text(json.dumps({"group": group, "token": token}), "utf-8")

    def forget(self, group: int) -> None:
        """The script has ended."""
        (self._folder / f"{group}.json").unlink(missing_ok=True)

    def end(self) -> int:
        """End what is still there of an earlier life; answer how many processes that were. Blocks."""
        ended = 0
        for note in self._folder.glob("*.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                known = json.loads(note.read_text("utf-8"))
                for process in _members(int(known["group"]), str(known["token"])):
                    os.kill(process, signal.SIGKILL)
                    ended += 1
            note.unlink(missing_ok=True)
        if ended:
            _log.info("ended scripts of an earlier life", extra={"fields": {"processes": ended}})
        return ended


def _members(group: int, token: str) -> Iterator[int]:
    marker = f"SVCUID={token}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[2]) == group and marker in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
