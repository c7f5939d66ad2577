"""How soon a changed policy counts for live connections: `python -m bench.rights [--connections N]`.

All connections have one certificate, whose policy has 20 statements and two variables; each change makes another
version its default. The time is from the API's answer until no connection waits for its new rights (`/metrics`). One
more client publishes to itself every 5 ms meanwhile. The cloud has one core, the load the other.
"""

import json
import os
import shutil
import statistics
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from bench.brokers import Broker
from bench.load import holding
from bench.mqtt_busy import EVERY_MS, trips
from bench.record import record
from bench.server import of_cloud
from hedgerow.testing import CloudProcess, start_cloud

CONNECTIONS = 10_000
CHANGES = 5
BUDGET_S = 1.0
LOOK_EVERY_S = 0.1
WAITING = 'hedgerow_queue_length{queue="regrants"}'


def document(number: int) -> str:
    """A policy under which the load may do all that it does; no two numbers give the same one."""
    others = [
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"arn:*:topic/{number}/{each}/${{iot:ClientId}}"}
        for each in range(18)
    ]
    secret = "arn:*:topic/secret/${iot:Connection.Thing.ThingName}"
    last = [
        {"Effect": "Deny", "Action": "iot:*", "Resource": secret},
        {"Effect": "Allow", "Action": "iot:*", "Resource": "*"},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": [*others, *last]})


def device(cloud: CloudProcess, folder: Path) -> Any:
    """One certificate for all clients, under the names that the load expects; answer the client of the service."""
    account = cloud.new_account(folder)
    made = account.device("probe", json.loads(document(0)))
    for source, name in ((made.certificate_file, "device.crt"), (made.key_file, "device.key")):
        shutil.copy(source, folder / name)
    shutil.copy(made.ca_file, folder / "server-ca.pem")
    return account.client("iot")


def waiting(metrics: str) -> float:
    """Answer how many connections wait for their rights."""
    with urllib.request.urlopen(metrics, timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(WAITING):
                return float(line.split()[-1])
    raise RuntimeError("the cloud does not say how many connections wait for their rights")


def change(iot: Any, policy: str, number: int, metrics: str) -> tuple[float, float]:
    """Answer how long it took until nobody waited, and how many were seen to wait at most."""
    old = [each["versionId"] for each in iot.list_policy_versions(policyName=policy)["policyVersions"]]
    for version in old[4:]:
        iot.delete_policy_version(policyName=policy, policyVersionId=version)
    iot.create_policy_version(policyName=policy, policyDocument=document(number), setAsDefault=True)
    begun, most = time.monotonic(), 0.0
    while True:
        there = waiting(metrics)
        most = max(most, there)
        if not there:
            return time.monotonic() - begun, most
        time.sleep(LOOK_EVERY_S)


def main(connections: int, recorded: bool) -> None:
    begin = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        folder = Path(name)
        cloud = start_cloud(folder, "--host=localhost", "--host=127.0.0.1")
        try:
            iot = device(cloud, folder)
            policy = iot.list_policies()["policies"][0]["policyName"]
            metrics = f"{cloud.ready['api_url']}/metrics"
            broker = Broker("hedgerow", of_cloud(cloud).pid, int(cloud.ready["mqtt_port"]))
            with (
                holding(folder, broker, "idle", count=connections, size=64),
                holding(folder, broker, "probe", every_ms=EVERY_MS) as probe,
            ):
                found = [change(iot, policy, number, metrics) for number in range(1, CHANGES + 1)]
        finally:
            cloud.stop()
    took = [seconds for seconds, _ in found]
    missed = " **missed**" if max(took) > BUDGET_S else ""
    rows = [
        (
            f"a policy of {connections:,} live connections changes: median and longest of {CHANGES}",
            f"{statistics.median(took):.2f} s, {max(took):.2f} s; {max(most for _, most in found):,.0f} seen waiting",
            f"≤ {BUDGET_S:g} s{missed}",
        ),
        ("round trip of another client meanwhile: median, p99, longest", trips(probe), ""),
    ]
    method = f"`bench/rights.py`: 20 statements, two variables, one certificate; load average {begin:.1f} before"
    if recorded:
        record("Changed rights of live connections", method, rows)
    else:
        print("\n".join("  ".join(row) for row in rows))


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--quick", action="store_true", help="a tenth of the connections; nothing is recorded")
    given = parser.parse_args()
    os.environ.pop("AWS_PROFILE", None)
    main(given.connections // 10 if given.quick else given.connections, not given.quick)
