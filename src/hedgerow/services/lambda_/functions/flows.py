"""Functions, as far as it takes more than a transaction: packages that come and go, and invocations.

CreateFunction and UpdateFunctionCode: the package is checked, then stored, then named by a row. What undoes the storing
is nothing: a blob that no row names is swept with the others.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from hedgerow.base.errors import AccessDenied, NotImplementedYet, Unavailable
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.lambda_.functions.errors import EventTooLarge, InvalidContent, InvalidParameter
from hedgerow.services.lambda_.functions.model import (
    LATEST,
    MAX_EVENT,
    MAX_QUEUED_EVENT,
    MAX_ZIP,
    Code,
    Named,
    Version,
    named_by,
    read_name,
)
from hedgerow.services.lambda_.functions.operations import FunctionOperations, described
from hedgerow.services.lambda_.functions.ports import Blobs, Invoked, Links, Objects, Permissions, Workers
from hedgerow.services.lambda_.functions.reader import FunctionReader
from hedgerow.services.lambda_.functions.settings import new_settings
from hedgerow.store import Answer, FollowUp, Run, Tx

log = get_logger("lambda")

QUEUED: Final = "lambda-event"
RETRIES: Final = 2  # of an event whose function fails
RETRY_S: Final = (60.0, 120.0)
MAX_AGE_S: Final = 6 * 3600.0
AGAIN_S: Final = 30.0  # after a function could not be run through no fault of its own
LEASE_S: Final = 120.0  # beyond its timeout: when an event is taken up again whose end nobody wrote down
BAD_ZIP: Final = "Could not unzip uploaded file. Please check your file, then try to upload again."


class LambdaFlows:
    """Use as `async with LambdaFlows(…)`: it owns the events that run in the background."""

    def __init__(
        self,
        *,
        run: Run,
        ids: Ids,
        region: str,
        operations: FunctionOperations,
        reader: FunctionReader,
        permissions: Permissions,
        workers: Workers,
        blobs: Blobs,
        objects: Objects,
        links: Links,
    ) -> None:
        self._run = run
        self._ids = ids
        self._region = region
        self._operations = operations
        self._reader = reader
        self._permissions = permissions
        self._workers = workers
        self._blobs = blobs
        self._objects = objects
        self._links = links
        self._tasks = asyncio.TaskGroup()
        self._background: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._background:
            task.cancel()  # their leases have them run again
        await self._tasks.__aexit__(None, None, None)

    async def create_function(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        named = named_by(caller, request["FunctionName"])
        if named.qualifier:
            raise InvalidParameter("A new function has no qualifier")
        settings = new_settings(request)
        publish = bool(request.get("Publish"))
        tags = dict(request.take_all("Tags") or {})
        source = _source(request["Code"])
        refuse_unread(request)
        data = await self._package(source, caller.account)
        code = await self._keep(caller.account, data)
        draft = Version(
            account=caller.account,
            region=caller.region,
            name=named.name,
            version=LATEST,
            settings=settings,
            code=code,
            modified_at=0.0,
            revision=self._ids.uuid(),
            tags=tags,
        )
        made: list[Version] = []
        await self._run.write(_kept(made, lambda tx: self._operations.create(tx, draft, publish=publish)))
        return made[-1].configuration(qualified=publish, hint=await self._workers.refusal(settings.runtime))

    async def update_function_code(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        named = named_by(caller, request["FunctionName"])
        revision, publish = request.get("RevisionId"), bool(request.get("Publish"))
        changes = {"architectures": tuple(request.take_all("Architectures"))} if "Architectures" in request else {}
        dry_run = bool(request.get("DryRun"))
        source = _source(request)
        refuse_unread(request)
        old = await self._run.read(lambda tx: self._reader.must(tx, named))
        data = await self._package(source, caller.account)
        if dry_run:
            return old.configuration(qualified=False)
        code = await self._keep(caller.account, data)
        made: list[Version] = []
        await self._run.write(
            _kept(
                made,
                lambda tx: self._operations.put_code(
                    tx, named, code, changes=changes, revision=revision, publish=publish
                ),
            )
        )
        return made[-1].configuration(qualified=publish)

    async def get_function(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        named = named_by(caller, request["FunctionName"], request.get("Qualifier"))
        version = await self._run.read(lambda tx: self._reader.must(tx, named))
        hint = await self._workers.refusal(version.settings.runtime)
        answer: dict[str, Any] = {
            "Configuration": described(version, named, hint=hint),
            "Code": {"RepositoryType": "S3", "Location": await self._links.code_url(version)},
        }
        if version.tags:
            answer["Tags"] = dict(version.tags)
        return answer

    async def invoke(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        named = named_by(caller, request["FunctionName"], request.get("Qualifier"))
        kind = request.get("InvocationType") or "RequestResponse"
        tail = request.get("LogType") == "Tail"
        context = client_context(request.get("ClientContext"))
        payload = event(request.get("Payload") or b"")
        refuse_unread(request)
        version = await self._run.read(lambda tx: self._reader.must(tx, named, chance=self._chance()))
        if kind == "DryRun":
            return {"StatusCode": 204, "Payload": b""}
        if kind == "Event":
            await self._queue(named, payload, context, caller.request_id)
            return {"StatusCode": 202, "Payload": b""}
        done = await self._workers.invoke(
            version, payload, request_id=caller.request_id, invoked_arn=named.arn, client_context=context
        )
        answer: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": version.version, "Payload": done.payload}
        if done.error is not None:
            answer["FunctionError"] = done.error
        if tail:
            answer["LogResult"] = base64.b64encode(done.log_tail).decode()
        return answer

    async def invoke_function(
        self,
        account: str,
        arn: str,
        payload: bytes,
        *,
        invocation_type: str = "RequestResponse",
        source: str | None = None,
        source_arn: str | None = None,
        context: bytes | None = None,
    ) -> Invoked:
        """Invoke for a part of Hedgerow itself: a rule's action, a hook, a schedule.

        `arn` may be a name in any form. With `source` (`iot.amazonaws.com`) the function's policy must let that service
        invoke it for `source_arn`. "Event" is queued durably and answers at once with an empty payload. Raises
        AccessDenied, FunctionNotFound, Throttled, NotRunnable, ServiceFailed.
        """
        named = read_name(arn, account, self._region)
        version = await self._run.read(lambda tx: self._reader.must(tx, named, chance=self._chance()))
        if source is not None:
            may = await self._run.read(
                lambda tx: self._permissions.permits(tx, named, service=source, source_arn=source_arn)
            )
            if not may:
                raise AccessDenied(
                    f"{source} may not perform lambda:InvokeFunction on {named.arn} for {source_arn}: no permission of "
                    "the function allows it (AddPermission)"
                )
        request_id = self._ids.uuid()
        if invocation_type == "Event":
            await self._queue(named, payload, context, request_id)
            return Invoked(payload=b"", request_id=request_id, version=version.version)
        return await self._workers.invoke(
            version, payload, request_id=request_id, invoked_arn=named.arn, client_context=context
        )

    async def on_event(self, row: FollowUp) -> None:
        """Take a queued event up. What ends with the process is taken up again when its lease is over."""
        named = read_name(row.body["arn"], row.account, self._region)
        version = await self._run.read(lambda tx: self._reader.named(tx, named, chance=self._chance()))
        if version is None:
            fields = {"function": named.arn, "request_id": row.key}
            log.warning("a queued event is dropped: its function is gone", extra={"fields": fields})
            return
        await self._schedule(row, delay_s=version.settings.timeout_s + LEASE_S, attempt=row.body["attempt"])
        task = self._tasks.create_task(self._in_background(row, named, version))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _in_background(self, row: FollowUp, named: Named, version: Version) -> None:
        try:
            await self._run_event(row, named, version)
        except Unavailable:
            log.warning("how a queued event ended could not be written down; it will be taken up again", exc_info=True)

    async def _run_event(self, row: FollowUp, named: Named, version: Version) -> None:
        attempt, payload = row.body["attempt"], base64.b64decode(row.body["payload"])
        context = base64.b64decode(row.body["context"]) if row.body["context"] else None
        try:
            done = await self._workers.invoke(
                version, payload, request_id=row.key, invoked_arn=named.arn, client_context=context
            )
        except Exception as error:  # noqa: BLE001  # a task's border; it is logged, and tried again within its age
            fields = {"function": named.arn, "request_id": row.key, "cause": str(error)}
            log.warning("a queued event could not be run", extra={"fields": fields})
            await self._again(row, AGAIN_S, attempt)
            return
        if done.error is None:
            await self._forget(row)
        elif attempt < RETRIES:
            await self._again(row, RETRY_S[attempt], attempt + 1)
        else:
            await self._forget(row)
            fields = {"function": named.arn, "request_id": row.key, "error": done.error_type}
            log.warning("a queued event failed for the last time", extra={"fields": fields})

    async def _queue(self, named: Named, payload: bytes, context: bytes | None, request_id: str) -> None:
        if len(payload) > MAX_QUEUED_EVENT:
            raise EventTooLarge(len(payload), MAX_QUEUED_EVENT)
        body = {
            "arn": named.arn,
            "payload": base64.b64encode(payload).decode(),
            "context": base64.b64encode(context).decode() if context else "",
            "attempt": 0,
        }

        def write(tx: Tx) -> Answer:
            tx.follow_up(QUEUED, account=named.account, key=request_id, body={**body, "queued_at": tx.now})
            return Answer()

        await self._run.write(write)

    async def _schedule(self, row: FollowUp, *, delay_s: float, attempt: int) -> None:
        def write(tx: Tx) -> Answer:
            body = {**row.body, "attempt": attempt}
            tx.follow_up(QUEUED, account=row.account, key=row.key, body=body, due_at=tx.now + delay_s)
            return Answer()

        await self._run.write(write)

    async def _again(self, row: FollowUp, delay_s: float, attempt: int) -> None:
        def write(tx: Tx) -> Answer:
            tx.cancel_follow_ups(QUEUED, account=row.account, key=row.key)
            if tx.now + delay_s - row.body["queued_at"] <= MAX_AGE_S:
                body = {**row.body, "attempt": attempt}
                tx.follow_up(QUEUED, account=row.account, key=row.key, body=body, due_at=tx.now + delay_s)
            return Answer()

        await self._run.write(write)

    async def _forget(self, row: FollowUp) -> None:
        def write(tx: Tx) -> Answer:
            tx.cancel_follow_ups(QUEUED, account=row.account, key=row.key)
            return Answer()

        await self._run.write(write)

    async def _package(self, source: "_Source", account: str) -> bytes:
        data = source.data
        if data is None:
            data = await self._objects.read(account, source.bucket, source.key)
            if data is None:
                raise InvalidParameter(
                    "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: "
                    f"{source.bucket}/{source.key} is not there"
                )
        problem = await self._workers.check_package(data)
        if problem is not None:
            raise InvalidParameter(f"{BAD_ZIP} ({problem})")
        return data

    async def _keep(self, account: str, data: bytes) -> Code:
        blob = await self._blobs.put(account, data)
        return Code(digest=blob.digest, size=blob.size)

    def _chance(self) -> float:
        return int(self._ids.hex(8), 16) / 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where a package comes from: the request itself, or an object."""

    data: bytes | None
    bucket: str
    key: str


