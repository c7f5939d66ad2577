"""What is told of jobs on `$aws/events/job/…` and `$aws/events/jobExecution/…`, where the account wants it.

Spec: AWS IoT developer guide, "Jobs events": `timestamp` is in seconds, the other times in milliseconds.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from hedgerow.core.arn import arn
from hedgerow.services.iot.jobs.model import Execution, Job, Status
from hedgerow.store import Tx

JOB: Final = "JOB"
EXECUTION: Final = "JOB_EXECUTION"
_ENDED: Final = (Status.CANCELED, Status.REJECTED, Status.FAILED, Status.REMOVED, Status.SUCCEEDED)


class Telling(Protocol):
    """Who writes events down."""

    @property
    def region(self) -> str:
        """The region of ARNs."""
        ...

    def wants(self, account: str, *kinds: str) -> bool:
        """Tell whether the account has any of these kinds switched on."""
        ...

    def tell(self, tx: Tx, account: str, key: str, topic: str, message: Mapping[str, Any]) -> None:
        """Write an event down, with an id of its own; those with the same key are sent in order."""
        ...


class JobEvents:
    """Tells of jobs and executions. It holds no state."""

    def __init__(self, *, telling: Telling) -> None:
        self._telling = telling

    def job(self, tx: Tx, account: str, job: Job, operation: str, counts: Mapping[Status, int] | None = None) -> None:
        """A job was `completed` (with the `counts` of its executions), `canceled`, `deleted`, or is about to be."""
        if not self._telling.wants(account, JOB):
            return
        message: dict[str, Any] = {
            "eventType": JOB,
            "timestamp": int(tx.now),
            "operation": operation,
            "jobId": job.id,
            "status": operation.upper(),
            "targetSelection": job.selection.value,
            "targets": job.target_arns(self._telling.region, account),
            "createdAt": _ms(job.created_at),
            "lastUpdatedAt": _ms(job.updated_at),
        }
        if job.completed_at is not None:
            message["completedAt"] = _ms(job.completed_at)
        optional = {"description": job.description, "comment": job.comment}
        message |= {name: value for name, value in optional.items() if value is not None}
        if counts is not None:
            names = {status: f"numberOf{status.value.capitalize()}Things" for status in _ENDED}
            message["jobProcessDetails"] = {name: counts.get(status, 0) for status, name in names.items()}
        self._telling.tell(tx, account, f"job/{job.id}", f"job/{job.id}/{operation}", message)

    def execution(self, tx: Tx, account: str, one: Execution, *, deleted: bool = False) -> None:
        """An execution has ended, or was deleted."""
        if not self._telling.wants(account, EXECUTION):
            return
        operation = "deleted" if deleted else one.status.value.lower()
        message = {
            "eventType": EXECUTION,
            "timestamp": int(tx.now),
            "operation": operation,
            "jobId": one.job,
            "thingArn": arn("iot", self._telling.region, account, f"thing/{one.thing}"),
            "status": one.status.value,
            "statusDetails": dict(one.details),
        }
        key = f"job/{one.job}/{one.thing}"
        self._telling.tell(tx, account, key, f"jobExecution/{one.job}/{operation}", message)


def _ms(at: float) -> int:
    return int(at * 1000)
