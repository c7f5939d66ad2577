"""The rows of job executions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.jobs.model import Execution, Status
from hedgerow.services.iot.jobs.progress import ProgressStore
from hedgerow.store import Tx, metadata

executions = Table(
    "iot_job_execution",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("job", String(64), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("namespace", String(64), nullable=False),
    Column("rank", Integer, nullable=False),  # 0 in progress, 1 queued, 2 over: the order of what is pending
    Column("position", Integer, nullable=False),
    Column("status", String(12), nullable=False),
    Column("body", Text, nullable=False),
)
_E: Final = executions.c
Index("ix_iot_job_execution_pending", _E.account, _E.thing, _E.namespace, _E.rank, _E.position)
Index("ix_iot_job_execution_status", _E.account, _E.job, _E.status)

_ACCOUNT: Final[Any] = bindparam("account_")
_JOB: Final[Any] = bindparam("job_")
_THING: Final[Any] = bindparam("thing_")
_LIMIT: Final[Any] = bindparam("limit_")
_NUMBER: Final[Any] = bindparam("number_")
_STATUS: Final[Any] = bindparam("status_", type_=String())
_NAMESPACE: Final[Any] = bindparam("namespace_", type_=String())
_WANTED_JOB: Final[Any] = bindparam("wanted_job", type_=String())

_ANY: Final[Any] = bindparam("any_", type_=Integer())
_BEFORE: Final[Any] = bindparam("before")
_OF_PAIR: Final = and_(_E.account == _ACCOUNT, _E.job == _JOB, _E.thing == _THING)
_LATEST = select(executions).where(_OF_PAIR).order_by(_E.number.desc()).limit(1)
_EXECUTION = select(executions).where(_OF_PAIR, _E.number == _NUMBER)
_INSERT_EXECUTION = insert(executions)
_UPDATE_EXECUTION = (
    update_rows(executions)
    .where(_OF_PAIR, _E.number == _NUMBER)
    .values(rank=bindparam("rank_"), status=_STATUS, body=bindparam("body_"))
)
_DELETE_EXECUTION = delete(executions).where(_OF_PAIR, _E.number == _NUMBER)
_PENDING = (
    select(executions)
    .where(_E.account == _ACCOUNT, _E.thing == _THING, _E.namespace == _NAMESPACE, _E.rank < 2)
    .order_by(_E.rank, _E.position)
    .limit(_LIMIT)
)
_SOME: Final[Any] = bindparam("things_", expanding=True)
_LATEST_OF = (
    select(executions).where(_E.account == _ACCOUNT, _E.job == _JOB, _E.thing.in_(_SOME)).order_by(_E.thing, _E.number)
)
_PENDING_OF = (
    select(executions)
    .where(_E.account == _ACCOUNT, _E.thing.in_(_SOME), _E.namespace == _NAMESPACE, _E.rank < 2)
    .order_by(_E.thing, _E.rank, _E.position)
)
_POSITIONS = (
    select(_E.thing, func.max(_E.position).label("last"))
    .where(_E.account == _ACCOUNT, _E.thing.in_(_SOME))
    .group_by(_E.thing)
)
_POSITION = select(func.max(_E.position).label("last")).where(_E.account == _ACCOUNT, _E.thing == _THING)
_COUNTS = (
    select(_E.status, func.count().label("many")).where(_E.account == _ACCOUNT, _E.job == _JOB).group_by(_E.status)
)
_IN_STATUS = (
    select(executions)
    .where(_E.account == _ACCOUNT, _E.job == _JOB, _E.status == _STATUS)
    .order_by(_E.thing, _E.number)
    .limit(_LIMIT)
)
_OF_JOB = (
    select(executions)
    .where(
        _E.account == _ACCOUNT,
        _E.job == _JOB,
        or_(_E.thing > bindparam("after"), and_(_E.thing == bindparam("after"), _E.number > _NUMBER)),
        or_(_STATUS == "", _E.status == _STATUS),
    )
    .order_by(_E.thing, _E.number)
    .limit(_LIMIT)
)
_OF_THING = (
    select(executions)
    .where(
        _E.account == _ACCOUNT,
        _E.thing == _THING,
        _E.position < _BEFORE,
        or_(_STATUS == "", _E.status == _STATUS),
        or_(_ANY == 1, _E.namespace == _NAMESPACE),
        or_(_WANTED_JOB == "", _E.job == _WANTED_JOB),
    )
    .order_by(_E.position.desc())
    .limit(_LIMIT)
)

GONE: Final = "job-thing-gone"
ALL: Final = 1_000_000  # as a page size: no paging wanted
_RANK: Final = {Status.IN_PROGRESS: 0, Status.QUEUED: 1}


class ExecutionStore:
    """Executions in the database, counted in their jobs' progress. It holds nothing; one serves every transaction."""

    def __init__(self, *, progress: ProgressStore) -> None:
        self._progress = progress

    def latest(self, tx: Tx, account: str, job: str, thing: str) -> Execution | None:
        """Answer the job's last execution on the thing, or None."""
        row = tx.one(_LATEST, account_=account, job_=job, thing_=thing)
        return None if row is None else _execution(row)

    def get(self, tx: Tx, account: str, job: str, thing: str, number: int) -> Execution | None:
        """Answer one execution, or None."""
        row = tx.one(_EXECUTION, account_=account, job_=job, thing_=thing, number_=number)
        return None if row is None else _execution(row)

    def next_position(self, tx: Tx, account: str, thing: str) -> int:
        """Answer the place at the end of the thing's queue."""
        row = tx.one(_POSITION, account_=account, thing_=thing)
        return 1 if row is None or row.last is None else int(row.last) + 1

    def latest_of(self, tx: Tx, account: str, job: str, things: Sequence[str]) -> Mapping[str, Execution]:
        """Answer the job's last execution on each of these things that has one."""
        rows = tx.all(_LATEST_OF, account_=account, job_=job, things_=list(things))
        return {row.thing: _execution(row) for row in rows}

    def pending_of(
        self, tx: Tx, account: str, things: Sequence[str], namespace: str | None
    ) -> Mapping[str, Sequence[Execution]]:
        """Answer what each of these things has to do, as `pending` does for one; nothing for those without."""
        found: dict[str, list[Execution]] = {}
        for row in tx.all(_PENDING_OF, account_=account, things_=list(things), namespace_=namespace or ""):
            found.setdefault(row.thing, []).append(_execution(row))
        return found

    def next_positions(self, tx: Tx, account: str, things: Sequence[str]) -> Mapping[str, int]:
        """Answer the place at the end of each thing's queue, where it is not the first."""
        rows = tx.all(_POSITIONS, account_=account, things_=list(things))
        return {row.thing: int(row.last) + 1 for row in rows}

    def add(self, tx: Tx, account: str, one: Execution) -> None:
        self.add_many(tx, account, (one,))

    def add_many(self, tx: Tx, account: str, new: Sequence[Execution]) -> None:
        """Write executions of one job that are all queued."""
        tx.run_many(
            _INSERT_EXECUTION,
            [
                {
                    "account": account,
                    "job": one.job,
                    "thing": one.thing,
                    "number": one.number,
                    "namespace": one.namespace or "",
                    "rank": _RANK.get(one.status, 2),
                    "position": one.position,
                    "status": one.status.value,
                    "body": _execution_body(one),
                }
                for one in new
            ],
        )
        if new and not self._progress.queued(tx, account, new):
            self._progress.begin(tx, account, new[0].job, self.counts(tx, account, new[0].job))

    def put(self, tx: Tx, account: str, one: Execution) -> None:
        tx.run(
            _UPDATE_EXECUTION,
            account_=account,
            job_=one.job,
            thing_=one.thing,
            number_=one.number,
            rank_=_RANK.get(one.status, 2),
            status_=one.status.value,
            body_=_execution_body(one),
        )
        self._moved(tx, account, one, one.status)

    def remove(self, tx: Tx, account: str, one: Execution) -> None:
        tx.run(_DELETE_EXECUTION, account_=account, job_=one.job, thing_=one.thing, number_=one.number)
        self._moved(tx, account, one, None)

    def _moved(self, tx: Tx, account: str, one: Execution, new: Status | None) -> None:
        if not self._progress.moved(tx, account, one.job, one.counted or one.status, new):
            self._progress.begin(tx, account, one.job, self.counts(tx, account, one.job))

    def thing_removed(self, tx: Tx, account: str, thing: str) -> None:
        """A thing was deleted: what is queued for it goes later."""
        if self.of_thing(tx, account, thing, status=Status.QUEUED.value, limit=1):
            tx.follow_up(GONE, account=account, key=thing, body={"thing": thing})

    def counts(self, tx: Tx, account: str, job: str) -> Mapping[Status, int]:
        """Count the job's executions by status: for jobs whose progress is not known."""
        return {Status(row.status): int(row.many) for row in tx.all(_COUNTS, account_=account, job_=job)}

    def pending(
        self, tx: Tx, account: str, thing: str, namespace: str | None, *, limit: int = ALL
    ) -> Sequence[Execution]:
        """Answer what the thing has to do: in progress first, then queued, each in the order of creation."""
        rows = tx.all(_PENDING, account_=account, thing_=thing, namespace_=namespace or "", limit_=limit)
        return [_execution(row) for row in rows]

    def in_status(self, tx: Tx, account: str, job: str, status: Status, *, limit: int) -> Sequence[Execution]:
        """Answer some of the job's executions that are in this status."""
        rows = tx.all(_IN_STATUS, account_=account, job_=job, status_=status.value, limit_=limit)
        return [_execution(row) for row in rows]

    def of_job(
        self,
        tx: Tx,
        account: str,
        job: str,
        *,
        status: str = "",
        after: tuple[str, int] = ("", 0),
        limit: int = ALL,
    ) -> Sequence[Execution]:
        """Answer the job's executions by thing and number."""
        rows = tx.all(
            _OF_JOB, account_=account, job_=job, status_=status, after=after[0], number_=after[1], limit_=limit
        )
        return [_execution(row) for row in rows]

    def of_thing(
        self,
        tx: Tx,
        account: str,
        thing: str,
        *,
        status: str = "",
        namespace: str | None = None,
        job: str = "",
        before: int | None = None,
        limit: int = ALL,
    ) -> Sequence[Execution]:
        """Answer the thing's executions, the newest first; of one namespace ("" for none), or of all."""
        rows = tx.all(
            _OF_THING,
            account_=account,
            thing_=thing,
            status_=status,
            any_=1 if namespace is None else 0,
            namespace_=namespace or "",
            wanted_job=job,
            before=2**31 - 1 if before is None else before,
            limit_=limit,
        )
        return [_execution(row) for row in rows]


def _execution_body(one: Execution) -> str:
    return json.dumps(
        {
            "version": one.version,
            "queued_at": one.queued_at,
            "updated_at": one.updated_at,
            "started_at": one.started_at,
            "details": dict(one.details),
            "step_deadline": one.step_deadline,
            "deadline": one.deadline,
            "step_mark": one.step_mark,
            "mark": one.mark,
            "forced": one.forced,
            "left": one.left,
            "retries": dict(one.retries),
        }
    )


def _execution(row: Row[Any]) -> Execution:
    return Execution(
        job=row.job,
        thing=row.thing,
        number=row.number,
        position=row.position,
        namespace=row.namespace or None,
        status=Status(row.status),
        counted=Status(row.status),
        **json.loads(row.body),
    )