def _source(code: Request) -> _Source:
    data, bucket, key = code.get("ZipFile"), code.get("S3Bucket") or "", code.get("S3Key") or ""
    if (data is None) == (not bucket or not key) and not code.unread():
        raise InvalidParameter("Please provide a source for function code: ZipFile, or S3Bucket and S3Key.")
    if data is not None and len(data) > MAX_ZIP:
        raise EventTooLarge(len(data), MAX_ZIP)
    return _Source(data=data, bucket=bucket, key=key)


def refuse_unread(request: Request) -> None:
    """Refuse by name what nobody has read, before the first step that changes something."""
    unread = request.unread()
    if unread:
        raise NotImplementedYet(f"{', '.join(unread)} is not honoured yet; nothing was changed. Send it without.")


def event(payload: bytes) -> bytes:
    """Answer the event in a payload; raise InvalidContent when it is no JSON, EventTooLarge when it is too long."""
    if len(payload) > MAX_EVENT:
        raise EventTooLarge(len(payload), MAX_EVENT)
    if not payload:
        return b"{}"
    try:
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidContent(f"Could not parse request body into json: {error}") from error
    return bytes(payload)


def client_context(text: str | None) -> bytes | None:
    """Answer the JSON in a client context (base64 of it); raise InvalidContent for anything else."""
    if not text:
        return None
    try:
        data = base64.b64decode(text, validate=True)
        if not isinstance(json.loads(data), dict):
            raise ValueError("it is no JSON object")
    except (ValueError, RecursionError, binascii.Error) as error:
        raise InvalidContent(f"Client context must be a valid Base64-encoded JSON object: {error}") from error
    return data


def _kept(made: list[Version], operation: Callable[[Tx], Version]) -> Callable[[Tx], Answer]:
    def write(tx: Tx) -> Answer:
        made.append(operation(tx))  # the runner may run this again: the last one counts
        return Answer()

    return write
