"""One instance of a function: its listener, its process, its output, and one invocation at a time.

Leaves to others: when an instance is needed and which work it gets (`pool`). The story of an invocation is
`Worker.invoke`.
"""

import asyncio
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from hedgerow.base.clock import Clock
from hedgerow.functions import environment as environments
from hedgerow.functions.folders import make_passable
from hedgerow.functions.listener import Listener
from hedgerow.functions.model import FunctionSpec, Grant, LogLine, Outcome
from hedgerow.functions.output import OutputPipe, Tail
from hedgerow.functions.peers import Address
from hedgerow.functions.process import Driver, Process, describe_exit, peak_memory_mb
from hedgerow.functions.runtime_api import (
    Answered,
    Event,
    Failed,
    InitFailed,
    Phase,
    Polled,
    RuntimeApi,
    Work,
    error_body,
)
from hedgerow.functions.runtimes import Launch

MIN_INIT_S: Final = 10.0  # AWS gives 10 s, then a second try within the function's timeout; we give the longer of both
REPOLL_S: Final = 10.0  # how long a runtime may take after an answer until it asks for work again
EXIT_AFTER_ANSWER_S: Final = 0.5  # a runtime that posted a failed start ends by itself within this time


class InitError(Exception):
    """An instance did not become ready; `body` is what an invocation that waited for it answers."""

    def __init__(self, body: bytes, error_type: str, cause: str, log_tail: bytes = b"") -> None:
        super().__init__(cause)
        self.log_tail = log_tail
        self.body = body
        self.error_type = error_type


