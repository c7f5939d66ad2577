"""Real interpreters in real processes, with AWS's client and with ours: what a function sees, and how it ends."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.clock import SystemClock
from hedgerow.base.ids import RandomIds
from hedgerow.functions import FunctionSpec, LogLine, Outcome, Pool, ProcessDriver, Runtimes, State
from hedgerow.functions.peers import can_tell
from tests.support.functions import spec

pytestmark = pytest.mark.slow

RUNTIME = f"python3.{sys.version_info.minor}"
CODE = """
import json, logging, os, subprocess, sys, threading, urllib.request

COUNT = 0

def files():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink("/proc/self/fd/" + name))
        except OSError:
            pass  # the one that lists
    return found

def surroundings(event, context):
    return {"env": dict(os.environ), "path": sys.path, "files": files(),
            "group": os.getpgrp() == os.getpid(), "privileges": open("/proc/self/status").read()}

def hedgerow(event, context):
    import hedgerow

def context(event, context):
    return {"custom": context.client_context.custom, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "left": context.get_remaining_time_in_millis(), "name": context.function_name,
            "version": context.function_version, "memory": context.memory_limit_in_mb,
            "group": context.log_group_name}

def count(event, context):
    global COUNT
    COUNT += 1
    return COUNT

def boom(event, context):
    raise KeyError("boom")

def unserialisable(event, context):
    return object()

def raw(event, context):
    return bytes(reversed(event))

def say(event, context):
    print("printed")
    logging.getLogger().warning("logged")
    sys.stdout.write("no newline")

def leave(event, context):
    os._exit(3)

def hungry(event, context):
    return len(bytearray(1024 * 1024 * 1024))

def child(event, context):
    return subprocess.Popen(["sleep", "60"]).pid

def pid(event, context):
    return os.getpid()

def address(event, context):
    return os.environ["AWS_LAMBDA_RUNTIME_API"]

def thief(event, context):
    try:
        return urllib.request.urlopen(f"http://{event}/2018-06-01/runtime/invocation/next", timeout=5).read().decode()
    except ConnectionResetError:
        return "cut off"

def by_a_child(event, context):
    path = "/2018-06-01/runtime/nothing"
    code = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
    url = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + path
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True)
    return done.stderr.splitlines()[-1]
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "app.py").write_text(CODE)
    (folder / "broken.py").write_text("def f(:\n")
    (folder / "bootstrap").write_text("#!/bin/sh\nexit 4\n")
    (folder / "bootstrap").chmod(0o755)
    return folder


class Host:
    def __init__(self, folder: Path, code: Path, *, aws_client: bool = True, **options: Any) -> None:
        self.folder, self.code = folder, code
        self.lines: list[LogLine] = []
        self.runtimes = Runtimes(folder / "runtimes", aws_client=aws_client)
        self.pool = Pool(
            driver=options.pop("driver", None) or ProcessDriver(handles=folder / "handles"),
            runtimes=self.runtimes,
            clock=SystemClock(),
            ids=RandomIds(),
            on_log=lambda _, line: self.lines.append(line),
            **options,
        )

    def spec(self, name: str, **changes: Any) -> FunctionSpec:
        values = {
            "arn": f"arn:aws:lambda:eu-central-1:123456789012:function:{name}:1",
            "handler": f"app.{name}",
            "code": self.code,
            "name": name,
            "runtime": RUNTIME,
            "timeout_s": 10.0,
            **changes,
        }
        return spec(self.folder, **values)

    async def run(self, name: str, payload: Any = None, **changes: Any) -> Outcome:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return await self.pool.invoke(self.spec(name, **changes), data)


@pytest.fixture(params=["awslambdaric", "our own client"])
def host(request: pytest.FixtureRequest, tmp_path: Path, code: Path) -> Host:
    return Host(tmp_path, code, aws_client=request.param == "awslambdaric")


async def test_a_function_sees_nothing_of_hedgerow(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_DATA", "/secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "src"))
    async with host.pool:
        seen = json.loads((await host.run("surroundings", environment={"MINE": "1"})).payload)
        outcome = await host.run("hedgerow")

    assert outcome.error_type == "ModuleNotFoundError"
    assert json.loads(outcome.payload)["errorMessage"] == "No module named 'hedgerow'"
    assert seen["env"]["MINE"] == "1"
    assert not [name for name in seen["env"] if name.startswith("HEDGEROW") or "SECRET" in name]
    assert not [path for path in seen["path"] if "site-packages" in path or "hedgerow/" in path]
    assert {file for file in seen["files"] if file.startswith("/") and not file.startswith("/proc/")} == {"/dev/null"}
    assert seen["group"]
    assert "NoNewPrivs:\t1" in seen["privileges"]


