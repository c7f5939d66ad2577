"""Running a job's steps, one after another, so that a restart of the edge or of the machine goes on where it was.

Before each step it is written down which one comes. A step that was under way when the edge ended runs again
(HEDGEROW_JOB_ATTEMPT says for which time), the ones before it do not. The result is written down before it is
reported. Leaves to others: what a step does (`actions.py`), whom it is reported to (`channel.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from hedgerow.edge.jobs.actions import Actions, Failed, Situation
from hedgerow.edge.jobs.document import Document, NotUnderstood, Step, read
from hedgerow.edge.state import State, forget, recall, remember

_MEMORY: Final = "job"
_LONGEST: Final = 1024  # characters of one status detail


class Status(StrEnum):
    """What a device may say of an execution."""

    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One execution as the cloud handed it out."""

    job_id: str
    number: int
    queued_at: Any
    document: Any

    @property
    def key(self) -> str:
        """What tells it from every other one, also from one of a later job with the same id."""
        return f"{self.job_id}:{self.number}:{self.queued_at}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an execution ended."""

    status: Status
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Progress:
    """What is remembered of the execution that runs, or has ended and is not reported yet."""

    key: str
    job_id: str
    number: int
    step: int = 0
    attempt: int = 0
    boot: str = ""  # the machine's boot in which a restart was asked for
    output: str = ""
    errors: str = ""
    result: dict[str, Any] | None = None

    def ended(self) -> Result | None:
        """Answer the result that waits to be reported."""
        if self.result is None:
            return None
        return Result(status=Status(self.result["status"]), details=self.result["details"])


OnStep = Callable[[Job, dict[str, str]], Awaitable[None]]


class Executions:
    """Runs one execution at a time."""

    def __init__(self, *, state: State, actions: Actions, attributes: Mapping[str, str]) -> None:
        self._state = state
        self._actions = actions
        self._attributes = {**attributes, "operatingSystem": attributes.get("os", "")}

    async def known(self) -> Progress | None:
        """Answer what is remembered."""
        found = await self._state.read(lambda c: recall(c, _MEMORY))
        return None if found is None else Progress(**found)

    async def reported(self) -> None:
        """The cloud knows how it ended, or does not want to know."""
        await self._state.write(lambda c: forget(c, _MEMORY))

    async def run(self, job: Job, on_step: OnStep) -> Result:
        """Run what is left of the job; the result is remembered when this returns."""
        known = await self.known()
        progress = known if known is not None and known.key == job.key else None
        progress = progress or Progress(key=job.key, job_id=job.job_id, number=job.number)
        result = progress.ended() or await self._result(job, progress, on_step)
        progress.result = {"status": result.status.value, "details": dict(result.details)}
        await self._remember(progress)
        return result

    async def _result(self, job: Job, progress: Progress, on_step: OnStep) -> Result:
        try:
            document = read(job.document)
        except NotUnderstood as error:
            return Result(status=Status.REJECTED, details=_details(reason=str(error)))
        unmet = document.unmet(self._attributes)
        if unmet is not None:
            return Result(status=Status.REJECTED, details=_details(reason=unmet))
        for number in range(progress.step, len(document.steps)):
            step = document.steps[number]
            place = f"{number + 1} of {len(document.steps)}: {step.name}"
            progress.attempt = progress.attempt + 1 if progress.step == number else 1
            progress.step = number
            await self._remember(progress)
            await on_step(job, _details(step=place))
            failure = await self._step(job, progress, step)
            if failure is not None and not step.may_fail:
                return Result(status=Status.FAILED, details=_ended(document, progress, place, failure))
            progress.boot = ""
        return Result(status=Status.SUCCEEDED, details=_ended(document, progress))

    async def _step(self, job: Job, progress: Progress, step: Step) -> str | None:
        """Run one step; answer None when it went well, else what is wrong."""

        async def restarting(boot: str) -> None:
            progress.boot = boot
            await self._remember(progress)

        situation = Situation(
            job_id=job.job_id,
            number=job.number,
            key=job.key,
            attempt=progress.attempt,
            boot=progress.boot,
            restarting=restarting,
        )
        try:
            ended = await self._actions.run(step, situation)
        except Failed as failure:
            return str(failure)
        progress.output = (progress.output + ended.output)[-_LONGEST:]
        progress.errors = (progress.errors + ended.errors)[-_LONGEST:]
        if ended.status < 0:
            return f"it was ended by signal {-ended.status}"
        if ended.status:
            return f"it ended with status {ended.status}"
        if step.most_error_lines is not None and ended.error_lines > step.most_error_lines:
            return f"it wrote {ended.error_lines} lines to standard error; allowStdErr is {step.most_error_lines}"
        return None

    async def _remember(self, progress: Progress) -> None:
        await self._state.write(lambda c: remember(c, _MEMORY, asdict(progress)))


def _ended(document: Document, progress: Progress, place: str = "", failure: str = "") -> dict[str, str]:
    return _details(
        step=place,
        reason=failure,
        stdout=progress.output if document.with_output else "",
        stderr=progress.errors if document.with_output or failure else "",
    )


def _details(**given: str) -> dict[str, str]:
    """Answer status details as the cloud takes them: no control characters, not empty, not too long."""
    clean = {name: _clean(value) for name, value in given.items()}
    return {name: value for name, value in clean.items() if value}


def _clean(text: str) -> str:
    lines = text.strip().replace("\r", "").split("\n")
    plain = " | ".join("".join(c if c.isprintable() else " " for c in line) for line in lines)
    return plain[-_LONGEST:].strip()
