"""Starting a registration task, and linking to its reports.

A task is refused when it could do nothing: a template that no line could fill in, a file that the role may not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core import template as language
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.registration_tasks.errors import NoTask, NotToBeRead, RoleUnusable, TaskRunning
from hedgerow.services.iot.registration_tasks.model import Report, Status, Task
from hedgerow.services.iot.registration_tasks.store import STEP, RegistrationTaskStore
from hedgerow.store import Answer, Run, Tx

LINK_S: Final = 3600


class Found(Protocol):
    """Where an object's bytes are."""

    @property
    def digest(self) -> str:
        """The blob."""
        ...

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...


class Files(Protocol):
    """The objects of accounts."""

    async def find(self, account: str, bucket: str, key: str) -> Found | None:
        """Answer where the object's bytes are, or None; raises a ServiceError for a bucket that is not theirs."""
        ...

    async def link(self, account: str, bucket: str, key: str, *, expires_s: int) -> str:
        """Answer a URL with which anybody may GET the object for a while."""
        ...


class Rights(Protocol):
    """What a role may do."""

    def role_allows(self, tx: Tx, account: str, role_arn: str, action: str, resource: str, source: str) -> bool:
        """Tell whether AWS IoT, having assumed the role for `source`, may do this; False without such a role."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    body: str
    bucket: str
    key: str
    role_arn: str


class RegistrationTaskFlows:
    """The operations on registration tasks with steps outside the transaction."""

    def __init__(
        self, *, run: Run, ids: Ids, tasks: RegistrationTaskStore, files: Files, rights: Rights, pages: Pages
    ) -> None:
        self._run = run
        self._ids = ids
        self._tasks = tasks
        self._files = files
        self._rights = rights
        self._pages = pages

    async def start_thing_registration_task(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        wanted = _Wanted(
            body=request["templateBody"],
            bucket=request["inputFileBucket"],
            key=request["inputFileKey"],
            role_arn=request["roleArn"],
        )
        try:
            language.tried(wanted.body, language.Use.OPERATOR)
        except language.BadTemplate as error:
            raise InvalidRequest(f"The template body is invalid: {error}") from error
        await self._run.read(lambda tx: self._check_role(tx, caller, wanted))
        found = await self._files.find(caller.account, wanted.bucket, wanted.key)
        if found is None:
            raise NotToBeRead(f"There is no object {wanted.key} in bucket {wanted.bucket}")
        digest, size = found.digest, found.size
        return (await self._run.write(lambda tx: self._started(tx, caller, wanted, digest, size))).response

    def _check_role(self, tx: Tx, caller: Caller, wanted: _Wanted) -> None:
        if not wanted.role_arn.startswith(arn("iam", "", caller.account, "role/")):
            raise RoleUnusable(f"The role {wanted.role_arn} is not of account {caller.account}")
        place = arn("s3", "", "", f"{wanted.bucket}/{wanted.key}")
        source = arn("iot", caller.region, caller.account, "*")
        if not self._rights.role_allows(tx, caller.account, wanted.role_arn, "s3:GetObject", place, source):
            raise NotToBeRead(
                f"The role {wanted.role_arn} may not s3:GetObject on {place}, or AWS IoT may not assume it"
            )

    def _started(self, tx: Tx, caller: Caller, wanted: _Wanted, digest: str, size: int) -> Answer:
        running = self._tasks.running(tx, caller.account)
        if running is not None:
            raise TaskRunning(running)
        task = Task(
            id=self._ids.uuid(),
            body=wanted.body,
            bucket=wanted.bucket,
            key=wanted.key,
            role_arn=wanted.role_arn,
            digest=digest,
            size=size,
            status=Status.IN_PROGRESS,
            created_at=tx.now,
            updated_at=tx.now,
        )
        self._tasks.add(tx, caller.account, task)
        body = {"region": caller.region, "address": caller.source_ip}
        tx.follow_up(STEP, account=caller.account, key=task.id, body=body)
        return Answer({"taskId": task.id})

    async def list_thing_registration_task_reports(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        task_id, kind = request["taskId"], Report(request["reportType"])
        page = self._pages.by_token(request, caller, "ListThingRegistrationTaskReports", task=task_id, kind=kind.value)

        def look(tx: Tx) -> Any:
            task = self._tasks.get(tx, caller.account, task_id)
            if task is None:
                raise NoTask(task_id)
            if not task.status.over:
                return []
            return self._tasks.files(tx, caller.account, task_id, kind, after=page.after(0), limit=page.limit)

        found = await self._run.read(look)
        links = {
            file.number: await self._files.link(caller.account, file.bucket, file.key, expires_s=LINK_S)
            for file in found[: page.size]
        }
        answer = page.answer("resourceLinks", found, key=lambda f: (f.number,), show=lambda f: links[f.number])
        return {**answer, "reportType": kind.value}