async def test_a_function_gets_the_context_object_that_it_would_get_on_aws(host: Host) -> None:
    async with host.pool:
        outcome = await host.pool.invoke(
            host.spec("context"),
            b"{}",
            client_context=b'{"custom": {"subject": "a/b"}}',
            request_id="r-1",
            invoked_arn="arn:aws:lambda:eu-central-1:123456789012:function:context:live",
        )

    seen = json.loads(outcome.payload)
    assert 0 < seen.pop("left") <= 10_000
    assert seen == {
        "custom": {"subject": "a/b"},
        "id": "r-1",
        "arn": "arn:aws:lambda:eu-central-1:123456789012:function:context:live",
        "name": "context",
        "version": "1",
        "memory": "128",
        "group": "/aws/lambda/context",
    }


@pytest.mark.spec("JB-54")
async def test_globals_live_from_one_event_to_the_next(host: Host) -> None:
    async with host.pool:
        answers = [(await host.run("count")).payload for _ in range(3)]

    assert answers == [b"1", b"2", b"3"]


async def test_errors_have_the_form_that_they_have_on_aws(host: Host) -> None:
    async with host.pool:
        boom = json.loads((await host.run("boom")).payload)
        unserialisable = await host.run("unserialisable")

    assert (boom["errorType"], boom["errorMessage"]) == ("KeyError", "'boom'")
    assert 'raise KeyError("boom")' in boom["stackTrace"][0]
    assert unserialisable.error_type == "Runtime.MarshalError"


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("app.nothing", "Runtime.HandlerNotFound"),
        ("nothing.handler", "Runtime.ImportModuleError"),
        ("broken.f", "Runtime.UserCodeSyntaxError"),
        ("nodot", "Runtime.MalformedHandlerName"),
        ("sys.exit", "Runtime.BuiltInModuleConflict"),
    ],
)
async def test_a_handler_that_cannot_be_loaded_is_named(host: Host, handler: str, expected: str) -> None:
    async with host.pool:
        outcome = await host.run("f", handler=handler)

    assert (outcome.error, outcome.error_type) == ("Unhandled", expected)


@pytest.mark.spec("JB-82d")
async def test_bytes_go_in_and_out_as_they_are(host: Host) -> None:
    async with host.pool:
        outcome = await host.run("raw", b"\x00\x01\xff", input_type="binary")

    assert outcome.payload == b"\xff\x01\x00"


async def test_what_a_function_writes_is_in_its_log_before_the_end(host: Host) -> None:
    async with host.pool:
        outcome = await host.run("say")

    lines = outcome.log_tail.decode().splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert "printed" in lines
    assert any(line.startswith("[WARNING]\t") and line.endswith("\tlogged") for line in lines)
    assert lines[-1].startswith("REPORT RequestId: ")
    assert {line.group for line in host.lines} == {"/aws/lambda/say"}


