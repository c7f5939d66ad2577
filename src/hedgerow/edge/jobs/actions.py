"""What a step may do: run a handler, a command, a script; restart the machine; send the
logs in; trade the certificate.

A restart is remembered with the machine's boot id before it is asked for: another id afterwards means that it
happened. Handlers get the user's name as their first argument, as with AWS's device client. Leaves to others: which
step comes next and what its end means (`execution.py`).
"""

import asyncio
import contextlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from ssl import SSLContext
from typing import Final
from urllib.parse import urlsplit

from hedgerow.base.errors import HedgerowError
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.jobs import handlers
from hedgerow.edge.jobs.document import Step
from hedgerow.edge.jobs.process import CannotStart, Ended, Processes
from hedgerow.edge.trouble import Trouble, explained

REBOOT_S: Final = 600.0
MOST_RESTARTS: Final = 3
MOST_LOG_BYTES: Final = 100 * 1024 * 1024
_UPLOAD_S: Final = 60.0
#: handlers of AWS's managed templates that the edge stands in for when the folder has none of that name
_OURS: Final = {"reboot.sh": "reboot"}


Rotate = Callable[[str], Awaitable[str]]
"""Trades the device's certificate, once for the same order, and answers the new one's id; raises Trouble."""


class Failed(HedgerowError):
    """A step could not be done; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a step stands: its execution, for which time it runs, the boot in which it asked for a restart."""

    job_id: str
    number: int
    key: str
    attempt: int
    boot: str
    restarting: Callable[[str], Awaitable[None]]
    """Remembers that a restart is asked for in this boot; on the medium when it returns."""


class Actions:
    """The actions of one device."""

    def __init__(
        self,
        *,
        processes: Processes,
        folder: Path,
        handlers_folder: Path,
        logs: Path,
        reboot: tuple[str, ...],
        thing_name: str,
        context: Callable[[], SSLContext],
        boot_id: Callable[[], str],
        rotate: Rotate,
    ) -> None:
        self._processes = processes
        self._folder = folder
        self._handlers = handlers_folder
        self._logs = logs
        self._reboot = reboot
        self._thing_name = thing_name
        self._context = context
        self._boot_id = boot_id
        self._rotate = rotate

    async def run(self, step: Step, situation: Situation) -> Ended:
        """Do what the step says; raise Failed when it cannot be begun."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            match step.kind:
                case "runHandler":
                    return await self._handler(step, situation)
                case "runCommand":
                    return await self._process(step.input["command"], step, situation)
                case "runScript":
                    return await self._script(step, situation)
                case "reboot":
                    return await self._restart(step, situation)
                case "rotateCertificate":
                    new = await self._rotate(f"job {situation.key}")
                    return Ended(status=0, output=f"certificate {new}\n")
                case _:
                    return await asyncio.to_thread(self._send_logs, step.input["uploadUrl"])
        except (handlers.NoHandler, CannotStart, Trouble) as error:
            raise Failed(str(error)) from error
        except (OSError, ValueError) as error:  # no room, or what the document says is nothing that one can do
            raise Failed(f"the step cannot be done: {error}") from error

    async def _handler(self, step: Step, situation: Situation) -> Ended:
        name, path = step.input["handler"], step.input.get("path", "default")
        folder = self._handlers if path in ("", "default") else Path(path)
        if name in _OURS and not (folder / name).exists():
            return await self._restart(step, situation)
        executable = await asyncio.to_thread(handlers.find, folder, name)
        return await self._process([str(executable), step.user, *step.input["args"]], step, situation)

    async def _script(self, step: Step, situation: Situation) -> Ended:
        text = step.input["script"]
        path = await asyncio.to_thread(_written, self._folder, text, step.user)
        try:
            return await self._process([str(path)] if text.startswith("#!") else ["sh", str(path)], step, situation)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _process(self, argv: list[str], step: Step, situation: Situation) -> Ended:
        environment = {
            "HEDGEROW_JOB_ID": situation.job_id,
            "HEDGEROW_JOB_EXECUTION": str(situation.number),
            "HEDGEROW_JOB_ATTEMPT": str(situation.attempt),
            "HEDGEROW_THING_NAME": self._thing_name,
            "AWS_IOT_THING_NAME": self._thing_name,
        }
        return await self._processes.run(argv, folder=self._folder, environment=environment, user=step.user)

    async def _restart(self, step: Step, situation: Situation) -> Ended:
        boot = self._boot_id()
        if situation.boot and situation.boot != boot:
            return Ended(status=0)
        if situation.attempt > MOST_RESTARTS:
            raise Failed(f"the machine was told to restart {MOST_RESTARTS} times and did not")
        await situation.restarting(boot)
        ended = await self._process(list(self._reboot), step, situation)
        if ended.status:
            return ended
        await asyncio.sleep(REBOOT_S)  # nobody wakes up from this when the machine restarts
        raise Failed(f"the machine did not restart within {REBOOT_S:g} s")

    def _send_logs(self, url: str) -> Ended:
        """Put the log files, packed, at the URL. Blocks."""
        data, count = _packed(self._logs)
        split = urlsplit(url)
        endpoint = Endpoint(split.hostname or "", split.port or 443)
        connection = HTTPSConnection(endpoint.host, endpoint.port, timeout=_UPLOAD_S, context=self._context())
        try:
            connection.request("PUT", split.path + (f"?{split.query}" if split.query else ""), body=data)
            response = connection.getresponse()
            words = response.read(2000).decode("utf-8", "replace")
        except (OSError, HTTPException) as error:
            cause = explained(error, endpoint, root_ca="rootCaPath", certificate="")
            raise Failed(f"the logs could not be sent: {cause}") from error
        finally:
            connection.close()
        if response.status >= 300:
            raise Failed(f"{endpoint} answered {response.status} to the logs: {words[:200]}")
        return Ended(status=0, output=f"{count} files, {len(data)} bytes\n")


def _written(folder: Path, script: str, user: str) -> Path:
    """Write a script that its user alone can read and run, in place of any before it. Blocks."""
    for cut_off in folder.glob("script-*"):
        cut_off.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(prefix="script-", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(script)
        os.fchmod(handle, 0o700)
        if user and os.geteuid() == 0:
            shutil.chown(name, user)
    return Path(name)


def _packed(folder: Path) -> tuple[bytes, int]:
    """Answer the folder's files as a .tar.gz, and how many they are."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    size = sum(path.stat().st_size for path in files)
    if size > MOST_LOG_BYTES:
        raise Failed(f"the logs are {size} bytes; at most {MOST_LOG_BYTES} are sent")
    data = io.BytesIO()
    count = 0
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for path in files:
            with contextlib.suppress(FileNotFoundError):  # set aside by rotation meanwhile
                archive.add(path, arcname=path.name)
                count += 1
    return data.getvalue(), count


def boot_id() -> str:
    """Answer the id of this boot of the machine, as Linux gives it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def restart_command() -> tuple[str, ...]:
    """Answer what restarts this machine."""
    return ("systemctl", "reboot") if Path("/run/systemd/system").is_dir() else ("reboot",)
