"""Changes jobs and their executions inside a transaction, and says what the things are told.

Operations, device requests, timers and other subjects (deployments) go through this. Whatever changes what a thing has
to do is followed by `notify`; a change of what comes first, by `notify-next`. Members of groups below a target group
count as members. At most BATCH executions are touched at once; the rest is a follow-up.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from hedgerow.core.events import Published
from hedgerow.services.iot.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from hedgerow.services.iot.jobs.errors import InvalidTransition
from hedgerow.services.iot.jobs.events import JobEvents
from hedgerow.services.iot.jobs.messages import execution_message, notice, topic
from hedgerow.services.iot.jobs.model import LONGEST_DOCUMENT, Execution, Job, JobStatus, Selection, Status
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.store import Tx

BATCH: Final = 40  # a new revision for a group cancels and queues as many: about 15 ms
MOST_TARGETS: Final = 100
TIMEOUT: Final = "job-timeout"
ROLLOUT: Final = "job-rollout"
CANCELLATION: Final = "job-cancellation"
DELETION: Final = "job-deletion"
NOTICE: Final = "job-notice"

Events = tuple[Published, ...]


class Things(Protocol):
    """What jobs ask about things."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing of that name."""
        ...


class Groups(Protocol):
    """What jobs ask about thing groups."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing group of that name."""
        ...

    def lines_of(self, tx: Tx, account: str, thing: str) -> Sequence[str]:
        """Answer the groups that the thing is in and all groups above them."""
        ...

    def line_of(self, tx: Tx, account: str, group: str) -> Sequence[str]:
        """Answer the group and all groups above it; nothing when there is no such group."""
        ...

    def things_in(
        self, tx: Tx, account: str, group: str, *, recursive: bool = False, after: str = "", limit: int = 1_000_000
    ) -> Sequence[str]:
        """Answer the things in the group by name, `recursive` also those in groups below it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """How long a job's document may be, in characters. Deployments to thing groups carry theirs whole, hence larger."""

    document: int = LONGEST_DOCUMENT
    named: Mapping[str, int] | None = None

    def of(self, namespace: str | None) -> int:
        """Answer the limit for jobs of a namespace."""
        larger = {"aws-gg-deployment": 98_304} if self.named is None else self.named
        return larger.get(namespace or "", self.document)


