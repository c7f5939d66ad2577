"""An edge as a process of its own, against a scripted cloud: functions, a switch, SIGKILL and SIGTERM."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hedgerow.functions import can_confine
from tests.unit.edge.enrolling import accept_enrolments, configuration_text
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki
from tests.unit.edge.plane import Plane, document, lambda_recipe, serving, zipped

pytestmark = pytest.mark.slow

JOBS = "$aws/things/site-1/jobs"
NEXT = f"{JOBS}/$next/namespace-aws-gg-deployment/get"
SHADOW = "$aws/things/site-1/shadow/name/AWSManagedGreengrassV2Deployment"
HEALTH = "$aws/things/site-1/greengrassv2/health/json"
APP = """
import json, os, socket
def opened(path):
    try:
        with open(path) as file:
            return bool(file.read())
    except OSError:
        return False
def answers(path):
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0
seen = [opened(place) for place in os.environ.get("PLACES", "").split(",") if place]
ipc = answers(os.environ["AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"])
said = {"release": RELEASE, "pid": os.getpid(), "environment": dict(os.environ), "seen": seen, "ipc": ipc}
print(json.dumps(said), flush=True)
def handler(event, context):
    print("event", event["n"], flush=True)
"""


class Cloud:
    """The scripted cloud, both its sides, with one job that can be queued."""

    def __init__(self, peer: Peer, plane: Plane) -> None:
        self.peer = peer
        self.plane = plane
        self.job: dict[str, Any] = {}
        peer.answers[NEXT] = lambda topic, _: [(f"{topic}/accepted", {"timestamp": 1, "execution": dict(self.job)})]
        peer.answers[f"{JOBS}/+/namespace-aws-gg-deployment/update"] = self._updated
        peer.answers[f"{SHADOW}/get"] = lambda topic, _: [(f"{topic}/rejected", {"code": 404})]
        peer.answers[f"{SHADOW}/update"] = lambda topic, body: [(f"{topic}/accepted", body)]

    def _updated(self, topic: str, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        if body["status"] != "IN_PROGRESS":
            self.job.clear()
        return [(f"{topic}/accepted", {"timestamp": 1})]

    def release(self, number: int, **configuration: Any) -> None:
        code = zipped(app__py=APP.replace("RELEASE", str(number)))
        self.plane.add(lambda_recipe("radio", f"{number}.0.0", code, **configuration), code)

    def queue(self, number: int, components: dict[str, Any]) -> None:
        said = document(number, components, target="thinggroup/G")
        self.job.update({"jobId": f"j{number}", "queuedAt": number, "status": "QUEUED", "jobDocument": said})
        listed = {"timestamp": 1, "jobs": {"QUEUED": [{"jobId": f"j{number}"}]}}
        self.peer.publish(f"{JOBS}/notify-namespace-aws-gg-deployment", listed)

    def statuses(self, number: int) -> list[str]:
        topic = f"{JOBS}/j{number}/namespace-aws-gg-deployment/update"
        return [json.loads(payload)["status"] for one, payload in self.peer.messages if one == topic]

    def health(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload in self.peer.messages if topic == HEALTH]


@asynccontextmanager
async def cloud(pki: Pki) -> AsyncIterator[Cloud]:
    context = pki.listener()
    context.verify_mode = ssl.CERT_OPTIONAL
    plane = Plane()
    plane.groups = ["G"]
    async with running(pki.listener()) as peer:
        with serving(context, plane):
            yield Cloud(peer, plane)


class Process:
    """The edge's process."""

    def __init__(self, root: Path, pki: Pki, cloud: Cloud) -> None:
        self.root = root
        self._cloud = cloud
        self._config = root.parent / "config.yaml"
        text = configuration_text(pki, cloud.peer.port)
        ports = f"localhost:{cloud.plane.port}\n      greengrassDataPlanePort: {cloud.plane.port}"
        self._config.write_text(
            text.replace(f"iotCredEndpoint: localhost:{cloud.peer.port}", f"iotCredEndpoint: {ports}")
        )
        self.popen = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = "from hedgerow.cli.edge import app; app()"
        arguments = ["run", "--root", str(self.root), "--init-config", str(self._config)]
        with (self.root.parent / "stderr").open("ab") as said:
            return subprocess.Popen([sys.executable, "-c", command, *arguments], stderr=said)

    async def online(self, connects: int) -> None:
        peer = self._cloud.peer
        await peer.until(
            lambda: len([one for one in peer.connects if one.client_id == "site-1"]) >= connects and peer.clients,
            within_s=20,
        )

    def again(self) -> None:
        self.popen = self._start()

    async def end(self, number: int) -> int:
        self.popen.send_signal(number)
        async with asyncio.timeout(10):
            while self.popen.poll() is None:
                await asyncio.sleep(0.01)
        return self.popen.returncode

    @property
    def said(self) -> str:
        return (self.root.parent / "stderr").read_text()

    def starts(self) -> list[dict[str, Any]]:
        log = self.root / "logs" / "radio.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line.partition(" ")[2]) for line in lines if '"release"' in line]


