"""Where the cloud's functions run: the port `Workers` of `services/lambda_`, filled with a pool of worker processes.

Packages are unpacked from blobs at first use, instances get credentials of their function's role, what they write
goes to their log group. Bounds: LINES log lines wait for the database; what comes then is dropped and counted, and a
line says so.
"""

import asyncio
import io
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from itertools import groupby
from pathlib import Path
from typing import Final, Protocol, Self

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError, ServiceError, Unavailable
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.arn import parse
from hedgerow.functions import (
    Driver,
    FunctionSpec,
    Grant,
    LogLine,
    PackageRefused,
    Pool,
    RuntimeNotHere,
    Runtimes,
    Stopped,
    TooBusy,
    check,
    unpack,
)
from hedgerow.services.lambda_.functions import Invoked, NotRunnable, ServiceFailed, Throttled, Version
from hedgerow.store import Answer, Run, Tx

log = get_logger("lambda")

LINES: Final = 50_000
LINES_AT_ONCE: Final = 1000
FLUSH_S: Final = 0.2
LAST_FLUSH_S: Final = 5.0

GrantFor = Callable[[str, str, str, str], Awaitable[Grant]]
"""Answers what an instance gets: of which account, in which role (ARN), under which name, for which function (ARN)."""


class Files(Protocol):
    """Where packages are as files."""

    def path(self, account: str, digest: str) -> Path: ...


class Logs(Protocol):
    """Where log lines are kept."""

    def append(self, tx: Tx, account: str, group: str, stream: str, messages: Iterable[tuple[int, str]]) -> None:
        """Add events (milliseconds since the epoch, text); group and stream are made when absent."""
        ...


class CloudWorkers:
    """Use as `async with CloudWorkers(…)`; leaving it ends every instance and writes the last log lines."""

    def __init__(
        self,
        *,
        folder: Path,
        run: Run,
        files: Files,
        logs: Logs,
        grant_for: GrantFor,
        driver: Driver,
        clock: Clock,
        ids: Ids,
        max_instances: int = 10,
        copy_runtimes: bool = False,
    ) -> None:
        self._folder = folder
        self._run = run
        self._files = files
        self._logs = logs
        self._grant_for = grant_for
        self._max_instances = max_instances
        self._roles: dict[str, tuple[str, str]] = {}  # account and role of the functions that have instances
        self._lines: deque[tuple[str, LogLine]] = deque()
        self._dropped = 0
        self._ended = asyncio.Event()
        self._stack = AsyncExitStack()
        self.pool = Pool(
            driver=driver,
            runtimes=Runtimes(folder / "runtimes", copy=copy_runtimes),
            clock=clock,
            ids=ids,
            on_log=self._take_line,
            grant=self._grant,
        )

    async def __aenter__(self) -> Self:
        tasks = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._stack.callback(self._ended.set)
        await self._stack.enter_async_context(self.pool)
        tasks.create_task(self._keep_lines())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def check_package(self, data: bytes) -> str | None:
        try:
            await asyncio.to_thread(check, io.BytesIO(data))
        except PackageRefused as error:
            return str(error)
        return None

    async def refusal(self, runtime: str) -> str:
        try:
            await self.pool.require_runtime(runtime)
        except RuntimeNotHere as error:
            return f"{error}; it can be deployed to cores that have it"
        return ""

    async def invoke(
        self, version: Version, payload: bytes, *, request_id: str, invoked_arn: str, client_context: bytes | None
    ) -> Invoked:
        try:
            spec = await self._spec(version)
            done = await self.pool.invoke(
                spec, payload, client_context=client_context, invoked_arn=invoked_arn, request_id=request_id
            )
        except TooBusy as error:
            raise Throttled(str(error)) from error
        except RuntimeNotHere as error:
            raise NotRunnable(str(error)) from error
        except (Stopped, PackageRefused, Unavailable) as error:
            raise ServiceFailed(str(error)) from error
        return Invoked(
            payload=done.payload,
            request_id=done.request_id,
            version=version.version,
            error=done.error,
            error_type=done.error_type,
            log_tail=done.log_tail,
            duration_s=done.duration_s,
        )

    def statistics(self) -> Mapping[str, int]:
        """Answer how many log lines wait, and how many were dropped because the database did not keep up."""
        return {"waiting": len(self._lines), "dropped": self._dropped}

    async def _spec(self, version: Version) -> FunctionSpec:
        await self.pool.require_runtime(version.settings.runtime)
        zip_file = self._files.path(version.account, version.code.digest)
        home = self._folder / "code" / version.account
        package = await asyncio.to_thread(unpack, zip_file, home, digest=version.code.digest)
        self._roles[version.arn] = (version.account, version.settings.role)
        settings = version.settings
        return FunctionSpec(
            arn=version.arn,
            name=version.name,
            version=version.version,
            code=package.folder,
            handler=settings.handler,
            runtime=settings.runtime,
            region=version.region,
            working_folder=self._folder / "work",
            environment=settings.environment or {},
            timeout_s=float(settings.timeout_s),
            memory_mb=settings.memory_mb,
            log_group=settings.log_group,
            max_instances=self._max_instances,
        )

    async def _grant(self, spec: FunctionSpec) -> Grant:
        account, role = self._roles[spec.arn]
        try:
            return await self._grant_for(account, role, spec.name, _function_arn(spec.arn))
        except ServiceError as error:
            raise Unavailable(f"no credentials of {role} for {spec.name}: {error.message}") from error

    def _take_line(self, spec: FunctionSpec, line: LogLine) -> None:
        parsed = parse(spec.arn)
        if parsed is None:
            return
        if len(self._lines) >= LINES:
            self._dropped += 1
            return
        self._lines.append((parsed.account, line))

    async def _keep_lines(self) -> None:
        """Write lines in batches, until the pool has ended and all of them are written."""
        while not (self._ended.is_set() and not self._lines):
            if not self._lines:
                with suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_S):
                        await self._ended.wait()
                continue
            batch = [self._lines.popleft() for _ in range(min(LINES_AT_ONCE, len(self._lines)))]
            try:
                async with asyncio.timeout(LAST_FLUSH_S):
                    await self._run.write(lambda tx, batch=batch: self._append(tx, batch))  # type: ignore[misc]  # a default binds the loop's variable
            except (HedgerowError, TimeoutError):
                self._dropped += len(batch)
                log.warning("log lines of functions were lost", extra={"fields": {"lines": len(batch)}})
            else:
                await asyncio.sleep(0 if self._ended.is_set() else FLUSH_S)

    def _append(self, tx: Tx, batch: list[tuple[str, LogLine]]) -> Answer:
        def place(entry: tuple[str, LogLine]) -> tuple[str, str, str]:
            return entry[0], entry[1].group, entry[1].stream

        for (account, group, stream), entries in groupby(sorted(batch, key=place), key=place):
            messages = [(int(line.at * 1000), line.message) for _, line in entries if line.message]
            if messages:
                self._logs.append(tx, account, group, stream, messages)
        return Answer()


def _function_arn(version_arn: str) -> str:
    """Answer the ARN of the function of which this is a version."""
    return ":".join(version_arn.split(":")[:7])
