"""What a thing asks about its own jobs: pending, start next, describe, update; for MQTT and HTTP alike.

Errors are JobRefused. Spec: AWS IoT Jobs, "jobs device MQTT API".
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hedgerow.core.events import Published
from hedgerow.services.iot.jobs.changes import Jobs
from hedgerow.services.iot.jobs.errors import (
    InvalidJobRequest,
    InvalidTransition,
    NoSuchExecution,
    TerminalStateReached,
    VersionMismatch,
)
from hedgerow.services.iot.jobs.messages import state
from hedgerow.services.iot.jobs.model import (
    LONGEST_DETAIL,
    NO_STEP_TIMER,
    SET_BY_DEVICES,
    STEP_MINUTES,
    Execution,
    Status,
)
from hedgerow.services.iot.jobs.store import JobStore
from hedgerow.store import Tx

NEXT: Final = "$next"
_KEY: Final = re.compile(r"[a-zA-Z0-9:_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Device:
    """Which thing asks, in which namespace ("" for none; None where requests name no namespace, as by HTTP)."""

    account: str
    thing: str
    namespace: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a device says about an execution."""

    status: Status
    details: Mapping[str, str] | None = None
    expected_version: int | None = None
    number: int | None = None
    step_minutes: int | None = None


class DeviceDesk:
    """Answers things. It holds no state; one serves every transaction."""

    def __init__(self, *, jobs: Jobs, store: JobStore) -> None:
        self._jobs = jobs
        self._store = store

    def pending(self, tx: Tx, device: Device) -> Sequence[Execution]:
        """Answer what the thing has to do, what comes first in front."""
        return self._store.executions.pending(tx, device.account, device.thing, device.namespace)

    def start_next(
        self, tx: Tx, device: Device, details: Mapping[str, str] | None, step_minutes: int | None
    ) -> tuple[Execution | None, tuple[Published, ...]]:
        """Set the first pending execution in progress and answer it; one that is in progress stays as it is."""
        check_details(details)
        check_step(step_minutes)
        pending = self.pending(tx, device)
        if not pending or pending[0].status is Status.IN_PROGRESS:
            return (pending[0] if pending else None), ()
        job = self._jobs.present(tx, device.account, pending[0].job)
        mark = self._jobs.steady.mark(tx.now)
        begun = pending[0].moved(Status.IN_PROGRESS, tx.now, details)
        begun = begun.started(tx.now, job.settings.timeout_minutes, mark).with_step_timer(tx.now, step_minutes, mark)
        return begun, self._jobs.put(tx, device.account, begun, later=True)

    def describe(self, tx: Tx, device: Device, job: str, number: int | None) -> Execution | None:
        """Answer a pending execution; for `$next` None when nothing is pending."""
        if job == NEXT:
            pending = self.pending(tx, device)
            return pending[0] if pending else None
        one = self._present(tx, device, job, number)
        if not one.status.pending:
            raise TerminalStateReached(
                f"Job {job} for {device.thing} has already finished with status {one.status.value}"
            )
        return one

    def update(self, tx: Tx, device: Device, job: str, report: Report) -> tuple[Execution, tuple[Published, ...]]:
        """Take a device's report and answer the changed execution."""
        check_details(report.details)
        check_step(report.step_minutes)
        one = self._present(tx, device, job, report.number)
        if report.expected_version is not None and report.expected_version != one.version:
            raise VersionMismatch(
                f"The expected version {report.expected_version} is not the current one, {one.version}", state(one)
            )
        if report.status not in SET_BY_DEVICES or not one.may_become(report.status):
            raise InvalidTransition(
                f"The status of job execution cannot be changed to be {report.status.value}", state(one)
            )
        changed = one.moved(report.status, tx.now, report.details)
        if report.status is Status.IN_PROGRESS:
            minutes = self._jobs.present(tx, device.account, job).settings.timeout_minutes
            mark = self._jobs.steady.mark(tx.now)
            changed = changed.started(tx.now, minutes, mark).with_step_timer(tx.now, report.step_minutes, mark)
        return changed, self._jobs.put(tx, device.account, changed, later=True)

    def document(self, tx: Tx, device: Device, job: str) -> str:
        """Answer the job's document as text, with fresh links."""
        return self._jobs.queue.document(tx, device.account, job)

    def _present(self, tx: Tx, device: Device, job: str, number: int | None) -> Execution:
        if number is None:
            one = self._store.executions.latest(tx, device.account, job, device.thing)
        else:
            one = self._store.executions.get(tx, device.account, job, device.thing, number)
        if one is None or (device.namespace is not None and (one.namespace or "") != device.namespace):
            raise NoSuchExecution(f"Job {job} not found for {device.thing}")
        return one


def check_details(details: Any) -> None:
    """Raise InvalidJobRequest unless these are status details as a device may send them."""
    if details is None:
        return
    if not isinstance(details, Mapping):
        raise InvalidJobRequest("statusDetails must be an object")
    for key, value in details.items():
        if not _KEY.fullmatch(key):
            raise InvalidJobRequest(
                f"statusDetails has the key {key[:140]!r}: 1 to 128 of letters, digits, ':', '_', '-'"
            )
        if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_DETAIL or not _printable(value):
            raise InvalidJobRequest(f"statusDetails.{key} must be a text of 1 to {LONGEST_DETAIL} printable characters")


def _printable(text: str) -> bool:
    return not any(unicodedata.category(letter).startswith("C") for letter in text)


def check_step(minutes: Any) -> None:
    """Raise InvalidJobRequest unless this is a step timeout."""
    if minutes is None or (isinstance(minutes, int) and minutes is not True and minutes in STEP_MINUTES):
        return
    if minutes != NO_STEP_TIMER:
        raise InvalidJobRequest("stepTimeoutInMinutes must be 1 to 10080, or -1 to stop the timer")
