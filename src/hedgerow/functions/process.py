"""The driver `process`: an instance is a process group of its own, with fewer rights and bounded resources.

Enforced here: own session and process group, nothing inherited but its output, no_new_privs, limits of files,
processes' core dumps and data, own uid and gid when asked and we are root, death with us (also when we are killed), and
with a `View`, where the kernel can, that it sees nothing else of the file system and has no capabilities.
Memory: RLIMIT_DATA, with room on top, because it counts what is reserved rather than what is used (so a function that
maps much and uses little may hit it where AWS would let it pass). What is not enforced is told by `unenforced()`.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.functions.peers import Address, can_tell, is_of
from hedgerow.functions.view import View, can_confine, system_view

log = get_logger("functions")

LAUNCHER: Final = Path(__file__).with_name("launcher.py")
MEMORY_ROOM_MB: Final = (
    192  # on top of a function's memory: thread stacks and the allocator's arenas, reserved, mostly unused
)
OPEN_FILES: Final = 1024
TRIED_WITHIN_S: Final = 10.0
POLL_S: Final = 0.05  # how often we look whether a process ended, on kernels without pidfd


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, whether its memory can be bounded by a limit of data, and what it sees beside the system."""

    argv: tuple[str, ...]
    bound_memory: bool = True
    reads: tuple[Path, ...] = ()
    view: View | None = None  # in place of the driver's
    scratch: Path | None = None  # it may write there, and has it as its /tmp where the host can do that


class Process(Protocol):
    """One running instance."""

    pid: int
    exited: "asyncio.Future[int]"
    """Done when the leader has ended: its status, or minus the signal's number."""

    def send_signal(self, number: int) -> None:
        """Signal the whole process group; nothing happens when it is gone."""
        ...

    def owns(self, client: Address, server: Address) -> bool:
        """Tell whether the client's end of this connection over loopback is the instance's."""
        ...


class Driver(Protocol):
    """Starts instances. One driver serves a pool for its whole life, on the pool's loop."""

    async def start(
        self, command: Command, *, environment: Mapping[str, str], folder: Path, memory_mb: int, output: int
    ) -> Process:
        """Start the command; its standard output and error go to the descriptor `output`. Raises Unavailable."""
        ...

    def unenforced(self) -> tuple[str, ...]:
        """Say in words what this driver cannot enforce on this host."""
        ...

    def give_folder(self, folder: Path) -> None:
        """Let the instances' user own this folder."""
        ...

    def recover(self) -> int:
        """End what an earlier life of this host left running; answers how many groups that were."""
        ...


class GroupProcess:
    """A process group, watched by pidfd (or by looking now and then, on old kernels)."""

    def __init__(self, process: "subprocess.Popen[bytes]", handle: Path | None, *, tells: bool = True) -> None:
        self._process = process
        self._tells = tells
        self._handle = handle
        self._loop = asyncio.get_running_loop()
        self.pid = process.pid
        self.exited: asyncio.Future[int] = self._loop.create_future()
        try:
            self._pidfd = os.pidfd_open(process.pid)
        except (AttributeError, OSError):
            self._pidfd = -1
            self._look()
        else:
            self._loop.add_reader(self._pidfd, self._look)

    def send_signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return

    def owns(self, client: Address, server: Address) -> bool:
        return not self._tells or is_of(self.pid, client, server)

    def _look(self) -> None:
        status = self._process.poll()
        if status is None:
            if self._pidfd < 0:
                self._loop.call_later(POLL_S, self._look)
            return
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        self.send_signal(signal.SIGKILL)  # whatever it left behind in its group
        if self._handle is not None:
            self._handle.unlink(missing_ok=True)
        if not self.exited.done():
            self.exited.set_result(status)


