"""A job, and its execution on one thing: statuses, transitions, deadlines.

Versions begin at 1 and rise by one with every change. Spec: AWS IoT Jobs, "job execution states".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from hedgerow.base.steady import Mark
from hedgerow.core.arn import arn
from hedgerow.services.iot.jobs.settings import ALL_FAILURES, RetryCriterion, Settings

LONGEST_DOCUMENT: Final = 32_768
LONGEST_DETAIL: Final = 1024
STEP_MINUTES: Final = range(1, 10_081)
NO_STEP_TIMER: Final = -1


class Selection(Enum):
    """Whether a job goes to who is there now, or also to who joins a target group later."""

    SNAPSHOT = "SNAPSHOT"
    CONTINUOUS = "CONTINUOUS"


class JobStatus(Enum):
    """Where a job stands."""

    IN_PROGRESS = "IN_PROGRESS"
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"
    DELETION_IN_PROGRESS = "DELETION_IN_PROGRESS"
    SCHEDULED = "SCHEDULED"

    @property
    def alive(self) -> bool:
        """Whether it goes on, or will begin."""
        return self in (JobStatus.IN_PROGRESS, JobStatus.SCHEDULED)


JOB_TRANSITIONS: Final[Mapping[JobStatus, frozenset[JobStatus]]] = {
    JobStatus.SCHEDULED: frozenset({JobStatus.IN_PROGRESS, JobStatus.CANCELED, JobStatus.DELETION_IN_PROGRESS}),
    JobStatus.IN_PROGRESS: frozenset({JobStatus.COMPLETED, JobStatus.CANCELED, JobStatus.DELETION_IN_PROGRESS}),
    JobStatus.COMPLETED: frozenset({JobStatus.DELETION_IN_PROGRESS}),
    JobStatus.CANCELED: frozenset({JobStatus.DELETION_IN_PROGRESS}),
    JobStatus.DELETION_IN_PROGRESS: frozenset({JobStatus.DELETION_IN_PROGRESS}),  # asked for once more
}


class Status(Enum):
    """Where an execution stands."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    REJECTED = "REJECTED"
    REMOVED = "REMOVED"
    CANCELED = "CANCELED"

    @property
    def pending(self) -> bool:
        """Whether the thing still has something to do."""
        return self in (Status.QUEUED, Status.IN_PROGRESS)


