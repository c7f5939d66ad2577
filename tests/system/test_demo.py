"""`hedgerow demo` as a user runs it: every step verified, a failed step named, and no process left behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.waiting import until

CHECKOUT = Path(__file__).resolve().parents[2]
WHEELS = CHECKOUT / "build" / "wheels"
STEPS = 11
DEMO_S = 110.0


@pytest.fixture(autouse=True)
def wheels() -> None:
    assert list(WHEELS.glob("*.whl")), "the wheels of examples/radio-monitor are not there: run `make setup`"


@contextmanager
def demo(folder: Path, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a demo that keeps everything in this folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    with subprocess.Popen(
        [sys.executable, "-m", "hedgerow", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**kept, "TMPDIR": str(folder), "COLUMNS": "200", **environment},
        start_new_session=True,
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()
            for pid in family(folder):  # whatever a failed test leaves
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def family(folder: Path) -> dict[int, str]:
    """Answer all processes that know of this folder: by their arguments, their environment or where they stand."""
    mark, found = str(folder).encode(), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command, told = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
                stands = os.fsencode(os.readlink(entry / "cwd"))
            except OSError:
                continue
            if mark in command or mark in told or mark in stands:
                found[int(entry.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace")
    return found


@pytest.mark.slow
@pytest.mark.spec("JB-01", "JB-02", "JB-03", "JB-06", "BS-01", "BS-48", "AL-06")
def test_the_demo_verifies_every_step_and_ends_what_it_started(tmp_path: Path) -> None:
    with demo(tmp_path, "--exit-when-done") as running:
        output, _ = running.communicate(timeout=DEMO_S)
        left = family(tmp_path)

    assert running.returncode == 0, output
    assert re.findall(r"^✓ (\d+)\.", output, re.MULTILINE) == [str(number) for number in range(1, STEPS + 1)]
    assert "seconds to enrol 3 devices" in output
    assert left == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_step_that_fails_is_named_with_its_reason_and_everything_is_ended(tmp_path: Path) -> None:
    broken, folder = tmp_path / "broken" / "pysnmp", tmp_path / "demo"
    broken.mkdir(parents=True)
    folder.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('no radios today')\n")

    with demo(folder, "--exit-when-done", PYTHONPATH=str(broken.parent)) as running:
        until("cloud and edges", lambda: len(family(folder)) >= 5, within_s=60)
        output, _ = running.communicate(timeout=DEMO_S)
        left = family(folder)

    assert running.returncode == 1
    assert "✗ 4. Start the radios: the radios did not start: RuntimeError: no radios today" in output
    assert left == {}
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_ends_what_it_started(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as running:
        until("cloud and edges", lambda: len(family(tmp_path)) >= 5, within_s=60)
        running.send_signal(number)
        output, _ = running.communicate(timeout=60)
        left = family(tmp_path)

    assert running.returncode == 130, output
    assert "Traceback" not in output
    assert left == {}


@pytest.mark.slow
def test_a_demo_that_needs_more_memory_than_there_is_refuses_before_it_starts(tmp_path: Path) -> None:
    with demo(tmp_path, "--devices", "100000", "--exit-when-done") as running:
        output, _ = running.communicate(timeout=60)

    assert running.returncode == 2
    assert "use fewer --devices" in output
    assert "Traceback" not in output
