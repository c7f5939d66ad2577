"""The processes that the demo started: each with its log, all of them ended at the end, by their ids."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hedgerow.cli.demo.errors import StepFailed

GRACE_S: Final = 15.0
_PROC: Final = Path("/proc")


@dataclass(slots=True)
class Started:
    """One process."""

    name: str
    arguments: list[str]
    process: "subprocess.Popen[str]"
    log: Path

    def last_line(self) -> str:
        """Answer the last line of its log."""
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "(nothing)"

    def check(self) -> None:
        """Raise StepFailed when it has ended."""
        status = self.process.poll()
        if status is not None:
            raise StepFailed(f"{self.name} ended with status {status}; its last words: {self.last_line()}")


class Processes:
    """Starts `python -m …` processes in groups of their own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._started: dict[str, Started] = {}

    def start(self, name: str, *arguments: str, reads: bool = False) -> Started:
        """Start a module's command; with `reads` its standard output is a pipe, else it goes to the log."""
        log = self._folder / f"{name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if reads else file,
                stderr=file,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
        started = self._started[name] = Started(name, list(arguments), process, log)
        return started

    def restart(self, name: str) -> Started:
        """Start it again with the same arguments; it must have ended."""
        return self.start(name, *self._started[name].arguments)

    def kill(self, name: str) -> None:
        """End one with SIGKILL, as a power cut would."""
        process = self._started[name].process
        process.kill()
        process.wait(GRACE_S)

    def check(self) -> None:
        """Raise StepFailed when one has ended."""
        for started in self._started.values():
            started.check()

    def stop(self) -> None:
        """End all: SIGTERM, the cloud when the others have ended, then SIGKILL for whoever does not listen."""
        others = [started for started in self._started.values() if started.name != "cloud"]
        for started in others:
            if started.process.poll() is None:
                started.process.terminate()
        for started in (*others, *(each for each in self._started.values() if each.name == "cloud")):
            self._stop(started)
        self._started.clear()

    def _stop(self, started: Started) -> None:
        process = started.process
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                self._signal_group(process.pid, signal.SIGKILL)
                process.wait(GRACE_S)
        if process.stdout is not None:
            process.stdout.close()

    @staticmethod
    def _signal_group(pid: int, number: signal.Signals) -> None:
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return

    def memory_mb(self, name: str) -> float:
        """Answer the memory (PSS) of a process with all its children, in MB."""
        return family_pss_mb(self._started[name].process.pid)


def family_pss_mb(pid: int) -> float:
    """Answer the memory (PSS) of a process with all its children, in MB."""
    return sum(_pss_kb(one) for one in _family(pid)) / 1024


def _family(pid: int) -> list[int]:
    try:
        children = (_PROC / str(pid) / "task" / str(pid) / "children").read_text("ascii").split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


def _pss_kb(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def available_mb() -> float | None:
    """Answer how much memory the machine has left, None where it does not say."""
    try:
        for line in (_PROC / "meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1024
    except OSError:
        return None
    return None