class ProcessDriver:
    """The driver `process`. `handles` is a folder in which running groups are written down, for `recover`.

    `secrets` are places that no instance may read, to say so where the view leaves them open.
    """

    def __init__(
        self,
        *,
        handles: Path | None = None,
        uid: int | None = None,
        gid: int | None = None,
        view: View | None = None,
        secrets: Sequence[Path] = (),
    ) -> None:
        self._handles = handles
        self._wanted_view = view
        self._confines = can_confine()
        self._view = view if self._confines else None
        self._secrets = tuple(secrets)
        self._tells = can_tell()
        self._own_temporary = None if self._confines else False
        self._uid = uid if os.geteuid() == 0 else None
        self._gid = gid if gid is not None else uid
        self._asked_for_uid = uid is not None
        # A relative or missing base executable happens in embedded interpreters; then whatever PATH has.
        self._python = getattr(sys, "_base_executable", "") or shutil.which("python3") or sys.executable
        if handles is not None:
            handles.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def start(
        self, command: Command, *, environment: Mapping[str, str], folder: Path, memory_mb: int, output: int
    ) -> GroupProcess:
        bound_mb = memory_mb if command.bound_memory else None
        view = self._view if command.view is None or not self._confines else command.view
        if view is not None and self._own_temporary is None:
            await asyncio.to_thread(self._has_own_temporary)
        own_temporary = view is not None and self._has_own_temporary()
        argv = self._argv(command, view, bound_mb=bound_mb, own_temporary=own_temporary)
        try:
            # Forked from the loop's thread, which lives as long as the pool: the death signal follows the thread.
            process = subprocess.Popen(  # noqa: S603, ASYNC220  # a millisecond; our own launcher, no shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"cannot start a process in {folder}: {error}") from error
        return GroupProcess(process, self._write_handle(process.pid, environment), tells=self._tells)

    def _argv(self, command: Command, view: View | None, *, bound_mb: int | None, own_temporary: bool) -> list[str]:
        """Answer the launcher with its arguments."""
        limits = {"RLIMIT_NOFILE": OPEN_FILES, "RLIMIT_CORE": 0}
        if bound_mb is not None:
            limits["RLIMIT_DATA"] = (bound_mb + MEMORY_ROOM_MB) * 1024 * 1024
        bounds = ",".join(f"{name}={value}" for name, value in limits.items())
        user = ("-", "-") if self._uid is None else (str(self._uid), str(self._gid))
        told = "-"
        if view is not None:
            told = view.argument(read=command.reads, scratch=command.scratch, own_temporary=own_temporary)
        return [self._python, "-I", "-S", str(LAUNCHER), str(os.getpid()), *user, bounds, told, *command.argv]

    def _has_own_temporary(self) -> bool:
        """Whether an instance can have a /tmp of its own: tried once, by starting a program that does nothing."""
        if self._own_temporary is None:
            with TemporaryDirectory() as scratch:
                command = Command(argv=(shutil.which("true") or "/bin/true",), scratch=Path(scratch))
                self.give_folder(Path(scratch))
                argv = self._argv(command, system_view(), bound_mb=None, own_temporary=True)
                try:
                    tried = subprocess.run(argv, cwd=scratch, check=False, capture_output=True, timeout=TRIED_WITHIN_S)  # noqa: S603
                    self._own_temporary = tried.returncode == 0
                except (OSError, subprocess.TimeoutExpired):
                    self._own_temporary = False
        return self._own_temporary

    def unenforced(self) -> tuple[str, ...]:
        gaps = ["own network", "memory really used (reserved memory is bounded instead)"]
        if not self._tells:
            gaps.append("whose a connection is (needs sock_diag): any process here can take a function's events")
        reads = ""
        if self._view is None:
            why = "not asked for" if self._wanted_view is None else "needs Linux 5.13 with Landlock"
            gaps.append(f"own view of the file system ({why})")
            reads = ": a function can read whatever this process can, its keys and secrets too"
        else:
            gaps += self._view.gaps(self._secrets, own_temporary=self._has_own_temporary())
        if self._uid is None:
            gaps.append(f"own user ({'needs root' if self._asked_for_uid else 'not asked for'}){reads}")
        return tuple(gaps)

    def give_folder(self, folder: Path) -> None:
        if self._uid is not None:
            os.chown(folder, self._uid, self._gid if self._gid is not None else -1)

    def recover(self) -> int:
        ended = 0
        for handle in self._handles.glob("*.json") if self._handles else ():
            try:
                known = json.loads(handle.read_text("utf-8"))
            except (OSError, ValueError):
                known = {}
            members = _members(known.get("pid", 0), known.get("address", ""))
            for pid in members:
                _kill(pid)
            ended += bool(members)
            handle.unlink(missing_ok=True)
        if ended:
            log.info("ended instances of an earlier life", extra={"fields": {"groups": ended}})
        return ended

    def _write_handle(self, pid: int, environment: Mapping[str, str]) -> Path | None:
        if self._handles is None:
            return None
        handle = self._handles / f"{pid}.json"
        handle.write_text(json.dumps({"pid": pid, "address": environment.get("AWS_LAMBDA_RUNTIME_API", "")}), "utf-8")
        return handle


def _members(group: int, address: str) -> list[int]:
    """Answer the processes of a group that talk (or talked) to this Runtime API: numbers of groups are used again."""
    marker = f"AWS_LAMBDA_RUNTIME_API={address}".encode()
    found = []
    for entry in Path("/proc").iterdir() if address else ():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            if int(fields[2]) == group and marker in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except (OSError, IndexError, ValueError):
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def peak_memory_mb(pid: int) -> int:
    """Answer the most memory that this process has used so far, 0 when that cannot be told."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return -(-int(line.split()[1]) // 1024)
    except (OSError, ValueError, IndexError):
        return 0
    return 0


def describe_exit(status: int, request_id: str) -> str:
    """Say how a process ended, in AWS's words."""
    if status == 0:
        how = "Runtime exited without providing a reason"
    elif status < 0:
        names: Sequence[str] = [s.name for s in signal.Signals if s == -status]
        spoken = {"SIGKILL": "killed", "SIGSEGV": "segmentation fault", "SIGTERM": "terminated", "SIGABRT": "aborted"}
        name = names[0] if names else str(-status)
        how = f"Runtime exited with error: signal: {spoken.get(name, name)}"
    else:
        how = f"Runtime exited with error: exit status {status}"
    return f"RequestId: {request_id} Error: {how}"
