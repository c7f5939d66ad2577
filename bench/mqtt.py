"""The gateway beside Mosquitto and amqtt over mutual TLS: `python -m bench.mqtt [--quick] [--seconds S] [--rounds N]`.

Each server has one core, the load (`bench/load.c`) the other; they are measured in turn, and each figure is the median
of the rounds. The ratio is of CPU time per message, which says the same as the ratio of rates when both servers are
busy, and still says it when somebody else uses the machine. Loopback only. Appends to bench/results.md.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.unit.gateway.certificates import Pki

from bench.brokers import AMQTT, Broker, amqtt, hedgerow, mosquitto
from bench.load import holding, load
from bench.record import RESULTS, record

PAYLOAD = 62
AMQTT_TIMES = 10
RATIO = re.compile(r"^\| (.+?: CPU per \w+) \| .*?mosquitto [\d,.]+ µs: ([\d.]+) ×", re.MULTILINE)
FALLS = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured, and the least ratio to Mosquitto or least rate."""

    what: str
    mode: str = "run"
    unit: str = "message"
    settings: dict[str, float]
    times: float | None = None
    times_amqtt: float | None = AMQTT_TIMES
    rate: float | None = None


CASES = [
    Case(what="QoS 0 pair", settings={"qos": 0}, times=1.5),
    Case(what="QoS 1 pair", settings={"qos": 1, "window": 90}, times=2.0),
    Case(
        what="500 connections, one QoS 1 publish in flight each",
        settings={"publishers": 500, "subscribers": 0, "qos": 1, "window": 1, "own": 1},
        times=1.0,
    ),
    Case(
        what="fan-out 1 to 500, QoS 0",
        settings={"subscribers": 500, "window": 8, "paced": 1},
        unit="delivery",
        times=1.0,
    ),
    Case(what="fan-in 200 to 1, QoS 0", settings={"publishers": 200, "window": 2, "paced": 1}, times=1.0),
    Case(
        what="QoS 1 pair, kept session (Hedgerow: on disk before PUBACK)",
        settings={"qos": 1, "window": 90, "kept": 1},
        times_amqtt=None,
        rate=10_000,
    ),
    Case(
        what="new connections, 16 at a time: TCP, TLS, CONNECT, CONNACK",
        mode="connect",
        unit="connection",
        settings={"parallel": 16},
        times=0.8,
        times_amqtt=None,
        rate=500,
    ),
]


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: of the server per message, and how busy both sides were."""

    rate: float
    cpu_us: float
    busy: float
    load_busy: float


def measure(folder: Path, broker: Broker, case: Case, seconds: float) -> Figures:
    found = load(folder, broker, case.mode, seconds=seconds, **case.settings)
    count = found.get("connected") or found["delivered"] or found["acked"]
    if not count:
        raise RuntimeError("nothing arrived")
    took = found["seconds"]
    cpu = found["server_cpu"]
    return Figures(count / took, cpu / count * 1e6, cpu / took, found["load_cpu"] / took)


def compare(folder: Path, options: Namespace) -> Iterator[tuple[str, str, str]]:
    with ExitStack() as stack:
        starts = [hedgerow, mosquitto, *([amqtt] if AMQTT.exists() else [])]
        brokers = [stack.enter_context(start(folder)) for start in starts]
        for case in CASES:
            runs: dict[str, list[Figures]] = {}
            for _ in range(options.rounds):
                for broker in brokers:
                    try:
                        runs.setdefault(broker.name, []).append(measure(folder, broker, case, options.seconds))
                    except (RuntimeError, subprocess.TimeoutExpired) as error:
                        if broker.name == "hedgerow":
                            raise
                        print(f"{case.what}: {error}", file=sys.stderr)
            yield from rows(case, {name: middle(figures) for name, figures in runs.items() if figures})


def middle(runs: Sequence[Figures]) -> Figures:
    return Figures(
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu_us for run in runs),
        statistics.median(run.busy for run in runs),
        statistics.median(run.load_busy for run in runs),
    )


def rows(case: Case, found: dict[str, Figures]) -> Iterator[tuple[str, str, str]]:
    """Two rows: CPU with its ratios, and rates."""
    ours = found["hedgerow"]
    cpu = [f"{ours.cpu_us:,.2f} µs"]
    missed = False
    budgets = {"mosquitto": case.times, "amqtt": case.times_amqtt}
    for name, budget in budgets.items():
        if name in found:
            times = found[name].cpu_us / ours.cpu_us
            cpu.append(f"{name} {found[name].cpu_us:,.2f} µs: {times:.2f} ×")
            missed = missed or (budget is not None and times < budget)
    said = ", ".join(f"≥ {budget:g} × {name}" for name, budget in budgets.items() if budget is not None)
    yield f"{case.what}: CPU per {case.unit}", ", ".join(cpu), said + (" **missed**" if missed else "")
    rates = [f"{ours.rate:,.0f}/s", *(f"{name} {one.rate:,.0f}/s" for name, one in found.items() if name != "hedgerow")]
    sides = ", ".join(f"{one.busy:.0%} and {one.load_busy:.0%}" for one in found.values())
    least = f"≥ {case.rate:,.0f}/s" + (" **missed**" if ours.rate < case.rate else "") if case.rate else ""
    yield f"{case.what}: rate; cores of server and load", f"{', '.join(rates)}; {sides}", least


def idle(folder: Path, connections: int) -> Iterator[tuple[str, str, str]]:
    """Memory per connection that is silent, at a quarter, a half and all of them: it must be a line."""
    for what, settings, budget in (
        ("after 1 KB each way", {"size": 1024}, 60),
        ("after one publish of 100 KB", {"size": 102_400, "once": 1}, 100),
    ):
        found = []
        for count in (connections // 4, connections // 2, connections):
            with hedgerow(folder) as broker:
                before = broker.pss_kb()
                with holding(folder, broker, "idle", count=count, **settings):
                    found.append((count, (broker.pss_kb() - before) / count))
        steps = ", ".join(f"{count:,}: {each:.1f} kB" for count, each in found)
        missed = " **missed**" if found[-1][1] > budget else ""
        yield f"idle connections {what}, memory of each (PSS)", steps, f"{budget} kB{missed}"


def fallen(found: Sequence[tuple[str, str, str]], before: str) -> list[str]:
    """Answer the rows whose ratio to Mosquitto is more than 15 % below the last one that was recorded."""
    last = dict(RATIO.findall(before))
    now = dict(RATIO.findall("".join(f"| {what} | {value} |\n" for what, value, _ in found)))
    return [what for what, ratio in now.items() if what in last and float(ratio) < FALLS * float(last[what])]


def main(options: Namespace) -> None:
    begin = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        folder = Path(name)
        Pki(folder).make("device")
        found = [*compare(folder, options), *idle(folder, options.connections)]
    version = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout.split("\n")[0]
    method = (
        f"{version}; `bench/mqtt.py`: mutual TLS on loopback, {PAYLOAD} bytes payload, server and load on one core each"
        f", policy of 20 statements with 2 variables against an ACL file of 19 rules, amqtt without rules, medians of"
        f" {options.rounds} rounds of {options.seconds:g} s; load average {begin:.1f} before"
    )
    if options.quick:
        print("\n".join("  ".join(row) for row in found))
        return
    before = RESULTS.read_text()
    record("MQTT", method, found)
    if worse := fallen(found, before):
        sys.exit(f"more than 15 % worse than the last time: {'; '.join(worse)}")


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, few connections; nothing is recorded")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=10_000)
    given = parser.parse_args()
    if given.quick:
        given.seconds, given.rounds, given.connections = 0.5, 1, 400
    main(given)
