"""The rows of registration tasks: the tasks, what their reports will say, and the reports that are written."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.registration_tasks.model import File, Report, Status, Task
from hedgerow.store import Tx, metadata

STEP: Final = "registration-task"
"""Follow-up, key: task id. Registers some lines, or writes a report, and schedules the next one."""
FORGOTTEN: Final = "registration-task-forgotten"
"""Follow-up, key: task id. Due when the task's data need not be kept any more."""

tasks = Table(
    "iot_registration_task",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(36), primary_key=True),
    Column("body", Text, nullable=False),
    Column("bucket", String(256), nullable=False),
    Column("key", String(1024), nullable=False),
    Column("role_arn", String(2048), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("status", String(12), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("failure", Text),
)
Index("ix_iot_registration_task_created_at", tasks.c.account, tasks.c.created_at, tasks.c.id)

entries = Table(
    "iot_registration_entry",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("task", String(36), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)

files = Table(
    "iot_registration_file",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("task", String(36), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("bucket", String(63), nullable=False),
    Column("key", String(1024), nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")
_KIND: Final[Any] = bindparam("kind_")
_LINE: Final[Any] = bindparam("line_")
_STATUS: Final[Any] = bindparam("status_")
_AT: Final[Any] = bindparam("at")
_AFTER: Final[Any] = bindparam("after")
_LIMIT: Final[Any] = bindparam("limit_")
_LIVE: Final = (Status.IN_PROGRESS.value, Status.CANCELLING.value)

_GET = select(tasks).where(tasks.c.account == _ACCOUNT, tasks.c.id == _ID)
_RUNNING = select(tasks.c.id).where(tasks.c.account == _ACCOUNT, tasks.c.status.in_(_LIVE)).limit(1)
_DIGESTS = select(tasks.c.digest).where(tasks.c.account == _ACCOUNT, tasks.c.status.in_(_LIVE))
_LIST = (
    select(tasks)
    .where(tasks.c.account == _ACCOUNT, or_(_STATUS == "", tasks.c.status == _STATUS))
    .order_by(tasks.c.created_at.desc(), tasks.c.id.desc())
    .limit(_LIMIT)
)
_LIST_AFTER = _LIST.where(or_(tasks.c.created_at < _AT, and_(tasks.c.created_at == _AT, tasks.c.id < _AFTER)))
_INSERT = insert(tasks)
_UPDATE = update_rows(tasks).where(tasks.c.account == _ACCOUNT, tasks.c.id == _ID)
_DELETE = delete(tasks).where(tasks.c.account == _ACCOUNT, tasks.c.id == _ID)

_OF_TASK = (entries.c.account == _ACCOUNT) & (entries.c.task == _ID)
_ENTRIES = (
    select(entries.c.line, entries.c.text)
    .where(_OF_TASK, entries.c.kind == _KIND)
    .order_by(entries.c.line)
    .limit(_LIMIT)
)
_ADD_ENTRY = insert(entries)
_DROP_ENTRIES = delete(entries).where(_OF_TASK, entries.c.kind == _KIND, entries.c.line <= _LINE)
_DROP_ALL_ENTRIES = delete(entries).where(_OF_TASK)

_FILES_OF = (files.c.account == _ACCOUNT) & (files.c.task == _ID)
_FILES = (
    select(files)
    .where(_FILES_OF, files.c.kind == _KIND, files.c.number > _AFTER)
    .order_by(files.c.number)
    .limit(_LIMIT)
)
_ALL_FILES = select(files).where(_FILES_OF)
_ADD_FILE = insert(files)
_DROP_FILES = delete(files).where(_FILES_OF)

ALL: Final = 1_000_000  # as a page size: no paging wanted


class RegistrationTaskStore:
    """Registration tasks in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, task_id: str) -> Task | None:
        """Answer the account's task, or None."""
        row = tx.one(_GET, account_=account, id_=task_id)
        return None if row is None else _task(row)

    def running(self, tx: Tx, account: str) -> str | None:
        """Answer the id of a task that has not ended, or None."""
        row = tx.one(_RUNNING, account_=account)
        return None if row is None else str(row.id)

    def digests(self, tx: Tx, account: str) -> set[str]:
        """Answer the blobs of the files that tasks are still reading."""
        return {row.digest for row in tx.all(_DIGESTS, account_=account)}

    def list(self, tx: Tx, account: str, *, status: str, after: tuple[Any, ...], limit: int) -> Sequence[Task]:
        """Answer tasks, newest first, those after (created_at, id); () is the beginning. "" is any status."""
        values: dict[str, Any] = {"account_": account, "status_": status, "limit_": limit}
        if after:
            return [_task(row) for row in tx.all(_LIST_AFTER, **values, at=after[0], after=after[1])]
        return [_task(row) for row in tx.all(_LIST, **values)]

    def add(self, tx: Tx, account: str, task: Task) -> None:
        """Write a new task."""
        tx.run(
            _INSERT,
            account=account,
            id=task.id,
            body=task.body,
            bucket=task.bucket,
            key=task.key,
            role_arn=task.role_arn,
            digest=task.digest,
            size=task.size,
            created_at=task.created_at,
            **_columns(task),
        )

    def put(self, tx: Tx, account: str, task: Task) -> None:
        tx.run(_UPDATE, account_=account, id_=task.id, **_columns(task))

    def remove(self, tx: Tx, account: str, task_id: str) -> None:
        """Forget the task, and what its reports say."""
        for statement in (_DROP_ALL_ENTRIES, _DROP_FILES, _DELETE):
            tx.run(statement, account_=account, id_=task_id)

    def add_entry(self, tx: Tx, account: str, task_id: str, kind: Report, line: int, text: str) -> None:
        """Write what a report will say of a line."""
        tx.run(_ADD_ENTRY, account=account, task=task_id, kind=kind.value, line=line, text=text)

    def entries(self, tx: Tx, account: str, task_id: str, kind: Report, *, limit: int) -> Sequence[tuple[int, str]]:
        """Answer (line, text) of what no report says yet, in order."""
        rows = tx.all(_ENTRIES, account_=account, id_=task_id, kind_=kind.value, limit_=limit)
        return [(row.line, row.text) for row in rows]

    def add_file(self, tx: Tx, account: str, task_id: str, file: File, *, last_line: int) -> None:
        """Write that there is a report with everything up to that line, which need not be kept here then."""
        tx.run(
            _ADD_FILE,
            account=account,
            task=task_id,
            kind=file.kind.value,
            number=file.number,
            bucket=file.bucket,
            key=file.key,
        )
        tx.run(_DROP_ENTRIES, account_=account, id_=task_id, kind_=file.kind.value, line_=last_line)

    def files(
        self, tx: Tx, account: str, task_id: str, kind: Report, *, after: int = 0, limit: int = ALL
    ) -> Sequence[File]:
        """Answer the reports of a kind, in order, those after a number."""
        rows = tx.all(_FILES, account_=account, id_=task_id, kind_=kind.value, after=after, limit_=limit)
        return [_file(row) for row in rows]

    def all_files(self, tx: Tx, account: str, task_id: str) -> Sequence[File]:
        """Answer all reports."""
        return [_file(row) for row in tx.all(_ALL_FILES, account_=account, id_=task_id)]


def _columns(task: Task) -> dict[str, Any]:
    return {
        "status": task.status.value,
        "updated_at": task.updated_at,
        "offset": task.offset,
        "line": task.line,
        "succeeded": task.succeeded,
        "failed": task.failed,
        "failure": task.failure,
    }


def _task(row: Row[Any]) -> Task:
    return Task(
        id=row.id,
        body=row.body,
        bucket=row.bucket,
        key=row.key,
        role_arn=row.role_arn,
        digest=row.digest,
        size=row.size,
        status=Status(row.status),
        created_at=row.created_at,
        updated_at=row.updated_at,
        offset=row.offset,
        line=row.line,
        succeeded=row.succeeded,
        failed=row.failed,
        failure=row.failure,
    )


def _file(row: Row[Any]) -> File:
    return File(kind=Report(row.kind), number=row.number, bucket=row.bucket, key=row.key)
