"""What things have to do: writes executions, sets their timers, and says what the things are told of it.

Whatever changes what a thing has to do is followed by `notify`; a change of what comes first, by `notify-next`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hedgerow.core.events import Published
from hedgerow.services.iot.errors import ResourceNotFound
from hedgerow.services.iot.jobs.documents import Documents
from hedgerow.services.iot.jobs.events import JobEvents
from hedgerow.services.iot.jobs.messages import execution_message, notice, topic
from hedgerow.services.iot.jobs.model import Execution, Job
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.store import Tx

TIMEOUT: Final = "job-timeout"
NOTICE: Final = "job-notice"

Events = tuple[Published, ...]


class Queue:
    """The executions of all things. It holds no state; one serves every transaction."""

    def __init__(self, *, store: JobStore, told: JobEvents, documents: Documents) -> None:
        self._store = store
        self._told = told
        self._documents = documents

    def add_many(self, tx: Tx, account: str, job: Job, new: Sequence[Execution]) -> Events:
        """Queue a job for things, behind what each has to do."""
        things = [one.thing for one in new]
        waiting = self._store.executions.pending_of(tx, account, things, job.namespace)
        self._store.executions.add_many(tx, account, new)
        events: list[Published] = []
        document: Any = None
        for one in new:
            before = waiting.get(one.thing, ())
            message: Mapping[str, Any] = notice((*before, one), now=tx.now)
            events.append(_published(account, topic(one.thing, "notify", job.namespace), message))
            if not before:
                document = document or json.loads(self._documents.handed_out(tx, account, job))
                message = {
                    "timestamp": int(tx.now),
                    "execution": execution_message(one, now=tx.now, document=document),
                }
                events.append(_published(account, topic(one.thing, "notify-next", job.namespace), message))
        return tuple(events)

    def put(
        self, tx: Tx, account: str, changed: Execution, *, again: Execution | None = None, later: bool = False
    ) -> Events:
        """Write a changed execution, and queue the one that tries `again`.

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
        if again is not None:
            self._store.executions.add(tx, account, again)
        return self._notices(tx, account, changed, before, later=later)

    def forget(self, tx: Tx, account: str, one: Execution) -> Events:
        """Delete an execution."""
        before = self._store.executions.pending(tx, account, one.thing, one.namespace)
        self._store.executions.remove(tx, account, one)
        self._told.execution(tx, account, one, deleted=True)
        tx.cancel_follow_ups(TIMEOUT, account=account, key=_timer_key(one))
        return self._notices(tx, account, one, before)

    def present(self, tx: Tx, account: str, job_id: str) -> Job:
        """Answer the job; raise ResourceNotFound when there is none."""
        job = self._store.get(tx, account, job_id)
        if job is None:
            raise ResourceNotFound(f"Job {job_id} cannot be found.")
        return job

    def document(self, tx: Tx, account: str, job_id: str) -> str:
        """Answer the job's document as a device gets it."""
        return self._documents.handed_out(tx, account, self.present(tx, account, job_id))

    def tell(self, tx: Tx, account: str, thing: str, namespace: str | None, topics: Sequence[str]) -> Events:
        """Answer what a thing is told on these topics (`notify`, `notify-next`) of what it has to do now."""
        pending = self._store.executions.pending(tx, account, thing, namespace)
        events: list[Published] = []
        for what in topics:
            message = notice(pending, now=tx.now) if what == "notify" else self._next(tx, account, pending)
            events.append(_published(account, topic(thing, what, namespace), message))
        return tuple(events)

    def _notices(
        self, tx: Tx, account: str, one: Execution, before: Sequence[Execution], *, later: bool = False
    ) -> Events:
        after = self._store.executions.pending(tx, account, one.thing, one.namespace)
        fronts = [_identity(pending[0]) if pending else None for pending in (before, after)]
        changed = {
            "notify": {_identity(each) for each in before} != {_identity(each) for each in after},
            "notify-next": fronts[0] != fronts[1],
        }
        topics = [what for what, differs in changed.items() if differs]
        if later and topics:
            body = {"thing": one.thing, "namespace": one.namespace, "topics": topics}
            tx.follow_up(NOTICE, account=account, key=one.thing, body=body)
            return ()
        return self.tell(tx, account, one.thing, one.namespace, topics)

    def _next(self, tx: Tx, account: str, pending: Sequence[Execution]) -> Mapping[str, Any]:
        message: dict[str, Any] = {"timestamp": int(tx.now)}
        if pending:
            document = self.document(tx, account, pending[0].job)
            message["execution"] = execution_message(pending[0], now=tx.now, document=json.loads(document))
        return message


def _identity(one: Execution) -> tuple[str, int]:
    return one.job, one.number


def _timer_key(one: Execution) -> str:
    return json.dumps([one.job, one.thing, one.number])


def _published(account: str, name: str, message: Mapping[str, Any]) -> Published:
    payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return Published(account=account, topic=name, payload=payload, qos=1)