class Jobs:
    """All jobs. It holds no state; one serves every transaction."""

    def __init__(self, *, store: JobStore, things: Things, groups: Groups, limits: JobLimits, told: JobEvents) -> None:
        self._told = told
        self._store = store
        self._things = things
        self._groups = groups
        self._limits = limits

    def create(self, tx: Tx, account: str, job: Job) -> Events:
        """Write a new job down and queue it for its targets. Raises InvalidRequest, ResourceNotFound and the like."""
        self._check_document(tx, account, job)
        self._check_targets(tx, account, job.things, job.groups)
        self._store.add(tx, account, replace(job, created_at=tx.now, updated_at=tx.now))
        return self.roll_out(tx, account, job.id)

    def _check_document(self, tx: Tx, account: str, job: Job) -> None:
        if self._store.get(tx, account, job.id) is not None:
            raise ResourceAlreadyExists(f"Job {job.id} already exists.", resourceId=job.id)
        try:
            document = json.loads(job.document)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest("The job document is not JSON.") from error
        if not isinstance(document, dict):
            raise InvalidRequest("The job document is not a JSON object.")
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
        if len(extended.things) + len(extended.groups) > MOST_TARGETS:
            raise LimitExceeded(f"A job may have {MOST_TARGETS} targets at most.")
        self._store.put(tx, account, extended)
        self._store.put_targets(tx, account, extended)
        return extended, self.roll_out(tx, account, job_id)

    def roll_out(self, tx: Tx, account: str, job_id: str, after: str = "") -> Events:
        """Queue the job for the next targets by name; a follow-up goes on where this batch ends. May run twice."""
        job = self._store.get(tx, account, job_id)
        if job is None or job.status is not JobStatus.IN_PROGRESS:
            return ()
        names = {name for name in job.things if name > after}
        for group in job.groups:
            names.update(self._groups.things_in(tx, account, group, recursive=True, after=after, limit=BATCH))
        batch = sorted(names)[:BATCH]
        events = tuple(event for thing in batch for event in self._queue(tx, account, job, thing))
        if len(batch) == BATCH:
            tx.follow_up(ROLLOUT, account=account, key=job_id, body={"job": job_id, "after": batch[-1]})
            return events
        self._store.put(tx, account, replace(job, rolled_out=True))
        self._maybe_complete(tx, account, job_id)
        return events

    def _queue(self, tx: Tx, account: str, job: Job, thing: str) -> Events:
        """Queue the job for a thing, unless it has it already and has not left since."""
        last = self._store.executions.latest(tx, account, job.id, thing)
        if last is not None and not last.left:
            return ()
        if last is not None and last.status.pending:
            self._store.executions.put(tx, account, replace(last, left=False))
            return ()
        before = self._store.executions.pending(tx, account, thing, job.namespace)
        self._store.executions.add(
            tx,
            account,
            Execution(
                job=job.id,
                thing=thing,
                number=1 if last is None else last.number + 1,
                position=self._store.executions.next_position(tx, account, thing),
                namespace=job.namespace,
                queued_at=tx.now,
                updated_at=tx.now,
            ),
        )
        return self._notices(tx, account, thing, job.namespace, before)

    def follow_membership(self, tx: Tx, account: str, thing: str, group: str) -> Events:
        """Bring the thing's executions in line with its groups, after it joined or left one. May run twice."""
        above = set(self._groups.line_of(tx, account, group)) | {group}
        mine = set(self._groups.lines_of(tx, account, thing))
        following = {job.id: job for name in sorted(above) for job in self._store.following(tx, account, name)}
        following |= self._queued_by_group(tx, account, thing)  # the group may be gone, and its line with it
        events: Events = ()
        for job in sorted(following.values(), key=lambda one: (one.created_at, one.id)):
            if thing in job.things or mine & set(job.groups):
                events += self._queue(tx, account, job, thing)
            else:
                events += self._leave(tx, account, job, thing)
        return events

    def _queued_by_group(self, tx: Tx, account: str, thing: str) -> dict[str, Job]:
        queued = self._store.executions.of_thing(tx, account, thing, status=Status.QUEUED.value)
        jobs = [self._store.get(tx, account, one.job) for one in queued]
        return {
            job.id: job
            for job in jobs
            if job is not None and job.selection is Selection.CONTINUOUS and job.status is JobStatus.IN_PROGRESS
        }

    def _leave(self, tx: Tx, account: str, job: Job, thing: str) -> Events:
        last = self._store.executions.latest(tx, account, job.id, thing)
        if last is None or last.left:
            return ()
        if last.status is not Status.QUEUED:
            self._store.executions.put(tx, account, replace(last, left=True))
            return ()
        # The version of a removed execution stays as it was.
        removed = replace(last, status=Status.REMOVED, updated_at=tx.now, left=True)
        return self.put(tx, account, removed)

    def cancel(
        self, tx: Tx, account: str, job_id: str, *, force: bool, reason_code: str | None, comment: str | None
    ) -> tuple[Job, Events]:
        """Cancel a job: what is queued, with `force` also what is in progress."""
        job = self.present(tx, account, job_id)
        if job.status is not JobStatus.IN_PROGRESS:
            raise InvalidRequest(f"Job {job_id} is {job.status.value} and cannot be canceled.")
        canceled = replace(
            job.ended(JobStatus.CANCELED, tx.now), reason_code=reason_code, comment=comment, forced=force
        )
        self._store.put(tx, account, canceled)
        self._told.job(tx, account, canceled, "cancellation_in_progress")
        return canceled, self.cancel_batch(tx, account, job_id, force=force)

    def cancel_batch(self, tx: Tx, account: str, job_id: str, *, force: bool) -> Events:
        """Cancel executions of a canceled job; a follow-up goes on with the rest. May run twice."""
        batch = list(self._store.executions.in_status(tx, account, job_id, Status.QUEUED, limit=BATCH))
        if force and len(batch) < BATCH:
            batch += self._store.executions.in_status(tx, account, job_id, Status.IN_PROGRESS, limit=BATCH - len(batch))
        events: Events = ()
        for one in batch:
            events += self.put(tx, account, replace(one.moved(Status.CANCELED, tx.now), forced=force))
        if len(batch) == BATCH:
            tx.follow_up(CANCELLATION, account=account, key=job_id, body={"job": job_id, "force": force})
        elif (job := self._store.get(tx, account, job_id)) is not None:
            self._told.job(tx, account, job, "canceled")
        return events

    def delete(self, tx: Tx, account: str, job_id: str, *, force: bool) -> Events:
        """Delete a job and its executions; one in progress only by force."""
        job = self.present(tx, account, job_id)
        if job.status is JobStatus.IN_PROGRESS and not force:
            raise InvalidTransition(f"Job {job_id} is IN_PROGRESS: cancel it first, or use force.")
        going = job.ended(JobStatus.DELETION_IN_PROGRESS, tx.now)
        self._store.put(tx, account, going)
        self._told.job(tx, account, going, "deletion_in_progress")
        return self.delete_batch(tx, account, job_id)

    def delete_batch(self, tx: Tx, account: str, job_id: str) -> Events:
        """Delete executions of a job that goes, at last the job itself. May run twice."""
        batch = self._store.executions.of_job(tx, account, job_id, limit=BATCH)
        events: Events = ()
        for one in batch:
            events += self.forget(tx, account, one)
        if len(batch) == BATCH:
            tx.follow_up(DELETION, account=account, key=job_id, body={"job": job_id})
        elif (job := self._store.get(tx, account, job_id)) is not None:
            self._store.remove(tx, account, job_id)
            self._told.job(tx, account, job, "deleted")
        return events

    def forget(self, tx: Tx, account: str, one: Execution) -> Events:
        """Delete an execution."""
        before = self._store.executions.pending(tx, account, one.thing, one.namespace)
        self._store.executions.remove(tx, account, one)
        self._told.execution(tx, account, one, deleted=True)
        tx.cancel_follow_ups(TIMEOUT, account=account, key=_timer_key(one))
        self._maybe_complete(tx, account, one.job)
        return self._notices(tx, account, one.thing, one.namespace, before)

    def time_out(self, tx: Tx, account: str, job_id: str, thing: str, number: int) -> Events:
        """End an execution whose time is over; nothing when it has ended or its timer was set anew."""
        one = self._store.executions.get(tx, account, job_id, thing, number)
        if one is None or one.ends_at is None or one.ends_at > tx.now:
            return ()
        return self.put(tx, account, one.moved(Status.TIMED_OUT, tx.now))

    def put(self, tx: Tx, account: str, changed: Execution, *, later: bool = False) -> Events:
        """Write a changed execution: set its timer, complete its job, tell the thing what changed for it.

        `later` is for what the thing itself asked for: it is told after it has its answer.
        """
        before = self._store.executions.pending(tx, account, changed.thing, changed.namespace)
        self._store.executions.put(tx, account, changed)
        tx.cancel_follow_ups(TIMEOUT, account=account, key=_timer_key(changed))
        if changed.ends_at is not None:
            body = {"job": changed.job, "thing": changed.thing, "number": changed.number}
            tx.follow_up(TIMEOUT, account=account, key=_timer_key(changed), body=body, due_at=changed.ends_at)
        if not changed.status.pending:
            self._told.execution(tx, account, changed)
            self._maybe_complete(tx, account, changed.job)
        return self._notices(tx, account, changed.thing, changed.namespace, before, later=later)

    def present(self, tx: Tx, account: str, job_id: str) -> Job:
        """Answer the job; raise ResourceNotFound when there is none."""
        job = self._store.get(tx, account, job_id)
        if job is None:
            raise ResourceNotFound(f"Job {job_id} cannot be found.")
        return job

    def _maybe_complete(self, tx: Tx, account: str, job_id: str) -> None:
        job = self._store.get(tx, account, job_id)
        if job is None or job.status is not JobStatus.IN_PROGRESS or not job.rolled_out:
            return
        if job.selection is Selection.CONTINUOUS:
            return
        counts = self._store.executions.counts(tx, account, job_id)
        if not any(status.pending for status in counts):
            completed = job.ended(JobStatus.COMPLETED, tx.now)
            self._store.put(tx, account, completed)
            self._told.job(tx, account, completed, "completed", counts)

    def _notices(
        self,
        tx: Tx,
        account: str,
        thing: str,
        namespace: str | None,
        before: Sequence[Execution],
        *,
        later: bool = False,
    ) -> Events:
        after = self._store.executions.pending(tx, account, thing, namespace)
        fronts = [_identity(pending[0]) if pending else None for pending in (before, after)]
        changed = {
            "notify": {_identity(one) for one in before} != {_identity(one) for one in after},
            "notify-next": fronts[0] != fronts[1],
        }
        topics = [what for what, differs in changed.items() if differs]
        if later and topics:
            body = {"thing": thing, "namespace": namespace, "topics": topics}
            tx.follow_up(NOTICE, account=account, key=thing, body=body)
            return ()
        return self.tell(tx, account, thing, namespace, topics)

    def tell(self, tx: Tx, account: str, thing: str, namespace: str | None, topics: Sequence[str]) -> Events:
        """Answer what a thing is told on these topics (`notify`, `notify-next`) of what it has to do now."""
        pending = self._store.executions.pending(tx, account, thing, namespace)
        events: list[Published] = []
        for what in topics:
            message = notice(pending, now=tx.now) if what == "notify" else self._next(tx, account, pending)
            events.append(_published(account, topic(thing, what, namespace), message))
        return tuple(events)

    def _next(self, tx: Tx, account: str, pending: Sequence[Execution]) -> Mapping[str, Any]:
        message: dict[str, Any] = {"timestamp": int(tx.now)}
        if pending:
            document = self.present(tx, account, pending[0].job).document
            message["execution"] = execution_message(pending[0], now=tx.now, document=json.loads(document))
        return message


def _identity(one: Execution) -> tuple[str, int]:
    return one.job, one.number


def _timer_key(one: Execution) -> str:
    return json.dumps([one.job, one.thing, one.number])


def _published(account: str, name: str, message: Mapping[str, Any]) -> Published:
    payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return Published(account=account, topic=name, payload=payload, qos=1)
