"""Functions in worker processes: warm invocations, cold starts. `python bench/functions.py [--dry]`.

Warm: one instance, one event after the other. Cold: a new instance for one event, beside a bare interpreter that
imports the client and ends. With AWS's client and with ours. Results are appended to bench/results.md unless --dry.
"""

import asyncio
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from hedgerow.base.clock import SystemClock
from hedgerow.base.ids import RandomIds
from hedgerow.functions import FunctionSpec, Pool, ProcessDriver, Runtimes, system_view

WARM, COLD, PARALLEL = 2000, 25, 2000
RUNTIME = f"python3.{sys.version_info.minor}"
CODE = "def handler(event, context):\n    return event\n"
EVENT = b'{"signal":-71.5,"temperature":41.2,"fan":true,"at":1795220000}'


def spec(folder: Path, number: int = 0, instances: int = 1) -> FunctionSpec:
    return FunctionSpec(
        arn=f"arn:aws:lambda:eu-central-1:123456789012:function:bench:{number}",
        name="bench",
        version=str(number),
        code=folder / "code",
        handler="app.handler",
        runtime=RUNTIME,
        region="eu-central-1",
        working_folder=folder / "work",
        max_instances=instances,
    )


async def warm(pool: Pool, folder: Path) -> tuple[float, float]:
    wanted = spec(folder)
    for _ in range(50):
        await pool.invoke(wanted, EVENT)
    times = []
    for _ in range(WARM):
        began = time.perf_counter()
        await pool.invoke(wanted, EVENT)
        times.append(time.perf_counter() - began)
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


async def parallel(pool: Pool, folder: Path) -> float:
    wanted = spec(folder, 1, instances=2)
    await pool.invoke(wanted, EVENT)
    waiting = asyncio.Semaphore(100)

    async def one() -> None:
        async with waiting:
            await pool.invoke(wanted, EVENT)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(PARALLEL)))
    return PARALLEL / (time.perf_counter() - began)


async def cold(pool: Pool, folder: Path) -> float:
    times = []
    for number in range(COLD):
        wanted = spec(folder, 100 + number)
        began = time.perf_counter()
        await pool.invoke(wanted, EVENT)
        times.append(time.perf_counter() - began)
        await pool.stop(wanted)
    return statistics.median(times)


def bare(support: Path, module: str) -> float:
    """Answer the time of an interpreter that imports the client and ends."""
    base = getattr(sys, "_base_executable", sys.executable)
    times = []
    for _ in range(COLD):
        began = time.perf_counter()
        subprocess.run([base, "-s", "-S", "-B", "-c", f"import {module}"], env={"PYTHONPATH": str(support)}, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


async def measure(aws_client: bool) -> dict[str, float]:
    folder = Path(tempfile.mkdtemp(prefix="hedgerow-bench-", dir="/var/tmp"))  # /tmp is the instances' own
    (folder / "code").mkdir()
    (folder / "code" / "app.py").write_text(CODE)
    try:
        pool = Pool(
            driver=ProcessDriver(handles=folder / "handles", view=system_view()),
            runtimes=Runtimes(folder / "runtimes", aws_client=aws_client),
            clock=SystemClock(),
            ids=RandomIds(),
            on_log=lambda spec, line: None,
        )
        async with pool:
            p50, p99 = await warm(pool, folder)
            rate = await parallel(pool, folder)
            start = await cold(pool, folder)
        module = "awslambdaric.bootstrap, runtime_client" if aws_client else "ric"
        support = next((folder / "runtimes").glob(f"{RUNTIME}-*"))
        reference = await asyncio.to_thread(bare, support, module)
    finally:
        shutil.rmtree(folder)
    return {"p50": p50, "p99": p99, "rate": rate, "cold": start, "bare": reference}


def main() -> None:
    uvloop: Any = __import__("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        aws = runner.run(measure(aws_client=True))
        ours = runner.run(measure(aws_client=False))
    rows = [
        ("warm invocation, p50, ms (budget 2)", *(f"{each['p50'] * 1000:.2f}" for each in (aws, ours))),
        ("warm invocation, p99, ms", *(f"{each['p99'] * 1000:.2f}" for each in (aws, ours))),
        ("two instances, 100 waiting, invocations/s", *(f"{each['rate']:,.0f}" for each in (aws, ours))),
        ("cold start with one event, ms", *(f"{each['cold'] * 1000:.0f}" for each in (aws, ours))),
        ("bare interpreter + client, ms", *(f"{each['bare'] * 1000:.0f}" for each in (aws, ours))),
        ("ratio (budget 1.5)", *(f"{each['cold'] / each['bare']:.2f}" for each in (aws, ours))),
    ]
    text = "\n".join(f"| {what} | {first} | {second} |" for what, first, second in rows)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    host = f"{platform.machine()}, CPython {platform.python_version()}, uvloop"
    method = f"`bench/functions.py`: confined instances, a handler that answers its event, {len(EVENT)} bytes"
    head = "| what | awslambdaric | our own client |\n|---|---|---|"
    report = f"\n## Functions, {stamp}\n{host}; {method}\n\n{head}\n{text}\n"
    print(report)
    if "--dry" not in sys.argv:
        with (Path(__file__).parent / "results.md").open("a") as file:
            file.write(report)


if __name__ == "__main__":
    main()