@asynccontextmanager
async def edge(tmp_path: Path, pki: Pki, one: Cloud) -> AsyncIterator[Process]:
    process = Process(tmp_path / "edge", pki, one)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait(10)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.spec("JB-55", "BS-48", "AL-06", "JB-82g")
def test_two_releases_a_kill_and_a_clean_end(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with cloud(pki) as one:
            requests = accept_enrolments(one.peer, pki)
            one.release(1, pubsubTopics={"0": {"topic": "do/it", "type": "IOT_CORE"}})
            one.release(2)
            async with edge(tmp_path, pki, one) as process:
                await process.online(1)
                one.queue(1, {"radio": {"version": "1.0.0"}})
                await one.peer.until(lambda: "SUCCEEDED" in one.statuses(1), within_s=20)
                one.peer.publish("do/it", {"n": 41})
                await one.peer.until(lambda: "event 41" in (process.root / "logs/radio.log").read_text())
                one.queue(2, {"radio": {"version": "2.0.0"}})
                await one.peer.until(lambda: "SUCCEEDED" in one.statuses(2), within_s=20)
                first, second = process.starts()
                assert (first["release"], second["release"]) == (1, 2)
                assert not is_alive(first["pid"])
                assert len(one.peer.connects) == 2, "the connection was lost during the switch"

                await process.end(signal.SIGKILL)
                await one.peer.until(lambda: not is_alive(second["pid"]))
                one.plane.down = True
                process.again()
                await process.online(2)
                await one.peer.until(lambda: len(process.starts()) == 3, within_s=20)
                third = process.starts()[-1]
                assert third["release"] == 2
                assert len(requests) == 1, "it enrolled again"

                assert await process.end(signal.SIGTERM) == 0
                assert not is_alive(third["pid"])
                assert process.said.count("enrolled as") == 1

    asyncio.run(scenario())


@pytest.mark.spec("JB-82e")
def test_the_functions_environment_has_the_cores_variables_and_nothing_of_hedgerow(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with cloud(pki) as one:
            accept_enrolments(one.peer, pki)
            one.release(1, lambdaExecutionParameters={"EnvironmentVariables": {"COLOUR": "red"}})
            async with edge(tmp_path, pki, one) as process:
                await process.online(1)
                one.queue(1, {"radio": {"version": "1.0.0"}})
                await one.peer.until(lambda: process.starts(), within_s=20)
                environment = process.starts()[0]["environment"]

        assert environment["AWS_IOT_THING_NAME"] == "site-1"
        assert environment["COLOUR"] == "red"
        assert environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == environment["SVCUID"]
        assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith("http://localhost:")
        assert environment["GG_ROOT_CA_PATH"] == str(pki.root_ca)
        assert not [name for name in environment if "HEDGEROW" in name.upper()]
        assert not [name for name in environment if name in os.environ and name not in ("PATH", "LANG", "HOME", "TZ")]

    asyncio.run(scenario())


@pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock")
@pytest.mark.spec("JB-82")
def test_a_function_in_a_container_sees_what_it_was_given_and_reaches_its_core(tmp_path: Path, pki: Pki) -> None:
    given, other = tmp_path / "given", tmp_path / "other"
    for folder in (given, other):
        folder.mkdir()
        (folder / "file").write_text("x")
    volume = {"sourcePath": str(given), "destinationPath": str(given), "permission": "ro"}

    async def scenario() -> None:
        async with cloud(pki) as one:
            accept_enrolments(one.peer, pki)
            places = [given / "file", pki.root_ca, other / "file", tmp_path / "config.yaml"]
            one.release(
                1,
                containerMode="GreengrassContainer",
                containerParams={"volumes": {"0": volume}},
                lambdaExecutionParameters={"EnvironmentVariables": {"PLACES": ",".join(map(str, places))}},
            )
            async with edge(tmp_path, pki, one) as process:
                await process.online(1)
                one.queue(1, {"radio": {"version": "1.0.0"}})
                await one.peer.until(lambda: process.starts(), within_s=20)
                start = process.starts()[0]

        assert start["seen"] == [True, True, False, False]
        assert start["ipc"]

    asyncio.run(scenario())


def test_a_second_edge_on_the_folder_is_refused_and_the_first_runs_on(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with cloud(pki) as one:
            accept_enrolments(one.peer, pki)
            async with edge(tmp_path, pki, one) as process:
                await process.online(1)
                command = "from hedgerow.cli.edge import app; app()"
                second = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", command, "run", "--root", str(process.root)), stderr=asyncio.subprocess.PIPE
                )
                _, said = await second.communicate()

                assert second.returncode == 2
                assert said.decode().count("\n") == 1
                assert f"another edge (process {process.popen.pid}) runs on" in said.decode()
                assert process.popen.poll() is None

    asyncio.run(scenario())


def test_status_reports_are_numbered_on_over_restarts_and_tell_what_is_installed(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with cloud(pki) as one:
            accept_enrolments(one.peer, pki)
            one.release(1)
            async with edge(tmp_path, pki, one) as process:
                await process.online(1)
                one.queue(1, {"radio": {"version": "1.0.0"}})
                await one.peer.until(
                    lambda: any(body["trigger"] == "THING_GROUP_DEPLOYMENT" for body in one.health()), within_s=20
                )
                await process.end(signal.SIGTERM)
                before = len(one.health())
                process.again()
                await one.peer.until(lambda: len(one.health()) > before, within_s=20)

        bodies = one.health()
        numbers = [body["sequenceNumber"] for body in bodies]
        assert numbers == sorted(set(numbers))
        assert bodies[0]["trigger"] == "NUCLEUS_LAUNCH"
        ended = next(body for body in bodies if body["trigger"] == "THING_GROUP_DEPLOYMENT")
        assert ended["deploymentInformation"]["status"] == "SUCCEEDED"
        component = ended["components"][0]
        assert (component["componentName"], component["version"], component["status"]) == ("radio", "1.0.0", "RUNNING")
        assert component["isRoot"] is True
        assert bodies[-1]["trigger"] == "NUCLEUS_LAUNCH"
        assert [each["componentName"] for each in bodies[-1]["components"]] == ["radio"]

    asyncio.run(scenario())


@pytest.mark.spec("JB-79")
def test_a_release_that_cannot_start_is_rolled_back_and_the_old_one_runs_on(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with cloud(pki) as one:
            accept_enrolments(one.peer, pki)
            one.release(1)
            bad = zipped(app__py="import not_there")
            one.plane.add(lambda_recipe("radio", "2.0.0", bad), bad)
            async with edge(tmp_path, pki, one) as process:
                await process.online(1)
                one.queue(1, {"radio": {"version": "1.0.0"}})
                await one.peer.until(lambda: "SUCCEEDED" in one.statuses(1), within_s=20)
                one.queue(2, {"radio": {"version": "2.0.0"}})
                await one.peer.until(lambda: "FAILED" in one.statuses(2), within_s=30)

                assert process.starts()[-1]["release"] == 1
                assert is_alive(process.starts()[-1]["pid"])
                assert "not_there" in process.said

    asyncio.run(scenario())


def test_an_edge_that_is_killed_twice_while_it_deploys_ends_with_the_new_release_once(tmp_path: Path, pki: Pki) -> None:
    async def scenario() -> None:
        async with cloud(pki) as one:
            accept_enrolments(one.peer, pki)
            one.release(1)
            one.release(2)
            async with edge(tmp_path, pki, one) as process:
                await process.online(1)
                one.queue(1, {"radio": {"version": "1.0.0"}})
                await one.peer.until(lambda: "SUCCEEDED" in one.statuses(1), within_s=20)
                one.queue(2, {"radio": {"version": "2.0.0"}})
                for life, moment_s in enumerate((0.02, 0.4), start=2):
                    await asyncio.sleep(moment_s)
                    await process.end(signal.SIGKILL)
                    await one.peer.until(lambda: not [each for each in process.starts() if is_alive(each["pid"])])
                    process.again()
                    await process.online(life)
                await one.peer.until(lambda: "SUCCEEDED" in one.statuses(2), within_s=30)
                alive = [each["release"] for each in process.starts() if is_alive(each["pid"])]

        assert alive == [2]
        assert one.statuses(2).count("SUCCEEDED") == 1

    asyncio.run(scenario())
