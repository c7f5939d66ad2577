"""Writes a section of figures to bench/results.md: date, machine, method, and how long the disk takes to sync."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).with_name("results.md")
SYNCS = 50


def fdatasync_ms(folder: Path) -> float:
    """The median time of an fdatasync after writing 4 KiB."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def record(title: str, method: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Append a section and print it. A row: what, value, budget."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, CPython {platform.python_version()}"
    lines = [
        "",
        f"## {title}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"{machine}; fdatasync {fdatasync_ms(Path(tempfile.gettempdir())):.2f} ms; {method}",
        "",
        "| what | measured | budget |",
        "|---|---|---|",
        *(f"| {what} | {value} | {budget} |" for what, value, budget in rows),
    ]
    text = "\n".join(lines) + "\n"
    with RESULTS.open("a") as file:
        file.write(text)
    print(text)
