"""The work of a registration task: some lines at a time, then the reports.

Each line is registered, reported and passed over in one transaction; a kill at any moment goes on behind the last line
that was done. A line that fails is reported, with what it changed undone, and the task goes on. A step that comes twice
sees that the offset is another one and does nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.base.log import get_logger
from hedgerow.core.caller import Caller, Kind
from hedgerow.services.iot.registration_tasks.model import (
    KEPT_S,
    LINES_OF_A_FILE,
    LONGEST_LINE,
    File,
    Line,
    Report,
    Task,
    entry,
    lines_of,
    parameters_of,
)
from hedgerow.services.iot.registration_tasks.store import FORGOTTEN, STEP, RegistrationTaskStore
from hedgerow.store import Answer, FollowUp, Run, Tx

LINES_OF_A_STEP: Final = 50
_PIECE: Final = LONGEST_LINE + 2

log = get_logger("services.iot.registration_tasks")


class Gone(HedgerowError):
    """Somebody else did this line, or stopped the task."""


class Registrar(Protocol):
    """Registers one device."""

    async def prepare(self, body: str, parameters: Mapping[str, str]) -> Any:
        """Fill the template in and sign what is to be signed; raises a ServiceError."""
        ...

    def device_of(self, body: str, parameters: Mapping[str, str]) -> str | None:
        """Answer the name of the thing that is asked for, None where it cannot be told."""
        ...

    def register(self, tx: Tx, prepared: Any, caller: Caller, *, role_arn: str) -> Answer:
        """Do all of it or raise a ServiceError; answers `certificatePem` and `resourceArns`."""
        ...


class Attempts(Protocol):
    """The record of how devices got their identity."""

    def note(self, tx: Tx, caller: Caller, *, way: str, why_not: str | None, device: str | None) -> None:
        """Write down how an attempt ended: well, or `why_not`."""
        ...


class Files(Protocol):
    """The objects of accounts."""

    async def read(self, account: str, digest: str, begin: int, end: int) -> bytes | None:
        """Answer bytes of a file, None when it is gone."""
        ...

    async def keep(self, account: str, key: str, data: bytes) -> str:
        """Write an object into a bucket of our own and answer the bucket; the same key is written over."""
        ...

    async def forget(self, account: str, bucket: str, key: str) -> None:
        """Remove an object; nothing when it is gone."""
        ...


class RegistrationTaskFollowUps:
    """Handlers of the follow-ups of registration tasks."""

    def __init__(
        self, *, run: Run, tasks: RegistrationTaskStore, files: Files, registrar: Registrar, attempts: Attempts
    ) -> None:
        self._attempts = attempts
        self._run = run
        self._tasks = tasks
        self._files = files
        self._registrar = registrar

    async def on_step(self, row: FollowUp) -> None:
        """Register some lines, or write a report, or end the task; and see to it that it goes on."""
        task = await self._run.read(lambda tx: self._tasks.get(tx, row.account, row.key))
        if task is None or task.status.over:
            return
        if task.reads:
            await self._read_on(task, row)
        elif not await self._reported(task, row):
            await self._run.write(lambda tx: self._ended(tx, row))
            return
        await self._run.write(lambda tx: _next(tx, row))

    async def on_forgotten(self, row: FollowUp) -> None:
        """Remove the reports, and then everything that is known of the task."""
        for file in await self._run.read(lambda tx: self._tasks.all_files(tx, row.account, row.key)):
            await self._files.forget(row.account, file.bucket, file.key)

        def forget(tx: Tx) -> Answer:
            self._tasks.remove(tx, row.account, row.key)
            return Answer()

        await self._run.write(forget)

    async def _read_on(self, task: Task, row: FollowUp) -> None:
        last = task.offset + _PIECE >= task.size
        data = await self._files.read(row.account, task.digest, task.offset, min(task.offset + _PIECE, task.size))
        if data is None:
            why = f"the input file s3://{task.bucket}/{task.key} is gone"
            await self._run.write(lambda tx: self._failed(tx, row, why))
            return
        lines = lines_of(data, begin=task.offset, number=task.line, last=last)
        if not lines:
            await self._pass_over(task, row, data)
            return
        for line in lines[:LINES_OF_A_STEP]:
            if not await self._done(task, line, row):
                return

    async def _pass_over(self, task: Task, row: FollowUp, data: bytes) -> None:
        """Report a line that is too long, and look for its end."""
        begin, end = task.offset, task.offset + len(data)
        while end < task.size:
            more = await self._files.read(row.account, task.digest, end, min(end + _PIECE, task.size)) or b""
            newline = more.find(b"\n")
            end += len(more) if newline < 0 else newline + 1
            if newline >= 0 or not more:
                break
        line = Line(number=task.line + 1, begin=begin, end=end, content=data)
        await self._done(task, line, row)

    async def _done(self, task: Task, line: Line, row: FollowUp) -> bool:
        """Register and report one line; tell whether the task goes on."""
        caller = _caller(task, row)
        try:
            try:
                if line.empty:
                    await self._run.write(lambda tx: self._noted(tx, row, line, None, ""))
                    return True
                prepared = await self._registrar.prepare(task.body, parameters_of(line))
                await self._run.write(lambda tx: self._registered(tx, row, task, line, prepared, caller))
            except ServiceError as error:
                refused = error  # the name is gone after the block
                device = self._device_of(task, line)
                await self._run.write(lambda tx: self._refused(tx, row, line, refused, device, caller))
        except Gone:
            return False
        return True

    def _device_of(self, task: Task, line: Line) -> str:
        try:
            name = self._registrar.device_of(task.body, parameters_of(line))
        except ServiceError:
            name = None
        return name or f"line {line.number} of {task.id}"

    def _registered(self, tx: Tx, row: FollowUp, task: Task, line: Line, prepared: Any, caller: Caller) -> Answer:
        done = self._registrar.register(tx, prepared, caller, role_arn=task.role_arn)
        response = {
            "ResourceArns": dict(done.response["resourceArns"]),
            "certificatePem": done.response["certificatePem"],
        }
        self._noted(tx, row, line, Report.RESULTS, entry(line, response=response))
        return Answer({}, events=done.events)

    def _refused(self, tx: Tx, row: FollowUp, line: Line, error: ServiceError, device: str, caller: Caller) -> Answer:
        text = entry(line, errorCode=error.code, errorMessage=error.message)
        self._noted(tx, row, line, Report.ERRORS, text)
        self._attempts.note(tx, caller, way="BULK", why_not=f"{error.code}: {error.message}", device=device)
        return Answer()

    def _noted(self, tx: Tx, row: FollowUp, line: Line, kind: Report | None, text: str) -> Answer:
        """Pass over the line, and write down what became of it; raise Gone when that was done before."""
        task = self._tasks.get(tx, row.account, row.key)
        if task is None or not task.reads or task.offset != line.begin:
            raise Gone
        if kind is not None:
            self._tasks.add_entry(tx, row.account, row.key, kind, line.number, text)
        self._tasks.put(tx, row.account, task.after(line, kind, now=tx.now))
        return Answer()

    def _failed(self, tx: Tx, row: FollowUp, why: str) -> Answer:
        task = self._tasks.get(tx, row.account, row.key)
        if task is not None:
            self._tasks.put(tx, row.account, replace(task, failure=why, updated_at=tx.now))
        return Answer()

    async def _reported(self, task: Task, row: FollowUp) -> bool:
        """Write one report of what no report says yet; tell whether there was anything."""
        for kind in Report:
            look = _lookup(self._tasks, row, kind)
            number, found = await self._run.read(look)
            if found:
                key = f"registration-tasks/{task.id}/{kind.value.lower()}-{number:05d}.json"
                data = "".join(f"{text}\n" for _, text in found).encode()
                bucket = await self._files.keep(row.account, key, data)
                file, last = File(kind=kind, number=number, bucket=bucket, key=key), found[-1][0]
                await self._run.write(_filing(self._tasks, row, file, last))
                return True
        return False

    def _ended(self, tx: Tx, row: FollowUp) -> Answer:
        task = self._tasks.get(tx, row.account, row.key)
        if task is None or task.status.over:
            return Answer()
        ended = task.ended(now=tx.now)
        self._tasks.put(tx, row.account, ended)
        tx.follow_up(FORGOTTEN, account=row.account, key=row.key, body={}, due_at=tx.now + KEPT_S)
        fields = {
            "account": row.account,
            "task": task.id,
            "status": ended.status.value,
            "registered": ended.succeeded,
            "failed": ended.failed,
            "cause": ended.failure or "",
        }
        log.info("registration task ended", extra={"fields": fields})
        return Answer()


def _lookup(
    tasks: RegistrationTaskStore, row: FollowUp, kind: Report
) -> Callable[[Tx], tuple[int, list[tuple[int, str]]]]:
    def look(tx: Tx) -> tuple[int, list[tuple[int, str]]]:
        number = len(tasks.files(tx, row.account, row.key, kind)) + 1
        return number, list(tasks.entries(tx, row.account, row.key, kind, limit=LINES_OF_A_FILE))

    return look


def _filing(tasks: RegistrationTaskStore, row: FollowUp, file: File, last_line: int) -> Callable[[Tx], Answer]:
    def write(tx: Tx) -> Answer:
        if file.number > len(tasks.files(tx, row.account, row.key, file.kind)):
            tasks.add_file(tx, row.account, row.key, file, last_line=last_line)
        return Answer()

    return write


def _next(tx: Tx, row: FollowUp) -> Answer:
    tx.cancel_follow_ups(STEP, account=row.account, key=row.key)  # a step that came twice goes on once
    tx.follow_up(STEP, account=row.account, key=row.key, body=dict(row.body))
    return Answer()


def _caller(task: Task, row: FollowUp) -> Caller:
    return Caller(
        account=row.account,
        region=row.body["region"],
        principal="iot.amazonaws.com",
        kind=Kind.SERVICE,
        request_id=task.id,
        source_ip=row.body.get("address"),  # of who started the task
    )
