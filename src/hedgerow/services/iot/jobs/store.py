"""The rows of jobs and of their targets; those of executions are in `executions`."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Index, Row, String, Table, Text, and_, bindparam, delete, insert, or_, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.jobs.executions import ExecutionStore
from hedgerow.services.iot.jobs.model import Job, JobStatus, Selection
from hedgerow.services.iot.jobs.progress import Progress, ProgressStore
from hedgerow.services.iot.jobs.settings import read_settings, shown_settings
from hedgerow.store import Tx, metadata

jobs = Table(
    "iot_job",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("status", String(24), nullable=False),
    Column("selection", String(12), nullable=False),
    Column("namespace", String(64), nullable=False),  # "" for none
    Column("created_at", Float, nullable=False),
    Column("document", Text, nullable=False),
    Column("body", Text, nullable=False),
)
Index("ix_iot_job_created", jobs.c.account, jobs.c.created_at, jobs.c.id)

targets = Table(
    "iot_job_target",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("kind", String(5), primary_key=True),  # thing or group
    Column("name", String(128), primary_key=True),
    Column("job", String(64), primary_key=True),
)
Index("ix_iot_job_target_job", targets.c.account, targets.c.job)

_ACCOUNT: Final[Any] = bindparam("account_")
_JOB: Final[Any] = bindparam("job_")
_LIMIT: Final[Any] = bindparam("limit_")
_STATUS: Final[Any] = bindparam("status_", type_=String())
_SELECTION: Final[Any] = bindparam("selection_", type_=String())
_NAMESPACE: Final[Any] = bindparam("namespace_", type_=String())
_GROUP: Final[Any] = bindparam("group_", type_=String())

_GET = select(jobs).where(jobs.c.account == _ACCOUNT, jobs.c.id == _JOB)
_INSERT = insert(jobs)
_UPDATE = (
    update_rows(jobs)
    .where(jobs.c.account == _ACCOUNT, jobs.c.id == _JOB)
    .values(status=_STATUS, body=bindparam("body_"))
)
_DELETE = delete(jobs).where(jobs.c.account == _ACCOUNT, jobs.c.id == _JOB)
_INSERT_TARGET = insert(targets)
_DELETE_TARGETS = delete(targets).where(targets.c.account == _ACCOUNT, targets.c.job == _JOB)
_FOLLOWING = (
    select(jobs)
    .join(targets, and_(targets.c.account == jobs.c.account, targets.c.job == jobs.c.id))
    .where(
        targets.c.account == _ACCOUNT,
        targets.c.kind == "group",
        targets.c.name == _GROUP,
        jobs.c.selection == Selection.CONTINUOUS.value,
        jobs.c.status == JobStatus.IN_PROGRESS.value,
    )
    .order_by(jobs.c.created_at, jobs.c.id)
)
_BEFORE: Final[Any] = bindparam("before")
_LIST = (
    select(jobs)
    .where(
        jobs.c.account == _ACCOUNT,
        or_(jobs.c.created_at < _BEFORE, and_(jobs.c.created_at == _BEFORE, jobs.c.id > bindparam("after"))),
        or_(_STATUS == "", jobs.c.status == _STATUS),
        or_(_SELECTION == "", jobs.c.selection == _SELECTION),
        or_(_NAMESPACE == "", jobs.c.namespace == _NAMESPACE),
        or_(
            _GROUP == "",
            select(targets.c.job)
            .where(
                targets.c.account == jobs.c.account,
                targets.c.job == jobs.c.id,
                targets.c.kind == "group",
                targets.c.name == _GROUP,
            )
            .exists(),
        ),
    )
    .order_by(jobs.c.created_at.desc(), jobs.c.id)
    .limit(_LIMIT)
)

ALL: Final = 1_000_000  # as a page size: no paging wanted
_END_OF_TIME: Final = 1e12


class JobStore:
    """Jobs in the database, and their executions. It holds nothing; one serves every transaction."""

    def __init__(self) -> None:
        self._progress = ProgressStore()
        self.executions = ExecutionStore(progress=self._progress)

    def get(self, tx: Tx, account: str, job: str) -> Job | None:
        """Answer the job, or None."""
        row = tx.one(_GET, account_=account, job_=job)
        return None if row is None else _job(row)

    def add(self, tx: Tx, account: str, job: Job) -> None:
        tx.run(
            _INSERT,
            account=account,
            id=job.id,
            status=job.status.value,
            selection=job.selection.value,
            namespace=job.namespace or "",
            created_at=job.created_at,
            document=job.document,
            body=_job_body(job),
        )
        self._progress.begin(tx, account, job.id)
        self._add_targets(tx, account, job)

    def put_targets(self, tx: Tx, account: str, job: Job) -> None:
        """Write the targets in place of those before."""
        tx.run(_DELETE_TARGETS, account_=account, job_=job.id)
        self._add_targets(tx, account, job)

    def _add_targets(self, tx: Tx, account: str, job: Job) -> None:
        names = [("thing", name) for name in job.things] + [("group", name) for name in job.groups]
        tx.run_many(
            _INSERT_TARGET,
            [{"account": account, "kind": kind, "name": name, "job": job.id} for kind, name in names],
        )

    def put(self, tx: Tx, account: str, job: Job) -> None:
        tx.run(_UPDATE, account_=account, job_=job.id, status_=job.status.value, body_=_job_body(job))

    def progress(self, tx: Tx, account: str, job: str) -> Progress:
        """Answer how far the job is."""
        found = self._progress.get(tx, account, job)
        return Progress(counts=self.executions.counts(tx, account, job)) if found is None else found

    def use_minute(self, tx: Tx, account: str, job: str, *, began_at: float, used: int) -> None:
        """Write down how much of which minute the rollout has used."""
        self._progress.use_minute(tx, account, job, began_at=began_at, used=used)

    def remove(self, tx: Tx, account: str, job: str) -> None:
        tx.run(_DELETE_TARGETS, account_=account, job_=job)
        tx.run(_DELETE, account_=account, job_=job)
        self._progress.remove(tx, account, job)

    def list(
        self,
        tx: Tx,
        account: str,
        *,
        status: str = "",
        selection: str = "",
        namespace: str = "",
        group: str = "",
        before: float | None = None,
        after: str = "",
        limit: int = ALL,
    ) -> Sequence[Job]:
        """Answer jobs, the newest first, with all the given properties."""
        rows = tx.all(
            _LIST,
            account_=account,
            status_=status,
            selection_=selection,
            namespace_=namespace,
            group_=group,
            before=_END_OF_TIME if before is None else before,
            after=after,
            limit_=limit,
        )
        return [_job(row) for row in rows]

    def following(self, tx: Tx, account: str, group: str) -> Sequence[Job]:
        """Answer the continuous jobs that are in progress and have the group as a target, oldest first."""
        return [_job(row) for row in tx.all(_FOLLOWING, account_=account, group_=group)]


def _job_body(job: Job) -> str:
    return json.dumps(
        {
            "things": job.things,
            "groups": job.groups,
            "source": job.source,
            "template": job.template,
            "unfilled": job.unfilled,
            "parameters": dict(job.parameters),
            "description": job.description,
            "settings": shown_settings(job.settings),
            "rolled_out": job.rolled_out,
            "stopped": job.stopped,
            "reason_code": job.reason_code,
            "comment": job.comment,
            "forced": job.forced,
            "updated_at": job.updated_at,
            "completed_at": job.completed_at,
        }
    )


def _job(row: Row[Any]) -> Job:
    body = json.loads(row.body)
    settings = body.pop(
        "settings", {"timeoutConfig": {"inProgressTimeoutInMinutes": body.pop("timeout_minutes", None)}}
    )
    return Job(
        id=row.id,
        status=JobStatus(row.status),
        selection=Selection(row.selection),
        namespace=row.namespace or None,
        created_at=row.created_at,
        document=row.document,
        things=tuple(body.pop("things")),
        groups=tuple(body.pop("groups")),
        settings=read_settings(settings),
        **body,
    )
