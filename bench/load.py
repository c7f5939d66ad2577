"""Builds the generator of MQTT load (`load.c`) and runs it on a core of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.brokers import LOAD_CORE, Broker

SOURCE = Path(__file__).with_name("load.c")
PROGRAM = SOURCE.parents[1] / "build" / "bench-load"
ENDS_WITHIN_S = 120.0


@cache
def program() -> Path:
    """Answer where the program is, built anew when its source is newer."""
    if not PROGRAM.exists() or PROGRAM.stat().st_mtime < SOURCE.stat().st_mtime:
        compiler = shutil.which("cc")
        if compiler is None:
            sys.exit("the load of bench/mqtt.py is a C program: apt install gcc libssl-dev")
        PROGRAM.parent.mkdir(exist_ok=True)
        made = subprocess.run([compiler, "-O2", "-o", PROGRAM, SOURCE, "-lssl", "-lcrypto"], check=False)
        if made.returncode:
            sys.exit("cannot build bench/load.c: apt install gcc libssl-dev")
    return PROGRAM


def _command(folder: Path, broker: Broker, mode: str, settings: dict[str, float]) -> list[str]:
    files = [str(folder / name) for name in ("server-ca.pem", "device.crt", "device.key")]
    words = [f"{name}={value}" for name, value in settings.items()]
    return [str(program()), str(broker.port), *files, str(broker.pid), mode, *words]


def _alone() -> None:
    os.sched_setaffinity(0, LOAD_CORE)


def load(folder: Path, broker: Broker, mode: str, **settings: float) -> dict[str, float]:
    """Run one mode to its end and answer its figures."""
    done = subprocess.run(
        _command(folder, broker, mode, settings),
        stdout=subprocess.PIPE,
        timeout=ENDS_WITHIN_S,
        check=False,
        preexec_fn=_alone,
    )
    if done.returncode:
        raise RuntimeError(f"{mode} on {broker.name} ended with {done.returncode}")
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


@contextmanager
def holding(folder: Path, broker: Broker, mode: str, **settings: float) -> Iterator[dict[str, Any]]:
    """Run a mode that goes on until the block ends; the dictionary is filled with its figures then."""
    process = subprocess.Popen(
        _command(folder, broker, mode, settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=_alone
    )
    assert process.stdout is not None
    figures: dict[str, Any] = {}
    try:
        if mode != "storm" and not process.stdout.readline():
            raise RuntimeError(f"{mode} on {broker.name} did not begin")
        yield figures
    finally:
        said, _ = process.communicate(timeout=ENDS_WITHIN_S)
        if said:
            figures |= json.loads(said)