class Worker:
    """Use: `async with Worker(…) as worker`, `await worker.ready()`, then `await worker.invoke(…)`, one at a time."""

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        driver: Driver,
        launch: Launch,
        grant: Grant,
        clock: Clock,
        stream: str,
        scratch: Path,
        on_log: Callable[[FunctionSpec, LogLine], None],
        grace_s: float,
    ) -> None:
        self.spec = spec
        self.grant = grant
        self.init_s: float | None = None
        self._driver = driver
        self._launch = launch
        self._clock = clock
        self._stream = stream
        self._scratch = scratch
        self._on_log = on_log
        self._grace_s = grace_s
        self._api = RuntimeApi(self._happened)
        self._listener = Listener(self._api, is_ours=self._is_ours)
        self._output: OutputPipe | None = None
        self._process: Process | None = None
        self._polled = asyncio.Event()
        self._answer: asyncio.Future[Answered | Failed] | None = None
        self._init_failed: InitFailed | None = None
        self._tail = Tail()
        self._request_id = ""
        self._started_at = 0.0
        self.stopping = False

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop()
        finally:
            self._listener.close()
            if self._output is not None:
                self._output.close()
            await asyncio.to_thread(shutil.rmtree, self._scratch, True)

    @property
    def exited(self) -> "asyncio.Future[int]":
        assert self._process is not None  # noqa: S101  # narrows the type; set in __aenter__
        return self._process.exited

    @property
    def waits_for_work(self) -> bool:
        """Whether the runtime waits for work right now; it may have died a moment ago."""
        return self._api.phase is Phase.READY and not self.exited.done() and not self.stopping

    async def ready(self) -> None:
        """Wait until the runtime asks for work for the first time; raise InitError when it does not."""
        budget = max(MIN_INIT_S, self.spec.timeout_s)
        await self._wait_for_poll(None if self.spec.pinned else budget)
        if self._output is not None:
            self._output.drain()
        if self._init_failed is not None:
            body = self._init_failed.body
            raise InitError(body, self._init_failed.error_type, _first_words(body), self._tail.take())
        if self.exited.done():
            text = describe_exit(self.exited.result(), self._request_id).partition("Error: ")[2]
            body = error_body("Runtime.ExitError", f"Error: {text}")
            raise InitError(body, "Runtime.ExitError", text, self._tail.take())
        if not self._polled.is_set():
            text = f"the runtime asked for no work within {budget:.0f} seconds of its start"
            raise InitError(error_body("Sandbox.Timedout", text), "Sandbox.Timedout", text, self._tail.take())
        self.init_s = self._clock.monotonic() - self._started_at

    async def invoke(
        self, payload: bytes, *, request_id: str, client_context: bytes, invoked_arn: str, init_s: float | None
    ) -> Outcome:
        """Hand one event to the function and wait for its answer, at most the function's timeout.

        Every way it can go wrong is an Outcome with an error. Afterwards the instance may be gone (`usable`).
        """
        self._request_id = request_id
        self._tail.take()
        self._log(f"START RequestId: {request_id} Version: {self.spec.version}")
        self._answer = asyncio.get_running_loop().create_future()
        began = self._clock.monotonic()
        work = Work(
            request_id=request_id,
            payload=payload,
            deadline_ms=int((self._clock.now() + self.spec.timeout_s) * 1000),
            invoked_arn=invoked_arn,
            client_context=client_context,
            content_type="application/json" if self.spec.input_type == "json" else "application/octet-stream",
        )
        self._polled.clear()
        self._listener.deliver(self._api.give(work))
        either: set[asyncio.Future[Any]] = {self._answer, self.exited}
        await asyncio.wait(either, timeout=self.spec.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return self._finish(request_id, self._clock.monotonic() - began, init_s)

    async def usable(self) -> bool:
        """Wait until the runtime asks for work again; False when it has ended or does not."""
        await self._wait_for_poll(REPOLL_S)
        return self.waits_for_work

    async def stop(self) -> None:
        """End the instance: SIGTERM to its group, a grace, SIGKILL. Returns when it has ended; may be called twice."""
        self.stopping = True
        process = self._process
        if process is None or process.exited.done():
            return
        process.send_signal(signal.SIGTERM)
        await asyncio.wait({process.exited}, timeout=self._grace_s)
        if not process.exited.done():
            self.kill()
            await asyncio.wait({process.exited}, timeout=self._grace_s + 5)

    def kill(self) -> None:
        """End the instance at once, with everything that it started."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)

    async def _start(self) -> None:
        make_passable(self._scratch.parent)
        self._scratch.mkdir(mode=0o700)
        self._driver.give_folder(self._scratch)
        await self._listener.open()
        self._output = OutputPipe(self._log)
        self._started_at = self._clock.monotonic()
        self._process = await self._driver.start(
            replace(self._launch.command, scratch=self._scratch, view=self.spec.view),
            environment=self._environment(),
            folder=self.spec.code,
            memory_mb=self.spec.memory_mb,
            output=self._output.descriptor,
        )
        self._output.handed_over()

    def _is_ours(self, client: Address, server: Address) -> bool:
        return self._process is not None and self._process.owns(client, server)

    def _environment(self) -> Mapping[str, str]:
        return environments.build(
            self.spec,
            api=self._listener.address,
            stream=self._stream,
            scratch=str(self._scratch),
            runtime=self._launch.environment,
            granted=self.grant.environment,
        )

    async def _wait_for_poll(self, timeout_s: float | None) -> None:
        async with asyncio.TaskGroup() as group:
            polled = group.create_task(self._polled.wait())
            either: set[asyncio.Future[Any]] = {polled, self.exited}
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            polled.cancel()
        if self._init_failed is not None:
            await asyncio.wait({self.exited}, timeout=EXIT_AFTER_ANSWER_S)

    def _finish(self, request_id: str, duration_s: float, init_s: float | None) -> Outcome:
        if self._output is not None:
            self._output.drain()
        answer = self._answer.result() if self._answer is not None and self._answer.done() else None
        self._answer = None
        if answer is None:
            answer = self._no_answer(request_id)
        memory = peak_memory_mb(self._process.pid) if self._process is not None else 0
        self._log(f"END RequestId: {request_id}")
        self._log(_report(request_id, duration_s, init_s, self.spec.memory_mb, memory))
        failed = isinstance(answer, Failed)
        return Outcome(
            payload=answer.body if isinstance(answer, Failed) else answer.payload,
            request_id=request_id,
            error="Unhandled" if failed else None,
            error_type=answer.error_type if isinstance(answer, Failed) else "",
            content_type="application/json" if isinstance(answer, Failed) else answer.content_type,
            log_tail=self._tail.take(),
            duration_s=duration_s,
            init_s=init_s,
            max_memory_mb=memory,
            version=self.spec.version,
        )

    def _no_answer(self, request_id: str) -> Failed:
        if self.exited.done():
            kind, text = "Runtime.ExitError", describe_exit(self.exited.result(), request_id)
        else:
            self.stopping = True
            self.kill()
            kind = "Sandbox.Timedout"
            text = f"RequestId: {request_id} Error: Task timed out after {self.spec.timeout_s:.2f} seconds"
        self._log(text)
        return Failed(error_body(kind, text), kind)

    def _happened(self, event: Event) -> None:
        match event:
            case Polled():
                self._polled.set()
            case InitFailed():
                self._init_failed = event
                self._polled.set()
            case Answered() | Failed():
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(event)

    def _log(self, message: str) -> None:
        self._tail.add(message)
        line = LogLine(at=self._clock.now(), group=self.spec.group, stream=self._stream, message=message)
        self._on_log(self.spec, line)


def _first_words(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    return text if len(text) <= 500 else f"{text[:500]}…"


def _report(request_id: str, duration_s: float, init_s: float | None, memory_mb: int, used_mb: int) -> str:
    milliseconds = duration_s * 1000
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {milliseconds:.2f} ms",
        f"Billed Duration: {int(-(-milliseconds // 1))} ms",
        f"Memory Size: {memory_mb} MB",
        f"Max Memory Used: {used_mb} MB",
    ]
    if init_s is not None:
        parts.insert(1, f"Init Duration: {init_s * 1000:.2f} ms")
    return "\t".join(parts) + "\t"
