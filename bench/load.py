"""Builds the generators of load in C, and runs that of MQTT messages (`load.c`) on a core of its own."""

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

HERE = Path(__file__).parent
SHARED = HERE / "client.h"
ENDS_WITHIN_S = 120.0


@cache
def program(name: str) -> Path:
    """Answer where the program of `<name>.c` is, built anew when a source is newer."""
    source, made = HERE / f"{name}.c", HERE.parent / "build" / f"bench-{name}"
    if not made.exists() or made.stat().st_mtime < max(source.stat().st_mtime, SHARED.stat().st_mtime):
        compiler = shutil.which("cc")
        if compiler is None:
            sys.exit(f"the load of bench/{source.name} is a C program: apt install gcc libssl-dev")
        made.parent.mkdir(exist_ok=True)
        if subprocess.run([compiler, "-O2", "-o", made, source, "-lssl", "-lcrypto"], check=False).returncode:
            sys.exit(f"cannot build bench/{source.name}: apt install gcc libssl-dev")
    return made


def _command(folder: Path, broker: Broker, mode: str, settings: dict[str, float]) -> list[str]:
    files = [str(folder / name) for name in ("server-ca.pem", "device.crt", "device.key")]
    words = [f"{name}={value}" for name, value in settings.items()]
    return [str(program("load")), str(broker.port), *files, str(broker.pid), mode, *words]


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
