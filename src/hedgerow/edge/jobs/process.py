"""One process of a job: what it writes is kept at its end, and it never outlives what the job may take.

It runs in a group of its own, as the edge's user or another one (root only). Groups are written down while they run, so
that what a kill of the edge leaves behind is ended at the next start (`components/leftovers.py`).
"""

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hedgerow.base.errors import HedgerowError
from hedgerow.base.ids import Ids
from hedgerow.edge.components.leftovers import Leftovers
from hedgerow.functions.output import OutputPipe
from hedgerow.functions.process import GroupProcess

GRACE_S: Final = 5.0
TAIL: Final = 4096  # characters of an output's end that are kept
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

OnLine = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended: its status (minus the signal's number), the ends of its outputs, lines on standard error."""

    status: int
    output: str = ""
    errors: str = ""
    error_lines: int = 0


class CannotStart(HedgerowError):
    """The process could not be started; the message says why."""


class Processes:
    """Starts the processes of jobs."""

    def __init__(self, *, leftovers: Leftovers, ids: Ids, on_line: OnLine) -> None:
        self._leftovers = leftovers
        self._ids = ids
        self._on_line = on_line

    async def run(self, argv: Sequence[str], *, folder: Path, environment: Mapping[str, str], user: str = "") -> Ended:
        """Run to the end; when cancelled, end the whole group first. Raise CannotStart."""
        token = self._ids.hex(32)
        own = {
            "PATH": os.environ.get("PATH", _PATH),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": str(folder),
            **environment,
            "SVCUID": token,
        }
        output, errors = _Tail(self._on_line), _Tail(self._on_line)
        with contextlib.closing(OutputPipe(output.add)) as out, contextlib.closing(OutputPipe(errors.add)) as err:
            process = _started(argv, folder, own, user, out, err)
            try:
                self._leftovers.note(process.pid, token)
                await asyncio.wait({process.exited})
            finally:
                await _end(process)
                self._leftovers.forget(process.pid)
        return Ended(
            status=process.exited.result(), output=output.text(), errors=errors.text(), error_lines=errors.lines
        )


class _Tail:
    """Hands lines on, counts them, and keeps the last of them."""

    def __init__(self, on_line: OnLine) -> None:
        self._on_line = on_line
        self._kept = ""
        self.lines = 0

    def add(self, line: str) -> None:
        self.lines += 1
        self._kept = f"{self._kept}{line}\n"[-TAIL:]
        self._on_line(line)

    def text(self) -> str:
        return self._kept


def _started(
    argv: Sequence[str], folder: Path, environment: Mapping[str, str], user: str, out: OutputPipe, err: OutputPipe
) -> GroupProcess:
    account = _account(user)
    try:
        process = subprocess.Popen(  # noqa: S603  # what a job may run is the operator's choice; there is no shell
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out.descriptor,
            stderr=err.descriptor,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            **account,
        )
    except OSError as error:
        raise CannotStart(f"cannot start {argv[0]}: {error.strerror or error}") from error
    out.handed_over()
    err.handed_over()
    return GroupProcess(process, None)


def _account(user: str) -> dict[str, Any]:
    """Answer what starts a process as this user; raise CannotStart when that cannot be."""
    if not user:
        return {}
    try:
        found = pwd.getpwnam(user)
    except KeyError as error:
        raise CannotStart(f"there is no user {user} on this device") from error
    if found.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise CannotStart(f"the step is to run as {user}; the edge does not run as root and cannot change its user")
    groups = os.getgrouplist(user, found.pw_gid)
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": groups}


async def _end(process: GroupProcess) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.exited.done():
            return
        process.send_signal(number)
        await asyncio.wait({process.exited}, timeout=GRACE_S)
