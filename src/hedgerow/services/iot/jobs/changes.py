"""Changes jobs and their executions inside a transaction, and says what the things are told.

Operations, device requests, timers and other subjects (deployments) go through this. At most BATCH executions are
touched at once; the rest is a follow-up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hedgerow.base.steady import Steady
from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from hedgerow.services.iot.jobs.documents import Documents, content_of
from hedgerow.services.iot.jobs.errors import InvalidTransition
from hedgerow.services.iot.jobs.events import JobEvents
from hedgerow.services.iot.jobs.model import LONGEST_DOCUMENT, Execution, Job, JobStatus, Selection, Status
from hedgerow.services.iot.jobs.progress import Progress
from hedgerow.services.iot.jobs.queue import Events, Queue
from hedgerow.services.iot.jobs.rollout import Groups, Rollouts, Things
from hedgerow.services.iot.jobs.scheduling import CANCEL, STOP, Schedule
from hedgerow.services.iot.jobs.settings import ALL_FAILURES
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.store import Tx

MOST_TARGETS: Final = 100
BATCH: Final = 40
"""Executions that are canceled or deleted in one transaction: about 15 ms."""
CANCELLATION: Final = "job-cancellation"
DELETION: Final = "job-deletion"
START: Final = "job-start"
END: Final = "job-end"
ENDED: Final = "SCHEDULED_END_TIME_REACHED"
ABORTED: Final = "ABORT_CRITERIA_MET"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """How long a job's document may be, in characters. Deployments to thing groups carry theirs whole, hence larger."""

    document: int = LONGEST_DOCUMENT
    named: Mapping[str, int] | None = None

    def of(self, namespace: str | None) -> int:
        """Answer the limit for jobs of a namespace."""
        larger = {"aws-gg-deployment": 98_304} if self.named is None else self.named
        return larger.get(namespace or "", self.document)


OnCompleted = Callable[[Tx, str, str, Mapping[Status, int]], None]


def _unnoticed(tx: Tx, account: str, job: str, counts: Mapping[Status, int]) -> None:
    """Nobody keeps a log of jobs."""


