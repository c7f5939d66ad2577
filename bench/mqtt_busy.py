"""A round trip at QoS 1 while the cloud is busy: `python -m bench.mqtt_busy [--seconds S]`; recorded in results.md.

One established client publishes to itself every 5 ms and waits for the message and its PUBACK. Beside it 32 connections
create things as fast as they are answered, a page of the console is opened every second, and 200 clients with
certificates all drop and come back every 5 s. The cloud has one core; the load, the console and its page the other.
"""

import multiprocessing
import os
import shutil
import tempfile
import threading
import time
import urllib.request
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.brokers import LOAD_CORE, Broker
from bench.load import holding, load
from bench.record import record
from bench.replay import cpu_s, replay
from bench.server import Server, of_cloud
from hedgerow.testing import CloudProcess, start_cloud

EVERY_MS = 5
CLIENTS = 200
STORM_EVERY_MS = 5000
CONNECTIONS = 32
AT_ONCE = 2000  # things that are signed and created in one go
BUDGET_MS = 20.0
CONNECTS = 500


def create(server: Server, number: int, stop: Any, made: Any) -> None:
    """Create things until told to stop."""
    os.sched_setaffinity(0, LOAD_CORE)
    go = 0
    while not stop.is_set():
        names = [f"busy-{number}-{go}-{each}" for each in range(AT_ONCE)]
        replay(
            ("127.0.0.1", server.port),
            [server.signed("POST", f"/things/{name}", b"{}") for name in names],
            connections=CONNECTIONS,
            pid=server.pid,
        )
        go += 1
        with made.get_lock():
            made.value += AT_ONCE


def look(cloud: CloudProcess, stop: threading.Event, pages: list[int]) -> None:
    """Open a page of the console every second."""
    token = cloud.session().client("hedgerow").create_console_sign_in()["token"]
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    browser.open(f"{cloud.ready['console_url']}/sign-in?token={token}", timeout=60).read()
    while not stop.wait(1.0):
        pages.append(len(browser.open(cloud.ready["console_url"], timeout=60).read()))


def device(cloud: CloudProcess, folder: Path) -> None:
    """One certificate for all clients, under the names that the load expects."""
    account = cloud.new_account(folder)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
    made = account.device("probe", everything)
    for source, name in ((made.certificate_file, "device.crt"), (made.key_file, "device.key")):
        shutil.copy(source, folder / name)
    shutil.copy(made.ca_file, folder / "server-ca.pem")


def measure(cloud: CloudProcess, folder: Path, seconds: float, *, busy: bool) -> dict[str, float]:
    server = of_cloud(cloud)
    broker = Broker("hedgerow", server.pid, int(cloud.ready["mqtt_port"]))
    stop, looking = multiprocessing.Event(), threading.Event()
    made, pages = multiprocessing.Value("q", 0), list[int]()
    maker = multiprocessing.Process(target=create, args=(server, time.time_ns(), stop, made))
    looker = threading.Thread(target=look, args=(cloud, looking, pages))
    storms: dict[str, float] = {}
    with ExitStack() as stack:
        if busy:
            storms = stack.enter_context(holding(folder, broker, "storm", count=CLIENTS, every_ms=STORM_EVERY_MS))
            maker.start()
            looker.start()
            stack.callback(looker.join)
            stack.callback(looking.set)
            stack.callback(maker.join)
            stack.callback(stop.set)
        with holding(folder, broker, "probe", every_ms=EVERY_MS) as probe:
            cpu, begun, there = cpu_s(server.pid), time.monotonic(), made.value
            time.sleep(seconds)
            took = time.monotonic() - begun
            used, created = cpu_s(server.pid) - cpu, made.value - there
    return {**probe, **storms, "created": created / took, "pages": len(pages), "core": used / took}


def connections(cloud: CloudProcess, folder: Path, seconds: float) -> tuple[str, str, str]:
    """New connections with all that the cloud does for one: registry, policies, presence, log."""
    server = of_cloud(cloud)
    found = load(
        folder, Broker("hedgerow", server.pid, int(cloud.ready["mqtt_port"])), "connect", parallel=16, seconds=seconds
    )
    count, took = found["connected"], found["seconds"]
    cores = f"{found['server_cpu'] / took:.0%} and {found['load_cpu'] / took:.0%}"
    missed = " **missed**" if count / took < CONNECTS else ""
    return (
        "new connections, 16 at a time, the whole cloud: rate; CPU of each; cores of server and load",
        f"{count / took:,.0f}/s; {found['server_cpu'] / count * 1e6:,.0f} µs; {cores}",
        f"≥ {CONNECTS}/s{missed}",
    )


def main(seconds: float, recorded: bool) -> None:
    begin = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        folder = Path(name)
        cloud = start_cloud(folder, "--host=localhost", "--host=127.0.0.1")
        try:
            device(cloud, folder)
            connects = connections(cloud, folder, min(seconds, 4.0))
            quiet, busy = (measure(cloud, folder, seconds, busy=each) for each in (False, True))
        finally:
            cloud.stop()
    missed = " **missed**" if busy["p99_ms"] > BUDGET_MS else ""
    rows = [
        connects,
        ("round trip, nothing else happens: median, p99, longest", trips(quiet), ""),
        ("round trip, busy: median, p99, longest", trips(busy), f"p99 ≤ {BUDGET_MS:g} ms{missed}"),
        (
            "meanwhile",
            f"{busy['created']:,.0f} things/s, {busy['pages']:.0f} pages, {busy['storms']:.0f} storms of {CLIENTS}"
            f" clients, the slowest was back in {busy['longest_s']:.2f} s; the cloud's core {busy['core']:.0%}",
            "",
        ),
    ]
    method = f"`bench/mqtt_busy.py`: {seconds:g} s each, a trip every {EVERY_MS} ms; load average {begin:.1f} before"
    if recorded:
        record("QoS 1 round trips of a busy cloud", method, rows)
    else:
        print("\n".join("  ".join(row) for row in rows))


def trips(found: dict[str, float]) -> str:
    return (
        f"{found['median_ms']:.2f} ms, {found['p99_ms']:.2f} ms, {found['longest_ms']:.1f} ms of {found['trips']:,.0f}"
    )


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--quick", action="store_true", help="a few seconds; nothing is recorded")
    given = parser.parse_args()
    os.environ.pop("AWS_PROFILE", None)
    main(6.0 if given.quick else given.seconds, not given.quick)
