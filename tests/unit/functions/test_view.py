"""What instances see of the file system, tried by real ones. Skipped where the kernel cannot hold them to it."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from hedgerow.functions import ProcessDriver
from hedgerow.functions.launcher import landlock_abi
from hedgerow.functions.view import View, can_confine, system_view
from tests.unit.functions.test_real_workers import Host


def has_own_temporary() -> bool:
    return not any("own /tmp" in gap for gap in ProcessDriver(view=system_view()).unenforced())


pytestmark = pytest.mark.slow

confined = pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock")
private = pytest.mark.skipif(not can_confine() or not has_own_temporary(), reason="this host shares its /tmp")
NODE = shutil.which("node")

CODE = """
import os, signal, socket, subprocess, tempfile

def attempt(what):
    try:
        return what()
    except OSError as error:
        return type(error).__name__

def opened(path, mode="r"):
    with open(path, mode) as file:
        return file.read() if mode == "r" else file.write("x")

def read(event, context):
    return attempt(lambda: opened(event))

def write(event, context):
    return attempt(lambda: opened(event, "w"))

def listed(event, context):
    return attempt(lambda: len(os.listdir(event)) > 0)

def removed(event, context):
    return attempt(lambda: os.remove(event))

def ordinary(event, context):
    import boto3, sqlite3, ssl
    with tempfile.NamedTemporaryFile("w", dir="/tmp") as file:
        file.write("x")
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("x")
    opened(os.devnull, "w")
    return [
        subprocess.run(["sh", "-c", "cat app.py | wc -l"], capture_output=True, text=True).returncode,
        socket.gethostbyname("localhost"),
        opened("/proc/self/comm") != "",
        boto3.client("s3", region_name="eu-central-1").meta.service_model.service_name,
        ssl.create_default_context() is not None,
    ]

def signalled(event, context):
    return attempt(lambda: os.kill(event, 0))

def powers(event, context):
    with open("/proc/self/status") as file:
        return {line.split()[0]: line.split()[1] for line in file if line.startswith("Cap")}
