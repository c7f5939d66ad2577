"""Long by nature: what was acknowledged survives many kills; many devices enrol; edges start and stop many times."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from bench import cloud as bench_cloud
from botocore.exceptions import BotoCoreError, ClientError

from hedgerow.testing import CloudProcess, start_cloud

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

KILLS = 25
WRITERS = 4
BETWEEN_S = 1.5
RESTARTS = 40


class Writer(threading.Thread):
    """Creates things until told to stop, and remembers each that was acknowledged."""

    def __init__(self, cloud: CloudProcess, number: int) -> None:
        super().__init__(daemon=True)
        self._cloud = cloud
        self._number = number
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        count = 0
        while not self.stopping.is_set():
            name = f"thing-{self._number}-{count}"
            count += 1
            try:
                self._cloud.session().client("iot").create_thing(thingName=name)
            except (BotoCoreError, ClientError, KeyError):
                continue
            self.acknowledged.append(name)


def test_nothing_acknowledged_is_lost_in_many_kills(tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path, "--no-console", "--bind=127.0.0.1", "--host=localhost")
    writers = [Writer(cloud, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()

    for _ in range(KILLS):
        deadline = time.monotonic() + BETWEEN_S
        threading.Event().wait(max(0.0, deadline - time.monotonic()))
        cloud.kill()
        cloud.start()
    for writer in writers:
        writer.stopping.set()
        writer.join(30)

    iot = cloud.session().client("iot")
    there = {thing["thingName"] for page in iot.get_paginator("list_things").paginate() for thing in page["things"]}
    cloud.stop()
    expected = {name for writer in writers for name in writer.acknowledged}
    assert expected
    assert expected <= there


def test_an_edge_starts_and_ends_cleanly_many_times(tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path, "--no-console", "--bind=127.0.0.1", "--host=localhost")
    claim = bench_cloud.set_up(cloud.session(), cloud.ready["region"], cloud.ready["account"])
    data: Any = cloud.session().client("iot-data")
    root = bench_cloud.write_site(cloud, tmp_path / "site", "site", claim)

    for _ in range(RESTARTS):
        with bench_cloud.edge(root):
            bench_cloud.until(lambda: bench_cloud.connected(data, "site"))
        bench_cloud.until(lambda: not bench_cloud.connected(data, "site"))

    principals = cloud.session().client("iot").list_thing_principals(thingName="site")["principals"]
    cloud.stop()
    assert len(principals) == 1