_BY_DEVICE: Final = frozenset({Status.IN_PROGRESS, Status.SUCCEEDED, Status.FAILED, Status.REJECTED})
TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.QUEUED: _BY_DEVICE | {Status.CANCELED, Status.REMOVED},
    Status.IN_PROGRESS: _BY_DEVICE | {Status.CANCELED, Status.TIMED_OUT},
}
SET_BY_DEVICES: Final = _BY_DEVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. `things` and `groups` are its targets, by name."""

    id: str
    things: tuple[str, ...]
    groups: tuple[str, ...]
    selection: Selection
    document: str
    source: str | None = None  # where the document was read
    template: str | None = None  # the ARN of what it was made from
    unfilled: str | None = None  # the document before parameters were filled in
    parameters: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None
    namespace: str | None = None
    settings: Settings = field(default_factory=Settings)
    status: JobStatus = JobStatus.IN_PROGRESS
    rolled_out: bool = False  # every thing that was a target at creation has its execution
    stopped: bool = False  # its end has come: nobody gets it any more
    reason_code: str | None = None
    comment: str | None = None
    forced: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0
    completed_at: float | None = None

    def arn(self, region: str, account: str) -> str:
        """Make the job's ARN."""
        return arn("iot", region, account, f"job/{self.id}")

    def target_arns(self, region: str, account: str) -> list[str]:
        """Make the ARNs of the targets."""
        names = [f"thing/{name}" for name in self.things] + [f"thinggroup/{name}" for name in self.groups]
        return [arn("iot", region, account, name) for name in names]

    @property
    def rolling(self) -> bool:
        """Whether things get it."""
        return self.status is JobStatus.IN_PROGRESS and not self.stopped

    def open_at(self, now: float) -> bool:
        """Tell whether things get it now: not outside its maintenance windows."""
        return self.rolling and (self.settings.schedule is None or self.settings.schedule.open_at(now))

    @property
    def may_complete(self) -> bool:
        """Whether it is complete when nothing is pending."""
        return self.stopped or (self.rolled_out and self.selection is Selection.SNAPSHOT)

    def may_become(self, status: JobStatus) -> bool:
        """Tell whether the change is legal."""
        return status in JOB_TRANSITIONS[self.status]

    def ended(self, status: JobStatus, now: float) -> "Job":
        """Answer the job in a status that it leaves only to be deleted."""
        completed_at = now if status in (JobStatus.COMPLETED, JobStatus.CANCELED) else self.completed_at
        return replace(self, status=status, updated_at=now, completed_at=completed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One job on one thing, the `number`th time."""

    job: str
    thing: str
    number: int
    position: int  # in the thing's queue: the order of creation
    namespace: str | None = None
    status: Status = Status.QUEUED
    version: int = 1
    queued_at: float = 0.0
    updated_at: float = 0.0
    started_at: float | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    step_deadline: float | None = None
    deadline: float | None = None
    step_mark: Mark | None = None  # of when the timers were set
    mark: Mark | None = None
    forced: bool = False
    left: bool = False  # the thing is no target any more
    retries: Mapping[str, int] = field(default_factory=dict)  # of what failed before it, by its status
    counted: Status | None = None  # as which it is counted in the job's progress: as it stands in the database

    @property
    def attempt(self) -> int:
        """The how manieth retry it is; 0 is none."""
        return sum(self.retries.values())

    @property
    def ends_at(self) -> float | None:
        """When it times out: the nearer of its two timers, None when none runs."""
        running = [at for at in (self.step_deadline, self.deadline) if at is not None]
        return min(running) if running and self.status is Status.IN_PROGRESS else None

    def may_become(self, status: Status) -> bool:
        """Tell whether the change is legal."""
        return status in TRANSITIONS.get(self.status, ())

    def moved(self, status: Status, now: float, details: Mapping[str, str] | None = None) -> "Execution":
        """Answer the next version, in this status; details that are given replace all former ones."""
        return replace(
            self,
            status=status,
            version=self.version + 1,
            updated_at=now,
            details=self.details if details is None else dict(details),
        )

    def removed(self, now: float) -> "Execution":
        """Answer it taken from its thing, which is no target any more. Its version stays as it was."""
        return replace(self, status=Status.REMOVED, updated_at=now, left=True)

    def again(self, criteria: Sequence[RetryCriterion], now: float) -> "Execution | None":
        """Answer the next attempt after this one has failed, None when there is to be none."""
        status = self.status.value
        if self.left or self.status not in (Status.FAILED, Status.TIMED_OUT):
            return None
        for one in criteria:
            made = self.attempt if one.failure == ALL_FAILURES else self.retries.get(status, 0)
            if one.failure in (status, ALL_FAILURES) and made < one.times:
                retries = {**self.retries, status: self.retries.get(status, 0) + 1}
                return Execution(
                    job=self.job,
                    thing=self.thing,
                    number=self.number + 1,
                    position=self.position,
                    namespace=self.namespace,
                    queued_at=now,
                    updated_at=now,
                    retries=retries,
                )
        return None

    def started(self, now: float, minutes: int | None, mark: Mark | None = None) -> "Execution":
        """Answer it with its start noted and the job's timer running, unless it had started before."""
        if self.started_at is not None:
            return self
        return replace(self, started_at=now, deadline=None if minutes is None else now + 60 * minutes, mark=mark)

    def with_step_timer(self, now: float, minutes: int | None, mark: Mark | None = None) -> "Execution":
        """Answer it with its step timer set anew; None leaves the timer as it is, -1 stops it."""
        if minutes is None:
            return self
        return replace(self, step_deadline=None if minutes == NO_STEP_TIMER else now + 60 * minutes, step_mark=mark)

    def put_off(self, step_s: float, s: float) -> "Execution":
        """Answer it with its timers set later by so much: the clock was set forward, which is no time that passed."""
        step, whole = self.step_deadline, self.deadline
        return replace(
            self,
            step_deadline=None if step is None else step + step_s,
            deadline=None if whole is None else whole + s,
        )