class Jobs:
    """All jobs. It holds no state; one serves every transaction.

    `on_completed` hears, in the transaction, of each job that is completed and of how its executions ended.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        things: Things,
        groups: Groups,
        limits: JobLimits,
        told: JobEvents,
        documents: Documents,
        steady: Steady,
    ) -> None:
        self.steady = steady
        self.on_completed: OnCompleted = _unnoticed
        self._told = told
        self._store = store
        self._things = things
        self._groups = groups
        self._limits = limits
        self.queue = Queue(store=store, told=told, documents=documents)
        self._rollouts = Rollouts(store=store, queue=self.queue, things=things, groups=groups)

    def create(self, tx: Tx, account: str, job: Job) -> Events:
        """Write a new job down and queue it for its targets. Raises InvalidRequest, ResourceNotFound and the like."""
        self._check_document(tx, account, job)
        _check_number(job)
        self._check_targets(tx, account, job.things, job.groups)
        schedule = job.settings.schedule or Schedule()
        schedule.check(continuous=job.selection is Selection.CONTINUOUS, now=tx.now)
        status = JobStatus.IN_PROGRESS if schedule.start_at is None else JobStatus.SCHEDULED
        self._store.add(tx, account, replace(job, status=status, created_at=tx.now, updated_at=tx.now))
        for kind, at in ((START, schedule.start_at), (END, schedule.end_at)):
            if at is not None:
                tx.follow_up(kind, account=account, key=job.id, body={"job": job.id}, due_at=at)
        return () if status is JobStatus.SCHEDULED else self._begun(tx, account, job.id)

    def start(self, tx: Tx, account: str, job_id: str) -> Events:
        """The time of a scheduled job has come. May run twice."""
        job = self._store.get(tx, account, job_id)
        if job is None or job.status is not JobStatus.SCHEDULED:
            return ()  # it was canceled, or runs already
        self._store.put(tx, account, replace(job, status=JobStatus.IN_PROGRESS, updated_at=tx.now))
        return self._begun(tx, account, job_id)

    def end(self, tx: Tx, account: str, job_id: str) -> Events:
        """The end of a job's schedule has come: it goes to nobody more, or is canceled. May run twice."""
        job = self._store.get(tx, account, job_id)
        if job is None or not job.status.alive:
            return ()
        at_end = (job.settings.schedule or Schedule()).at_end or STOP
        if at_end != STOP:
            comment = "The job's end time has come."
            return self.cancel(tx, account, job_id, force=at_end != CANCEL, reason_code=ENDED, comment=comment)[1]
        self._rollouts.stop(tx, account, job_id)
        self._store.put(tx, account, replace(job, stopped=True, status=JobStatus.IN_PROGRESS, updated_at=tx.now))
        self._maybe_complete(tx, account, job_id)
        return ()

    def _check_document(self, tx: Tx, account: str, job: Job) -> None:
        if self._store.get(tx, account, job.id) is not None:
            raise ResourceAlreadyExists(f"Job {job.id} already exists.", resourceId=job.id)
        content_of(job.document)
        if len(job.document) > self._limits.of(job.namespace):
            raise InvalidRequest(f"The job document is longer than {self._limits.of(job.namespace)} characters.")

    def _check_targets(self, tx: Tx, account: str, things: Sequence[str], groups: Sequence[str]) -> None:
        for name in things:
            if not self._things.exists(tx, account, name):
                raise ResourceNotFound(f"Thing {name} cannot be found.")
        for name in groups:
            if not self._groups.exists(tx, account, name):
                raise ResourceNotFound(f"Thing Group {name} cannot be found.")

    def extend(
        self,
        tx: Tx,
        account: str,
        job_id: str,
        *,
        things: Sequence[str],
        groups: Sequence[str],
        comment: str | None,
    ) -> tuple[Job, Events]:
        """Give a continuous job further targets."""
        job = self.present(tx, account, job_id)
        if job.selection is not Selection.CONTINUOUS or job.status is not JobStatus.IN_PROGRESS:
            raise InvalidRequest(f"Job {job_id} is not a continuous job in progress.")
        self._check_targets(tx, account, things, groups)
        extended = replace(
            job,
            things=tuple(dict.fromkeys((*job.things, *things))),
            groups=tuple(dict.fromkeys((*job.groups, *groups))),
            comment=comment or job.comment,
            updated_at=tx.now,
        )
        _check_number(extended)
        self._store.put(tx, account, extended)
        self._store.put_targets(tx, account, extended)
        return extended, self._begun(tx, account, job_id)

    def _begun(self, tx: Tx, account: str, job_id: str) -> Events:
        events = self._rollouts.begin(tx, account, job_id)
        self._maybe_complete(tx, account, job_id)
        return events

    def roll_out(self, tx: Tx, account: str, job_id: str, after: str) -> Events:
        """Go on with a rollout. May run twice."""
        events = self._rollouts.go_on(tx, account, job_id, after)
        self._maybe_complete(tx, account, job_id)
        return events

    def follow_membership(self, tx: Tx, account: str, thing: str, group: str) -> Events:
        """Bring the thing's executions in line with its groups, after it joined or left one. May run twice."""
        events, taken = self._rollouts.follow_membership(tx, account, thing, group)
        for job_id in taken:
            self._maybe_complete(tx, account, job_id)
        return events

    def cancel(
        self, tx: Tx, account: str, job_id: str, *, force: bool, reason_code: str | None, comment: str | None
    ) -> tuple[Job, Events]:
        """Cancel a job: what is queued, with `force` also what is in progress."""
        job = self.present(tx, account, job_id)
        if not job.may_become(JobStatus.CANCELED):
            raise InvalidRequest(f"Job {job_id} is {job.status.value} and cannot be canceled.")
        ended = job.ended(JobStatus.CANCELED, tx.now)
        canceled = replace(ended, reason_code=reason_code, comment=comment, forced=force)
        self._mark_canceled(tx, account, canceled)
        return canceled, self.cancel_batch(tx, account, job_id, force=force)

    def _mark_canceled(self, tx: Tx, account: str, canceled: Job) -> None:
        self._store.put(tx, account, canceled)
        self._end_timers(tx, account, canceled.id)
        self._told.job(tx, account, canceled, "cancellation_in_progress")

    def _end_timers(self, tx: Tx, account: str, job_id: str) -> None:
        self._rollouts.stop(tx, account, job_id)
        for kind in (START, END):
            tx.cancel_follow_ups(kind, account=account, key=job_id)

    def cancel_batch(self, tx: Tx, account: str, job_id: str, *, force: bool) -> Events:
        """Cancel executions of a canceled job; a follow-up goes on with the rest. May run twice."""
        batch = list(self._store.executions.in_status(tx, account, job_id, Status.QUEUED, limit=BATCH))
        if force and len(batch) < BATCH:
            batch += self._store.executions.in_status(tx, account, job_id, Status.IN_PROGRESS, limit=BATCH - len(batch))
        events: Events = ()
        for one in batch:
            events += self.queue.put(tx, account, replace(one.moved(Status.CANCELED, tx.now), forced=force))
        if len(batch) == BATCH:
            tx.follow_up(CANCELLATION, account=account, key=job_id, body={"job": job_id, "force": force})
        elif (job := self._store.get(tx, account, job_id)) is not None:
            self._told.job(tx, account, job, "canceled")
        return events

    def delete(self, tx: Tx, account: str, job_id: str, *, force: bool) -> Events:
        """Delete a job and its executions; one that has not ended only by force."""
        job = self.present(tx, account, job_id)
        if job.status.alive and not force:
            raise InvalidTransition(f"Job {job_id} is {job.status.value}: cancel it first, or use force.")
        going = job.ended(JobStatus.DELETION_IN_PROGRESS, tx.now)
        self._store.put(tx, account, going)
        self._end_timers(tx, account, job_id)
        tx.cancel_follow_ups(CANCELLATION, account=account, key=job_id)  # another job may have the id soon
        self._told.job(tx, account, going, "deletion_in_progress")
        return self.delete_batch(tx, account, job_id)

    def delete_batch(self, tx: Tx, account: str, job_id: str) -> Events:
        """Delete executions of a job that goes, at last the job itself. May run twice."""
        batch = self._store.executions.of_job(tx, account, job_id, limit=BATCH)
        events: Events = ()
        for one in batch:
            events += self.queue.forget(tx, account, one)
        if len(batch) == BATCH:
            tx.follow_up(DELETION, account=account, key=job_id, body={"job": job_id})
        elif (job := self._store.get(tx, account, job_id)) is not None:
            self._store.remove(tx, account, job_id)
            self._told.job(tx, account, job, "deleted")
        return events

    def forget(self, tx: Tx, account: str, one: Execution) -> Events:
        """Delete an execution."""
        events = self.queue.forget(tx, account, one)
        self._maybe_complete(tx, account, one.job)
        return events

    def drop(self, tx: Tx, account: str, thing: str) -> Events:
        """Remove what is queued for a thing that was deleted; nothing when it is there again. May run twice."""
        if self._things.exists(tx, account, thing):
            return ()
        queued = self._store.executions.of_thing(tx, account, thing, status=Status.QUEUED.value)
        events: Events = ()
        for one in queued:
            events += self.put(tx, account, one.removed(tx.now))
        return events

    def time_out(self, tx: Tx, account: str, job_id: str, thing: str, number: int) -> Events:
        """End an execution whose timer has come; nothing when it has ended or no timer runs.

        A timer that is set anew takes the former one back, so this is not asked of the clock, which may be set back.
        Was it set forward, then the timer goes on.
        """
        one = self._store.executions.get(tx, account, job_id, thing, number)
        if one is None or one.ends_at is None:
            return ()
        step_s, s = (self.steady.ahead(mark, tx.now) for mark in (one.step_mark, one.mark))
        if step_s or s:
            mark = self.steady.mark(tx.now)
            later = replace(one.put_off(step_s, s), step_mark=mark, mark=mark)
            if later.ends_at is not None and later.ends_at > tx.now:
                return self.queue.put(tx, account, later)
        return self.put(tx, account, one.moved(Status.TIMED_OUT, tx.now))

    def put(self, tx: Tx, account: str, changed: Execution, *, later: bool = False) -> Events:
        """Write a changed execution; one that has ended may be tried again, end its job, or have it given up.

        `later` is for what the thing itself asked for: it is told after it has its answer.
        """
        if changed.status.pending:
            return self.queue.put(tx, account, changed, later=later)
        job = self._store.get(tx, account, changed.job)
        again = None
        if job is not None and job.status is JobStatus.IN_PROGRESS:
            again = changed.again(job.settings.retry, tx.now)
        if again is not None:
            position = self._store.executions.next_position(tx, account, again.thing)
            again = replace(again, position=position)
        events = self.queue.put(tx, account, changed, again=again, later=later)
        if job is None or job.status is not JobStatus.IN_PROGRESS:
            return events
        progress = self._store.progress(tx, account, job.id)
        comment = _abort_reason(job, progress)
        if comment is not None:  # the others hear of it later: this may be one thing's request
            ended = job.ended(JobStatus.CANCELED, tx.now)
            self._mark_canceled(tx, account, replace(ended, reason_code=ABORTED, comment=comment))
            tx.follow_up(CANCELLATION, account=account, key=job.id, body={"job": job.id, "force": False})
            return events
        self._maybe_complete(tx, account, job.id)
        return events

    def present(self, tx: Tx, account: str, job_id: str) -> Job:
        """Answer the job; raise ResourceNotFound when there is none."""
        return self.queue.present(tx, account, job_id)

    def _maybe_complete(self, tx: Tx, account: str, job_id: str) -> None:
        job = self._store.get(tx, account, job_id)
        if job is None or not job.may_become(JobStatus.COMPLETED) or not job.may_complete:
            return
        progress = self._store.progress(tx, account, job_id)
        if not progress.pending:
            completed = job.ended(JobStatus.COMPLETED, tx.now)
            self._store.put(tx, account, completed)
            self._end_timers(tx, account, job_id)
            self._told.job(tx, account, completed, "completed", progress.counts)
            self.on_completed(tx, account, job_id, progress.counts)


def _check_number(job: Job) -> None:
    if len(job.things) + len(job.groups) > MOST_TARGETS:
        raise LimitExceeded(f"A job may have {MOST_TARGETS} targets at most.")


def _abort_reason(job: Job, progress: Progress) -> str | None:
    """Answer why the job is to be given up, None when it is not."""
    executed = progress.executed
    for one in job.settings.abort:
        kinds = [Status.FAILED, Status.REJECTED, Status.TIMED_OUT]
        kinds = kinds if one.failure == ALL_FAILURES else [Status(one.failure)]
        failed = sum(progress.counts.get(kind, 0) for kind in kinds)
        if failed and executed >= one.least and 100 * failed >= one.percentage * executed:
            return f"{failed} of {executed} executions ended as {one.failure}: at least {one.percentage:g} %."
    return None
