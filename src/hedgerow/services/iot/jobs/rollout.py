"""Brings jobs to their targets: all things by name, at the rate that the job says, and who joins a group later.

A rollout goes on in follow-ups of at most BATCH things. It may be begun anew at any time: a thing that has the job does
not get it again. Outside its maintenance windows a job goes to nobody; each window begins it anew. Members of groups
below a target group count as members. Those who join a group of a continuous job get it at once, or when the next
window opens, whatever the rate.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from hedgerow.services.iot.jobs.model import Execution, Job, JobStatus, Selection, Status
from hedgerow.services.iot.jobs.queue import Events, Queue
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.store import Tx

BATCH: Final = 100
"""Things in one transaction: some 5 ms."""
ROLLOUT: Final = "job-rollout"
MINUTE_S: Final = 60.0
_WITHOUT_LIMIT: Final = 10**9


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


class Rollouts:
    """All rollouts. It holds no state; one serves every transaction."""

    def __init__(self, *, store: JobStore, queue: Queue, things: Things, groups: Groups) -> None:
        self._store = store
        self._queue = queue
        self._things = things
        self._groups = groups

    def begin(self, tx: Tx, account: str, job_id: str) -> Events:
        """Bring the job to all its targets, from the first on."""
        self.stop(tx, account, job_id)
        return self.go_on(tx, account, job_id)

    def stop(self, tx: Tx, account: str, job_id: str) -> None:
        """Let no further thing get it."""
        tx.cancel_follow_ups(ROLLOUT, account=account, key=job_id)

    def go_on(self, tx: Tx, account: str, job_id: str, after: str = "") -> Events:
        """Queue the job for the next targets by name; a follow-up goes on where this one ends. May run twice."""
        job = self._store.get(tx, account, job_id)
        if job is None or not job.rolling:
            return ()
        if not job.open_at(tx.now):
            self._wait_for_window(tx, account, job)
            return ()
        began_at, used, room = self._room(tx, account, job)
        batch = self._next_names(tx, account, job, after) if room else []
        new, reached = self._wanting(tx, account, job, batch, room)
        events = self._queue.add_many(tx, account, job, new) if new else ()
        if job.settings.rollout is not None:
            self._store.use_minute(tx, account, job.id, began_at=began_at, used=used + len(new))
        if room and len(batch) < BATCH and reached == (batch or [""])[-1]:
            self._store.put(tx, account, replace(job, rolled_out=True))
            self._wait_for_window(tx, account, job)
        else:
            body = {"job": job_id, "after": reached or after}
            due_at = tx.now if room > len(new) else began_at + MINUTE_S
            tx.follow_up(ROLLOUT, account=account, key=job_id, body=body, due_at=due_at)
        return events

    def _wait_for_window(self, tx: Tx, account: str, job: Job) -> None:
        schedule = job.settings.schedule
        opens_at = None if schedule is None else schedule.next_opening(tx.now)
        if opens_at is not None:
            body = {"job": job.id, "after": ""}
            tx.follow_up(ROLLOUT, account=account, key=job.id, body=body, due_at=opens_at)

    def _room(self, tx: Tx, account: str, job: Job) -> tuple[float, int, int]:
        """Answer when the current minute began, how many it has had, and how many it may still have."""
        if job.settings.rollout is None:
            return tx.now, 0, _WITHOUT_LIMIT
        found = self._store.progress(tx, account, job.id)
        began_at, used = found.minute_at, found.minute_used
        if began_at is None or not began_at <= tx.now < began_at + MINUTE_S:
            began_at, used = tx.now, 0
        succeeded = found.counts.get(Status.SUCCEEDED, 0)
        rate = job.settings.rollout.rate(notified=found.notified, succeeded=succeeded)
        return began_at, used, max(0, rate - used)

    def _next_names(self, tx: Tx, account: str, job: Job, after: str) -> list[str]:
        names = {name for name in job.things if name > after}
        for group in job.groups:
            names.update(self._groups.things_in(tx, account, group, recursive=True, after=after, limit=BATCH))
        return sorted(names)[:BATCH]

    def _wanting(self, tx: Tx, account: str, job: Job, things: Sequence[str], most: int) -> tuple[list[Execution], str]:
        """Answer the executions to make, `most` at most, and the last thing that was looked at.

        A thing that has the job already, and has not left since, gets it no second time; one that was a target by its
        name, and has been deleted since, does not get it.
        """
        named = frozenset(job.things)  # members of groups are there
        latest = self._store.executions.latest_of(tx, account, job.id, things)
        positions = self._store.executions.next_positions(tx, account, things)
        new: list[Execution] = []
        reached = ""
        for thing in things:
            last = latest.get(thing)
            if last is not None and last.left and last.status.pending:
                self._store.executions.put(tx, account, replace(last, left=False))
            elif (last is None or last.left) and (thing not in named or self._things.exists(tx, account, thing)):
                if len(new) == most:
                    break
                new.append(
                    Execution(
                        job=job.id,
                        thing=thing,
                        number=1 if last is None else last.number + 1,
                        position=positions.get(thing, 1),
                        namespace=job.namespace,
                        queued_at=tx.now,
                        updated_at=tx.now,
                    )
                )
            reached = thing
        return new, reached

    def follow_membership(self, tx: Tx, account: str, thing: str, group: str) -> tuple[Events, Sequence[str]]:
        """Bring the thing's executions in line with its groups; answer also which jobs were taken from it."""
        above = set(self._groups.line_of(tx, account, group)) | {group}
        mine = set(self._groups.lines_of(tx, account, thing))
        following = {job.id: job for name in sorted(above) for job in self._store.following(tx, account, name)}
        following |= self._queued_by_group(tx, account, thing)  # the group may be gone, and its line with it
        events: Events = ()
        taken: list[str] = []
        for job in sorted(following.values(), key=lambda one: (one.created_at, one.id)):
            if thing in job.things or mine & set(job.groups):
                new = self._wanting(tx, account, job, (thing,), 1)[0] if job.open_at(tx.now) else []
                events += self._queue.add_many(tx, account, job, new) if new else ()
            else:
                events += self._leave(tx, account, job, thing)
                taken.append(job.id)
        return events, taken

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
        return self._queue.put(tx, account, last.removed(tx.now))
