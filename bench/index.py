"""Fleet indexing: `python -m bench.index [--quick]`. The cloud on one core, the generator on the other.

100,000 things are made first and indexed then (building). SearchIndex: over one connection, the first page of 100, the
median of random values. Visible: while things are updated at 1,000/s, a probe updates a thing of its own and searches
until the new value is found; the time from its sending to the first answer that has it.
"""

import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.record import record
from bench.replay import Signer, cpu_s
from bench.server import Server, of_cloud
from hedgerow.testing import start_cloud

QUICK = "--quick" in sys.argv
THINGS = 3_000 if QUICK else 100_000
SITES, MODELS, FLOORS = 1_000, 10, 100
SEARCHES = 50
RATE = 1_000  # changes per second
SECONDS = 5 if QUICK else 20
TURN_S = 0.1
CONNECTIONS = 32
VISIBLE_S = 1.0
BUILT_WITHIN_S = 1_200

Rows = list[tuple[str, str, str]]


def main() -> None:
    begin = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        cloud = start_cloud(Path(name), "--no-console")
        try:
            server = of_cloud(cloud)
            _fill(server)
            rows = [_building(server), *_searching(server), *_changing(server)]
        finally:
            cloud.stop()
    if QUICK:
        print("\n".join("  ".join(row) for row in rows))
    else:
        method = f"`bench/index.py`: {THINGS:,} things, server and generator on one core each"
        record("Fleet index", f"{method}; load average {begin:.1f} before", rows)


def _attributes(number: int) -> dict[str, str]:
    return {"site": f"site-{number % SITES}", "model": f"TX-{number % MODELS}", "floor": str(number % FLOORS)}


def _fill(server: Server) -> None:
    step = 5_000
    for first in range(0, THINGS, step):
        numbers = range(first, min(first + step, THINGS))
        server.run([_written(server, "POST", number) for number in numbers], 64)


def _written(server: Server, method: str, number: int, **more: str) -> bytes:
    attributes = {**_attributes(number), **more}
    body = json.dumps({"attributePayload": {"attributes": attributes}}).encode()
    return server.signed(method, f"/things/thing-{number:06}", body)


def _building(server: Server) -> tuple[str, str, str]:
    client = server.client()
    begun = time.perf_counter()
    client.update_indexing_configuration(
        thingIndexingConfiguration={
            "thingIndexingMode": "REGISTRY_AND_SHADOW",
            "thingConnectivityIndexingMode": "STATUS",
            "customFields": [{"name": "attributes.floor", "type": "Number"}],
        }
    )
    while client.describe_index(indexName="AWS_Things")["indexStatus"] != "ACTIVE":
        if time.perf_counter() - begun > BUILT_WITHIN_S:
            raise RuntimeError("the index was not built in time")
        time.sleep(0.05)
    took = time.perf_counter() - begun
    return f"turned on with {THINGS:,} things, until ACTIVE", f"{took:.1f} s: {THINGS / took:,.0f}/s", ""


def _searching(server: Server) -> Rows:
    some = random.Random(7)
    queries: dict[str, Callable[[], str]] = {
        "one name": lambda: f"thingName:thing-{some.randrange(THINGS):06}",
        "a prefix, 100 things": lambda: f"thingName:thing-{some.randrange(THINGS // 100):04}*",
        "a rare value AND a common one": lambda: f"attributes.site:site-{some.randrange(SITES)} AND attributes.model:*",
        "two common values": lambda: f"attributes.model:TX-{some.randrange(MODELS)} AND attributes.floor < 50",
        "a range that finds a tenth": lambda: f"attributes.floor:[{some.randrange(90)} TO 9999]",
        "all but one in a thousand": lambda: f"NOT attributes.site:site-{some.randrange(SITES)}",
        "nothing, NOT over everything": lambda: "NOT attributes.site:*",
        "a value without a field": lambda: f"site-{some.randrange(SITES)}",
    }
    rows = [(f"SearchIndex, {what}", f"{_search_ms(server, query):.1f} ms", "") for what, query in queries.items()]
    client = server.client()
    begun = time.perf_counter()
    client.get_statistics(queryString="*", aggregationField="attributes.floor")
    return [*rows, ("GetStatistics over all", f"{(time.perf_counter() - begun) * 1000:.0f} ms", "")]


def _search_ms(server: Server, query: Callable[[], str]) -> float:
    signer = Signer(server.client())
    requests = [signer.request("search_index", queryString=query()) for _ in range(SEARCHES)]
    return statistics.median(server.run([one], 1).seconds for one in requests) * 1000


def _changing(server: Server) -> Rows:
    ended = threading.Event()
    seen: list[float] = []
    prober = threading.Thread(target=lambda: seen.extend(_probe(server.client(), ended)))
    prober.start()
    try:
        rate, cpu_us = _change(server)
    finally:
        ended.set()
        prober.join()
    seen.sort()
    slow = seen[int(len(seen) * 0.99)]
    kept, found = rate >= RATE * 0.98, slow <= VISIBLE_S
    return [
        (
            "changes (UpdateThing); CPU per change with its indexing and the probe",
            f"{rate:,.0f}/s for {SECONDS} s; {cpu_us:,.0f} µs",
            f"{RATE:,}/s{_verdict(kept)}",
        ),
        (
            f"a change is found by SearchIndex, median, p99, longest of {len(seen)}",
            f"{statistics.median(seen) * 1000:.0f} ms, {slow * 1000:.0f} ms, {seen[-1] * 1000:.0f} ms",
            f"{VISIBLE_S:.0f} s{_verdict(found)}",
        ),
    ]


def _verdict(met: bool) -> str:
    return "" if met else " **missed**"


def _change(server: Server) -> tuple[float, float]:
    """Update random things, some every tenth of a second; answer how many per second it were, and CPU in µs of each."""
    some, size = random.Random(11), int(RATE * TURN_S)
    total = int(RATE * SECONDS)
    todo = [_written(server, "PATCH", some.randrange(THINGS), model=f"turn-{turn}") for turn in range(total)]
    cpu, begun = cpu_s(server.pid), time.perf_counter()
    for turn in range(0, total, size):
        early = begun + turn / RATE - time.perf_counter()
        if early > 0:
            time.sleep(early)
        server.run(todo[turn : turn + size], CONNECTIONS)
    took = max(time.perf_counter() - begun, SECONDS)
    return total / took, (cpu_s(server.pid) - cpu) / total * 1e6


def _probe(client: Any, ended: threading.Event) -> Iterator[float]:
    client.create_thing(thingName="probe")
    number = 0
    while not ended.is_set():
        number += 1
        begun = time.perf_counter()
        client.update_thing(thingName="probe", attributePayload={"attributes": {"mark": f"m{number}"}})
        while not client.search_index(queryString=f"attributes.mark:m{number}")["things"]:
            if time.perf_counter() - begun > 60:
                break
            time.sleep(0.01)
        yield time.perf_counter() - begun
        time.sleep(0.05)


if __name__ == "__main__":
    main()
