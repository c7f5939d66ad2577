"""The API against a moto server: `python -m bench.api`. Both as processes on one core, the generator on another.

One generator (`bench/replay.py`) replays to both what boto3 signed beforehand, over 1 and 32 connections. CPU is user
and system time of the server's process per completed call; rounds alternate between the servers, and each figure is the
best of the rounds. moto keeps everything in memory, Hedgerow has CreateThing on disk before it answers. Lookups: random
names out of 1,000 and of 100,000 things. `python -m bench.api --quick`: one round of few calls, nothing is recorded.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from bench.moto import moto, moto_version
from bench.record import record
from bench.replay import Signer
from bench.server import Server, of_cloud
from hedgerow.testing import CloudProcess, start_cloud

ROUNDS, CALLS = (1, 300) if "--quick" in sys.argv else (3, 3000)
THINGS = 100
MANY = 2_000 if "--quick" in sys.argv else 100_000
CONNECTIONS = (1, 32)
OPERATIONS = ("DescribeThing", "ListThings of 100", "CreateThing", "SearchIndex")
SHARES = {
    "DescribeThing": 1 / 3,
    "ListThings of 100": 1 / 3,
    "SearchIndex": 1 / 3,
    "CreateThing": 1 / 2,
}  # of moto's CPU
RATES = {("DescribeThing", 32): 1500, ("CreateThing", 32): 1000}
SLOW_RATE = 500  # CreateThing/s at 32 connections with 5 ms added to each commit
LOOKUP_CHANGE = 0.2
QUERIES, HITS = [f"attributes.site:north-7 AND thingName:thing-0{digit}*" for digit in range(10)], 10
ATTRIBUTES = {"site": "north-7", "model": "TX-200", "firmware": "2.4.1"}


def main() -> None:
    begin = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name, _servers(Path(name)) as (ours, theirs):
        best = _compare([ours, theirs])
        rows = [*_rows(best), ("boto3 itself, DescribeThing one after the other", f"{_boto3_rate(ours):,.0f}/s", "")]
        rows += _lookups(ours)
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        rows.append(_slow_commits(Path(name)))
    method = (
        f"`bench/api.py`: {CALLS} calls, best of {ROUNDS} rounds, server and generator on one core each,"
        f" moto {moto_version()}; load average {begin:.1f} before"
    )
    if "--quick" not in sys.argv:
        record("API", method, rows)
    else:
        print("\n".join("  ".join(row) for row in rows))


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Server, Server]]:
    cloud = start_cloud(folder, "--no-console")
    try:
        with moto(folder) as theirs:
            yield of_cloud(cloud), theirs
    finally:
        cloud.stop()


def _compare(servers: Sequence[Server]) -> dict[tuple[str, int, str], tuple[float, float]]:
    """Answer (calls per second, CPU in µs per call) by operation, connections and server."""
    for server in servers:
        client = server.client()
        for number in range(THINGS):
            client.create_thing(thingName=f"thing-{number:03}", attributePayload={"attributes": ATTRIBUTES})
    best: dict[tuple[str, int, str], tuple[float, float]] = {}
    for operation in OPERATIONS:  # the index last: until then nobody keeps it
        if operation == "SearchIndex":
            _index(servers)
        for turn in range(ROUNDS):
            for connections in CONNECTIONS:
                for server in servers:
                    requests = _requests(server, operation, f"{turn}-{connections}")
                    figures = server.run(requests, connections)
                    rate, cpu = best.get((operation, connections, server.name), (0.0, float("inf")))
                    best[operation, connections, server.name] = max(rate, figures.rate), min(cpu, figures.cpu_us)
                    if operation == "CreateThing":
                        _remove_created(server, f"{turn}-{connections}")
    return best


def _index(servers: Sequence[Server]) -> None:
    """Let both find the 100 things; AWS, and Hedgerow with it, indexes nothing unless it is told to."""
    deadline = time.monotonic() + 30
    for server in servers:
        client = server.client()
        client.update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "REGISTRY"})
        while _found(client) != HITS:
            if time.monotonic() > deadline:
                sys.exit(f"{server.name} does not find the things")
            time.sleep(0.1)


def _found(client: Any) -> int:
    try:
        return len(client.search_index(queryString=QUERIES[0])["things"])
    except ClientError:  # the index is being built
        return -1


def _requests(server: Server, operation: str, run: str) -> list[bytes]:
    signer = Signer(server.client())
    if operation == "DescribeThing":
        return [signer.request("describe_thing", thingName="thing-042")] * CALLS
    if operation == "ListThings of 100":
        return [signer.request("list_things", maxResults=THINGS)] * (CALLS // 4)
    if operation == "SearchIndex":
        return [signer.request("search_index", queryString=query) for query in QUERIES] * (CALLS // 40)
    payload = {"attributes": ATTRIBUTES}
    return [
        signer.request("create_thing", thingName=f"new-{run}-{number}", attributePayload=payload)
        for number in range(CALLS)
    ]


def _remove_created(server: Server, run: str) -> None:
    """Leave the 100 things alone again: moto looks through all it has for each list."""
    signer = Signer(server.client())
    names = (f"new-{run}-{number}" for number in range(CALLS))
    server.run([signer.request("delete_thing", thingName=name) for name in names], 4)


def _rows(best: dict[tuple[str, int, str], tuple[float, float]]) -> list[tuple[str, str, str]]:
    rows = []
    for operation in OPERATIONS:
        for connections in CONNECTIONS:
            rate, cpu = best[operation, connections, "hedgerow"]
            their_rate, their_cpu = best[operation, connections, "moto"]
            what = f"{operation}, {connections} connection{'s' if connections > 1 else ''}"
            share = cpu / their_cpu
            wanted = RATES.get((operation, connections))
            rows.append(
                (
                    f"{what}: CPU per call",
                    f"{cpu:.0f} µs, moto {their_cpu:.0f} µs: {share:.2f}",
                    f"≤ {SHARES[operation]:.2f}{_verdict(share <= SHARES[operation])}",
                )
            )
            budget = f"≥ {wanted:,}/s{_verdict(rate >= wanted)}" if wanted else ""
            rows.append((f"{what}: calls", f"{rate:,.0f}/s, moto {their_rate:,.0f}/s", budget))
    return rows


def _verdict(met: bool) -> str:
    return "" if met else " **missed**"


def _boto3_rate(server: Server) -> float:
    client = server.client()
    begun = time.perf_counter()
    for _ in range(500):
        client.describe_thing(thingName="thing-042")
    return 500 / (time.perf_counter() - begun)


def _lookups(server: Server) -> list[tuple[str, str, str]]:
    """Measure DescribeThing of random names, first among few things and then among many."""
    server.client().update_indexing_configuration(thingIndexingConfiguration={"thingIndexingMode": "OFF"})
    few = 1_000
    _fill(server, THINGS, few)
    among_few = _lookup(server, few)
    _fill(server, few, MANY)
    among_many = _lookup(server, MANY)
    change = among_many / among_few - 1
    budget = f"≤ {LOOKUP_CHANGE:+.0%}{_verdict(change <= LOOKUP_CHANGE)}"
    measured = f"{among_few:.0f} µs, {among_many:.0f} µs: {change:+.0%}"
    return [(f"a lookup among {few:,} and {MANY:,} things, 1 connection", measured, budget)]


def _fill(server: Server, first: int, end: int) -> None:
    step = 5_000
    for begin in range(first, end, step):
        numbers = range(begin, min(begin + step, end))
        server.run([_created(server, number) for number in numbers], 64)


def _created(server: Server, number: int) -> bytes:
    body = b'{"attributePayload":{"attributes":{"site":"north-7","model":"TX-200"}}}'
    return server.signed("POST", f"/things/thing-{number:03}", body)


def _lookup(server: Server, things: int) -> float:
    """Answer the time of a lookup in µs, the best of several runs."""
    signer, names = Signer(server.client()), random.Random(7)
    requests = [
        signer.request("describe_thing", thingName=f"thing-{names.randrange(THINGS, things):03}") for _ in range(1000)
    ]
    return min(server.run(requests, 1).seconds / len(requests) for _ in range(2 * ROUNDS + 1)) * 1e6


def _slow_commits(folder: Path) -> tuple[str, str, str]:
    cloud = CloudProcess(folder, ("--no-console",), module="bench.slow_commits")
    cloud.start()
    try:
        server = of_cloud(cloud)
        rate = max(
            server.run(_requests(server, "CreateThing", str(turn)), CONNECTIONS[-1]).rate for turn in range(ROUNDS)
        )
    finally:
        cloud.stop()
    what = f"CreateThing with 5 ms added to each commit, {CONNECTIONS[-1]} connections"
    return what, f"{rate:,.0f}/s", f"≥ {SLOW_RATE}/s{_verdict(rate >= SLOW_RATE)}"


if __name__ == "__main__":
    main()
