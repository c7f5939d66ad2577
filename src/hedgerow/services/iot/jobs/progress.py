"""How far jobs are: one row per job with the numbers of its executions, kept up to date with every change of one.

So describing a job, and deciding whether it is complete or to be given up, costs the same for ten things and ten
thousand. The row also says how much of the rollout's current minute is used. A job that is older than these rows gets
its own, counted once, with the next change of an execution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Column, Float, Integer, String, Table, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.jobs.model import Execution, Status
from hedgerow.store import Tx, metadata

_COLUMN: Final = {status: status.value.lower() for status in Status}

progress = Table(
    "iot_job_progress",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("job", String(64), primary_key=True),
    *(Column(name, Integer, nullable=False, default=0) for name in _COLUMN.values()),
    Column("notified", Integer, nullable=False, default=0),  # things that got the job for the first time
    Column("minute_at", Float),  # when the current minute of the rollout began
    Column("minute_used", Integer, nullable=False, default=0),
)

_OF: Final = (progress.c.account == bindparam("account_")) & (progress.c.job == bindparam("job_"))
_GET = select(progress).where(_OF)
_INSERT = insert(progress)
_DELETE = delete(progress).where(_OF)
_ADD = update_rows(progress).where(_OF)
_ADDS: Final = {
    (old, new): _ADD.values(
        {
            column: progress.c[column] + (1 if status is new else -1)
            for status, column in _COLUMN.items()
            if (status is old) != (status is new)
        }
    )
    for old in Status
    for new in (*Status, None)
    if old is not new
}
_QUEUED: Final = _ADD.values(
    queued=progress.c.queued + bindparam("many_", type_=Integer()),
    notified=progress.c.notified + bindparam("firsts_", type_=Integer()),
)
_MINUTE: Final = _ADD.values(minute_at=bindparam("at_"), minute_used=bindparam("used_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The numbers of one job."""

    counts: Mapping[Status, int] = field(default_factory=dict)
    notified: int = 0
    minute_at: float | None = None
    minute_used: int = 0

    @property
    def pending(self) -> int:
        """How many executions are not over."""
        return sum(many for status, many in self.counts.items() if status.pending)

    @property
    def executed(self) -> int:
        """How many executions came to an end on their things."""
        ended = (Status.SUCCEEDED, Status.FAILED, Status.REJECTED, Status.TIMED_OUT)
        return sum(self.counts.get(status, 0) for status in ended)


class ProgressStore:
    """Progress in the database."""

    def begin(self, tx: Tx, account: str, job: str, counts: Mapping[Status, int] | None = None) -> None:
        """Make the row of a job, new or with these executions."""
        known = {_COLUMN[status]: many for status, many in (counts or {}).items()}
        tx.run(_INSERT, account=account, job=job, **known, notified=sum(known.values()))

    def get(self, tx: Tx, account: str, job: str) -> Progress | None:
        """Answer how far the job is; None when it has no row."""
        row = tx.one(_GET, account_=account, job_=job)
        if row is None:
            return None
        return Progress(
            counts={status: getattr(row, column) for status, column in _COLUMN.items()},
            notified=row.notified,
            minute_at=row.minute_at,
            minute_used=row.minute_used,
        )

    def queued(self, tx: Tx, account: str, new: Sequence[Execution]) -> bool:
        """Executions of one job were queued; tell whether the job has a row to count them in."""
        firsts = sum(one.number == 1 for one in new)
        return tx.run(_QUEUED, account_=account, job_=new[0].job, many_=len(new), firsts_=firsts) > 0

    def moved(self, tx: Tx, account: str, job: str, old: Status, new: Status | None) -> bool:
        """An execution went from one status to another, or (None) away; tell whether the job has a row."""
        return old is new or tx.run(_ADDS[old, new], account_=account, job_=job) > 0

    def use_minute(self, tx: Tx, account: str, job: str, *, began_at: float, used: int) -> None:
        """Write down how much of which minute the rollout has used."""
        tx.run(_MINUTE, account_=account, job_=job, at_=began_at, used_=used)

    def remove(self, tx: Tx, account: str, job: str) -> None:
        tx.run(_DELETE, account_=account, job_=job)