async def test_a_process_that_leaves_is_replaced(host: Host) -> None:
    async with host.pool:
        outcome = await host.run("leave")
        again = await host.run("leave", handler="app.count")

    assert json.loads(outcome.payload)["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert again.payload == b"1"


@pytest.mark.spec("JB-82f")
async def test_memory_is_bounded(host: Host) -> None:
    async with host.pool:
        outcome = await host.run("hungry")

    assert outcome.error_type == "MemoryError"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(10):
        while alive(pid):
            await asyncio.sleep(0.01)


async def test_what_a_function_started_ends_with_it(tmp_path: Path, code: Path) -> None:
    host = Host(tmp_path, code)
    async with host.pool:
        child = int((await host.run("child")).payload)
        assert alive(child)

    await gone(child)
    assert os.listdir(tmp_path / "handles") == []


@pytest.mark.spec("JB-54")
async def test_a_custom_runtime_is_its_bootstrap(tmp_path: Path, code: Path) -> None:
    host = Host(tmp_path, code)
    async with host.pool:
        ended = await host.run("f", runtime="provided.al2023")
        missing = await host.run("g", runtime="provided", code=tmp_path)

    assert json.loads(ended.payload)["errorMessage"].endswith("exit status 4")
    assert missing.error_type == "Runtime.InvalidEntrypoint"


NODE = (
    subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    if shutil.which("node")
    else ""
)
NODE_RUNTIME = f"nodejs{NODE.lstrip('v').partition('.')[0]}.x"
NODE_CODE = """
exports.handler = async (event, context) => {
  console.log("got", event);
  if (event.fail) throw new TypeError("asked for");
  if (event.never) await new Promise(() => {});
  return { event, name: context.functionName, subject: context.clientContext?.custom?.subject };
};
exports.callback = (event, context, callback) => setTimeout(() => callback(null, event.n + 1), 1);
exports.nothing = () => {};
exports.late = async () => { setTimeout(() => { throw new Error("late"); }, 1); await new Promise(() => {}); };
"""


@pytest.mark.skipif(not NODE, reason="Debian's package nodejs is not installed")
@pytest.mark.spec("JB-54")
async def test_node_functions_run(tmp_path: Path) -> None:
    (tmp_path / "index.js").write_text(NODE_CODE)
    host = Host(tmp_path, tmp_path)

    async def run(name: str, payload: bytes) -> Outcome:
        spec = host.spec(name, runtime=NODE_RUNTIME, handler=f"index.{name}")
        return await host.pool.invoke(spec, payload, client_context=b'{"custom": {"subject": "a"}}')

    async with host.pool:
        good = await run("handler", b'{"a": 1}')
        failed = await run("handler", b'{"fail": true}')
        never = await run("handler", b'{"never": true}')
        callback = await run("callback", b'{"n": 1}')
        nothing = await run("nothing", b"{}")
        late = await run("late", b"{}")
        missing = await run("missing", b"{}")

    assert json.loads(good.payload) == {"event": {"a": 1}, "name": "handler", "subject": "a"}
    assert "INFO\tgot { a: 1 }" in good.log_tail.decode()
    assert (failed.error, failed.error_type) == ("Unhandled", "TypeError")
    assert json.loads(failed.payload)["trace"][0] == "TypeError: asked for"
    assert never.error_type == "Runtime.NodeJsExit"
    assert (callback.payload, nothing.payload) == (b"2", b"null")
    assert (late.error_type, json.loads(late.payload)["errorMessage"]) == ("Error", "late")
    assert missing.error_type == "Runtime.HandlerNotFound"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start processes of other users")
async def test_an_instance_runs_as_the_user_that_the_driver_was_given() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "bootstrap").write_text('#!/bin/sh\nid -u\nid -g\ntouch "$TMPDIR/mine"\nexit 4\n')
        (folder / "bootstrap").chmod(0o755)
        (folder / "work").mkdir(mode=0o755)
        driver = ProcessDriver(uid=65534)
        host = Host(folder, folder, driver=driver)
        async with host.pool:
            outcome = await host.run("f", runtime="provided")

    assert outcome.log_tail == b"65534\n65534\n"
    assert not [gap for gap in driver.unenforced() if "own user" in gap]


async def test_without_a_user_of_its_own_it_is_said_that_a_function_can_read_our_secrets() -> None:
    (gap,) = [gap for gap in ProcessDriver().unenforced() if "own user" in gap]

    assert "secrets" in gap


@pytest.mark.skipif(not can_tell(), reason="this kernel does not tell whose a socket is")
async def test_events_are_for_the_instance_and_what_it_has_started(host: Host) -> None:
    async with host.pool:
        address = json.loads((await host.run("address")).payload)
        stolen = json.loads((await host.run("thief", address)).payload)
        child = json.loads((await host.run("by_a_child")).payload)
        again = json.loads((await host.run("address")).payload)

    assert stolen == "cut off"
    assert "HTTP Error 404" in child
    assert again == address


async def test_where_nobody_can_tell_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.functions.process.can_tell", lambda: False)

    assert [gap for gap in ProcessDriver().unenforced() if "can take a function's events" in gap]


@pytest.mark.spec("JB-82c")
async def test_a_kept_function_that_is_killed_comes_back(tmp_path: Path, code: Path) -> None:
    host = Host(tmp_path, code)
    async with host.pool:
        kept = await host.pool.keep(host.spec("pid", pinned=True))
        first = int((await kept.invoke(b"{}")).payload)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(10):
            while kept.state.state is not State.ERRORED:
                await asyncio.sleep(0.005)
        cause = kept.state.cause
        second = int((await kept.invoke(b"{}")).payload)

    assert second != first
    assert cause == "the process ended"


HOST_PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from tests.unit.functions.test_real_workers import Host

async def main():
    host = Host(Path(sys.argv[1]), Path(sys.argv[2]))
    async with host.pool:
        pid = (await host.run("pid")).payload.decode()
        child = (await host.run("child")).payload.decode()
        print(pid, child, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_when_we_are_killed_nothing_stays_behind(tmp_path: Path, code: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOST_PROGRAM, str(tmp_path), str(code)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        pid, child = (int(part) for part in process.stdout.readline().split())
        process.kill()
    asyncio.run(gone(pid))

    ended = ProcessDriver(handles=tmp_path / "handles").recover()

    assert ended == 1  # the group whose leader died with us and whose child did not
    asyncio.run(gone(child))
    assert os.listdir(tmp_path / "handles") == []