"""
NODE_CODE = """
const fs = require("fs");
exports.read = async (event) => { try { return fs.readFileSync(event, "utf8"); } catch (e) { return e.code; } };
"""


@pytest.fixture
def secrets() -> Iterator[Path]:
    """A folder that no function sees: /tmp, where other tests have theirs, is one that all see."""
    with TemporaryDirectory(dir="/var/tmp") as name:
        (Path(name) / "key.pem").write_text("secret")
        yield Path(name)


def host_beside(secrets: Path, view: View) -> Host:
    """Answer a host whose code, runtimes and scratch folders lie beside the secrets."""
    code = secrets / "code"
    code.mkdir()
    (code / "app.py").write_text(CODE)
    (code / "index.js").write_text(NODE_CODE)
    return Host(secrets / "host", code, driver=ProcessDriver(handles=secrets / "handles", view=view))


@pytest.fixture
def host(secrets: Path) -> Host:
    return host_beside(secrets, system_view())


async def ran(host: Host, name: str, event: Any, **changes: Any) -> Any:
    async with host.pool:
        return json.loads((await host.run(name, event, **changes)).payload)


@confined
@pytest.mark.parametrize("name", ["read", "write", "removed"])
async def test_a_function_cannot_reach_what_lies_beside_its_code(host: Host, secrets: Path, name: str) -> None:
    assert await ran(host, name, str(secrets / "key.pem")) == "PermissionError"
    assert (secrets / "key.pem").read_text() == "secret"


@confined
async def test_a_function_can_list_neither_homes_nor_its_neighbours(host: Host, secrets: Path) -> None:
    async with host.pool:
        found = [
            json.loads((await host.run("listed", str(place))).payload)
            for place in (secrets, "/home", "/root", "/", "/var", "/usr/bin", host.code)
        ]

    assert found == ["PermissionError"] * 5 + [True, True]


@confined
async def test_a_function_cannot_change_its_own_code(host: Host) -> None:
    assert await ran(host, "write", str(host.code / "app.py")) == "PermissionError"


@confined
async def test_a_function_cannot_look_into_its_host(host: Host) -> None:
    assert await ran(host, "read", f"/proc/{os.getpid()}/environ") == "PermissionError"


@confined
@pytest.mark.skipif(landlock_abi() < 6, reason="this kernel does not scope signals")
async def test_a_function_cannot_signal_its_host(host: Host) -> None:
    assert await ran(host, "signalled", os.getpid()) == "PermissionError"


@confined
@pytest.mark.skipif(os.geteuid() != 0, reason="who is not root has no capabilities anyway")
async def test_a_function_of_root_has_none_of_its_powers(host: Host) -> None:
    found = await ran(host, "powers", None)

    assert (int(found["CapEff:"], 16), int(found["CapBnd:"], 16)) == (0, 0)


@confined
async def test_a_function_does_what_functions_do(host: Host) -> None:
    assert await ran(host, "ordinary", None, memory_mb=512, timeout_s=30.0) == [0, "127.0.0.1", True, "s3", True]


@confined
@pytest.mark.skipif(NODE is None, reason="needs Node.js")
async def test_a_function_in_node_is_confined_too(host: Host, secrets: Path) -> None:
    runtime = next(name for name in host.runtimes.available() if name.startswith("nodejs"))
    change = {"runtime": runtime, "handler": "index.read", "timeout_s": 30.0, "memory_mb": 256}
    async with host.pool:
        found = [
            json.loads((await host.run("read", str(place), **change)).payload)
            for place in (secrets / "key.pem", host.code / "index.js")
        ]

    assert found == ["EACCES", NODE_CODE]


@confined
async def test_a_program_of_any_kind_is_confined_too(host: Host, secrets: Path) -> None:
    script = f"#!/bin/sh\ncat {secrets / 'key.pem'} && echo read\necho x > $TMPDIR/mine && echo wrote\nexit 4\n"
    (host.code / "bootstrap").write_text(script)
    (host.code / "bootstrap").chmod(0o755)
    async with host.pool:
        outcome = await host.run("f", runtime="provided")

    assert b"wrote" in outcome.log_tail
    assert b"secret" not in outcome.log_tail
    assert b"read\n" not in outcome.log_tail


@confined
async def test_a_place_that_is_opened_can_be_read(secrets: Path) -> None:
    host = host_beside(secrets, system_view(read=[secrets / "key.pem"]))

    async with host.pool:
        found = [json.loads((await host.run(name, str(secrets / "key.pem"))).payload) for name in ("read", "write")]

    assert found == ["secret", "PermissionError"]


@private
async def test_what_a_function_leaves_in_tmp_is_for_itself(host: Host, tmp_path: Path) -> None:
    mark = Path("/tmp") / f"{tmp_path.name}-of-a-function"
    async with host.pool:
        written = json.loads((await host.run("write", str(mark))).payload)
        found = [json.loads((await host.run(name, str(mark))).payload) for name in ("write", "read")]

    assert (written, found) == (1, [1, "FileNotFoundError"])  # each name is a function of its own
    assert not mark.exists()


@private
async def test_a_function_does_not_see_the_hosts_tmp(host: Host, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("secret")

    assert await ran(host, "read", str(tmp_path / "key.pem")) == "FileNotFoundError"


@private
async def test_a_host_in_tmp_shows_its_functions_what_they_need(tmp_path: Path) -> None:
    host = host_beside(tmp_path, system_view())
    (tmp_path / "key.pem").write_text("secret")
    async with host.pool:
        found = json.loads((await host.run("ordinary", memory_mb=512, timeout_s=30.0)).payload)
        read = json.loads((await host.run("read", str(tmp_path / "key.pem"))).payload)

    assert found == [0, "127.0.0.1", True, "s3", True]
    assert read == "FileNotFoundError"


@private
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start processes of other users")
async def test_another_user_passes_to_what_is_kept_in_tmp() -> None:
    before = os.umask(0o077)
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            (folder / "bootstrap").write_text("#!/bin/sh\nid -u\ncat bootstrap > /tmp/copy && echo copied\nexit 4\n")
            (folder / "bootstrap").chmod(0o755)
            (folder / "work").mkdir()
            (folder / "work").chmod(0o711)
            host = Host(folder / "host", folder, driver=ProcessDriver(uid=65534, view=system_view()))
            async with host.pool:
                outcome = await host.run("f", runtime="provided")
    finally:
        os.umask(before)

    assert outcome.log_tail == b"65534\ncopied\n"


@confined
async def test_where_tmp_is_shared_it_is_said_and_works(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessDriver, "_has_own_temporary", lambda self: False)
    (gap,) = [gap for gap in ProcessDriver(view=system_view()).unenforced() if "/tmp" in gap]

    assert gap.endswith("functions share it")
    assert await ran(host, "ordinary", None, memory_mb=512, timeout_s=30.0) == [0, "127.0.0.1", True, "s3", True]


@private
async def test_a_function_may_have_a_view_of_its_own(secrets: Path) -> None:
    host = Host(secrets / "host", host_beside(secrets, system_view()).code)
    view = system_view(read=[secrets / "key.pem"], write=[Path("/dev/full")], sysfs=False)
    places = [secrets / "key.pem", secrets / "handles", Path("/sys/kernel")]
    async with host.pool:
        open_ = [json.loads((await host.run(name, str(places[1]))).payload) for name in ("listed",)]
        seen = [
            json.loads((await host.run(name, str(place), view=view)).payload)
            for name, place in zip(("read", "listed", "listed"), places, strict=True)
        ]

    assert open_ == [False]  # there, and empty
    assert seen == ["secret", "PermissionError", "PermissionError"]


@confined
def test_secrets_in_an_open_place_are_named(tmp_path: Path, secrets: Path) -> None:
    driver = ProcessDriver(view=View(read=(), write=(tmp_path,)), secrets=[tmp_path / "data", secrets])

    said = [gap for gap in driver.unenforced() if "below" in gap]

    assert said == [f"{tmp_path / 'data'} is below {tmp_path}, which functions see: put it elsewhere"]
    assert not [gap for gap in driver.unenforced() if "its keys and secrets too" in gap]


def test_without_landlock_it_is_said_that_functions_see_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.functions.process.can_confine", lambda: False)

    said = ProcessDriver(view=system_view()).unenforced()

    assert "own view of the file system (needs Linux 5.13 with Landlock)" in said
    assert [gap for gap in said if gap.endswith("its keys and secrets too")]


def test_places_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    view = View(read=(tmp_path, tmp_path / "gone"), write=(Path(sys.executable),))

    argument = view.argument(read=[tmp_path / "x"], scratch=tmp_path)

    assert argument.split("\n") == [f"r{tmp_path}", f"w{sys.executable}", f"w{tmp_path}"]
