"""A driver whose instances are scripts of the test: they speak the Runtime API by real connections and fail at will."""

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hedgerow.functions import FunctionSpec, Runtimes
from hedgerow.functions.process import Command
from hedgerow.functions.runtimes import Launch

PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True)
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Runtime:
    """What a script has: the Runtime API of its instance, its environment, its output, and a way to end."""

    def __init__(self, environment: Mapping[str, str], output: int) -> None:
        self.environment = environment
        self._output = output
        self.stopped = asyncio.Event()

    async def call(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Got:
        """Make one call on a connection of its own."""
        head = {"Host": "runtime", "Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        return await self.raw("\r\n".join(lines).encode() + body)

    async def raw(self, data: bytes) -> Got:
        host, _, port = self.environment["AWS_LAMBDA_RUNTIME_API"].partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=8 * 1024 * 1024)
        try:
            writer.write(data)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            return Got(int(head[0].split()[1]), headers, body)
        finally:
            writer.close()

    async def next(self) -> Got:
        return await self.call("GET", f"{PREFIX}/invocation/next")

    async def respond(self, got: Got, body: bytes, headers: Mapping[str, str] | None = None) -> Got:
        request_id = got.headers["lambda-runtime-aws-request-id"]
        return await self.call("POST", f"{PREFIX}/invocation/{request_id}/response", body, headers)

    async def fail(self, got: Got, kind: str, message: str) -> Got:
        request_id = got.headers["lambda-runtime-aws-request-id"]
        body = json.dumps({"errorMessage": message, "errorType": kind}).encode()
        return await self.call("POST", f"{PREFIX}/invocation/{request_id}/error", body)

    def write(self, text: str) -> None:
        os.write(self._output, text.encode())


Script = Callable[[Runtime], Awaitable[int | None]]


async def echo(runtime: Runtime) -> int:
    """Answer every event with itself, for ever."""
    while True:
        got = await runtime.next()
        await runtime.respond(got, got.body)


class FakeProcess:
    def __init__(self, pid: int, script: Script, runtime: Runtime, output: int, *, ignores_term: bool) -> None:
        self.pid = pid
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.signals: list[int] = []
        self._output = output
        self._ignores_term = ignores_term
        self._runtime = runtime
        self._task = asyncio.get_running_loop().create_task(self._run(script))

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGKILL or not self._ignores_term:
            self._task.cancel()
            self._end(-number)

    def owns(self, client: tuple[str, int], server: tuple[str, int]) -> bool:
        return True  # it lives in this very process

    async def _run(self, script: Script) -> None:
        try:
            self._end(await script(self._runtime) or 0)
        except asyncio.CancelledError:
            return
        except (OSError, EOFError, asyncio.IncompleteReadError):
            self._end(1)

    def _end(self, status: int) -> None:
        if not self.exited.done():
            os.close(self._output)
            self.exited.set_result(status)


@dataclass
class FakeDriver:
    """Starts one script after the other; the last one serves all later starts."""

    scripts: list[Script] = field(default_factory=lambda: [echo])
    ignores_term: bool = False
    started: list[FakeProcess] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    async def start(
        self, command: Command, *, environment: Mapping[str, str], folder: Path, memory_mb: int, output: int
    ) -> FakeProcess:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        mine = os.dup(output)
        runtime = Runtime(environment, mine)
        process = FakeProcess(10_000_000 + len(self.started), script, runtime, mine, ignores_term=self.ignores_term)
        self.started.append(process)
        self.environments.append(environment)
        return process

    def unenforced(self) -> tuple[str, ...]:
        return ("everything",)

    def give_folder(self, folder: Path) -> None:
        return

    def recover(self) -> int:
        return 0


class FakeRuntimes(Runtimes):
    """A host that has everything."""

    def __init__(self) -> None:
        super().__init__(Path("/nonexistent"))

    def available(self) -> dict[str, str]:
        return {"python3.11": "/nonexistent/python"}

    def launch(self, spec: FunctionSpec) -> Launch:
        self.require(spec.runtime)
        return Launch(command=Command(argv=("script",)), environment={})


def spec(tmp_path: Path, **changes: Any) -> FunctionSpec:
    values: dict[str, Any] = {
        "arn": "arn:aws:lambda:eu-central-1:123456789012:function:f:1",
        "name": "f",
        "version": "1",
        "code": tmp_path,
        "handler": "app.handler",
        "runtime": "python3.11",
        "region": "eu-central-1",
        "working_folder": tmp_path / "work",
        "timeout_s": 5.0,
        **changes,
    }
    return FunctionSpec(**values)
