"""A cloud and an edge at rest and at start: `python -m bench.cloud`. Processes as users start them, on loopback.

Ready: from starting `hedgerow cloud up` to its ready file. Memory: PSS of the process and its children, 5 s after the
last thing happened. Enrolment: process start to connected by claim, less process start to connected when the same edge
is enrolled already.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.record import record
from hedgerow.cli.demo import fleet
from hedgerow.cli.demo.processes import family_pss_mb
from hedgerow.cli.demo.sites import CONFIG
from hedgerow.testing import CloudProcess, start_cloud

STARTS = 5
SITES = 5
IDLE_S = 5.0


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as name:
        folder = Path(name)
        cloud = start_cloud(folder, "--bind=127.0.0.1", "--host=localhost", "--host=127.0.0.1")
        try:
            rows = [*measure_cloud(cloud), *measure_edges(cloud, folder)]
        finally:
            cloud.stop()
    record("Cloud and edge", f"`bench/cloud.py`: medians of {STARTS} starts and {SITES} edges", rows)


def measure_cloud(cloud: CloudProcess) -> list[tuple[str, str, str]]:
    ready = []
    for _ in range(STARTS):
        cloud.stop()
        begun = time.perf_counter()
        cloud.start()
        ready.append(time.perf_counter() - begun)
    time.sleep(IDLE_S)
    return [
        ("cloud ready on an existing folder", f"{statistics.median(ready):.2f} s", "2 s"),
        ("cloud and console, idle (PSS)", f"{memory_mb(pid_of(cloud)):.0f} MB", "200 MB"),
    ]


def measure_edges(cloud: CloudProcess, folder: Path) -> list[tuple[str, str, str]]:
    session = cloud.session()
    claim = set_up(session, cloud.ready["region"], cloud.ready["account"])
    data = session.client("iot-data")
    first: list[float] = []
    again: list[float] = []
    memory: list[float] = []
    for number in range(SITES):
        site = f"site-{number}"
        root = write_site(cloud, folder / site, site, claim)
        for times in (first, again):
            with edge(root) as process:
                times.append(until(partial(connected, data, site)))
                if times is again:
                    time.sleep(IDLE_S)
                    memory.append(memory_mb(process.pid))
            until(partial(disconnected, data, site))
    return [
        ("edge, start to connected, enrolled before", f"{statistics.median(again):.2f} s", "2 s"),
        ("edge, start to connected, enrolling by claim", f"{statistics.median(first):.2f} s", ""),
        ("enrolment of one device", f"{statistics.median(first) - statistics.median(again):.2f} s", "1 s"),
        ("edge, idle (PSS)", f"{statistics.median(memory):.0f} MB", "60 MB"),
    ]


def set_up(session: Any, region: str, account: str) -> dict[str, Any]:
    iot, iam = session.client("iot"), session.client("iam")
    iot.create_thing_group(thingGroupName=fleet.GROUP)
    iot.create_policy(policyName=fleet.DEVICE_POLICY, policyDocument=fleet.device_policy(region, account))
    iot.create_policy(policyName=fleet.CLAIM_POLICY, policyDocument=fleet.claim_policy(region, account))
    role = iam.create_role(RoleName="p", AssumeRolePolicyDocument=fleet.trust("iot.amazonaws.com"))["Role"]["Arn"]
    managed = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
    iam.attach_role_policy(RoleName="p", PolicyArn=managed)
    iot.create_provisioning_template(
        templateName=fleet.TEMPLATE, templateBody=fleet.template_body(), enabled=True, provisioningRoleArn=role
    )
    claim: dict[str, Any] = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName=fleet.CLAIM_POLICY, target=claim["certificateArn"])
    return claim


def write_site(cloud: CloudProcess, root: Path, site: str, claim: dict[str, Any]) -> Path:
    folder = root / "claim"
    folder.mkdir(mode=0o700, parents=True)
    files = {
        "claim.pem": claim["certificatePem"],
        "claim.key": claim["keyPair"]["PrivateKey"],
        "ca.pem": Path(cloud.ready["ca_file"]).read_text(),
    }
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content)
    content = CONFIG.format(
        region=cloud.ready["region"],
        root=root,
        endpoint="localhost",
        mqtt_port=cloud.ready["mqtt_port"],
        https_port=cloud.ready["https_port"],
        role_alias=fleet.ROLE_ALIAS,
        template=fleet.TEMPLATE,
        site=site,
    )
    (root / "config.yaml").write_text(content)
    return root


@contextmanager
def edge(root: Path) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "hedgerow", "edge", "run", "--root", str(root)]
    command += ["--init-config", str(root / "config.yaml")]
    with (root / "out.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def connected(data: Any, site: str) -> bool:
    try:
        return bool(data.get_connection(clientId=site)["connected"])
    except data.exceptions.ResourceNotFoundException:
        return False


def disconnected(data: Any, site: str) -> bool:
    return not connected(data, site)


def until(seen: Callable[[], bool]) -> float:
    begun = time.perf_counter()
    while not seen():
        if time.perf_counter() - begun > 60:
            raise SystemExit("not seen within a minute")
        time.sleep(0.005)
    return time.perf_counter() - begun


def pid_of(cloud: CloudProcess) -> int:
    return int(json.loads(cloud.data.joinpath("ready.json").read_text())["pid"])


def memory_mb(pid: int) -> float:
    return family_pss_mb(pid)


if __name__ == "__main__":
    os.environ.pop("AWS_PROFILE", None)
    main()
