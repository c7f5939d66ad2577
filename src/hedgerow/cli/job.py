"""`hedgerow job …`: give work to things and groups, see how far it is, and call it off."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hedgerow.base.errors import Unusable
from hedgerow.cli.documents import parsed, raw, without_nothing
from hedgerow.cli.refusals import in_one_line
from hedgerow.cli.target import Target, target

app = typer.Typer(help="Jobs: work for things and groups of things.", no_args_is_help=True)

Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
Data = Annotated[Path | None, typer.Option("--data", help="The cloud's data folder; default: the environment.")]
Every = Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks.")]

_OVER: Final = {"COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"}
_BAD: Final = ("Failed", "Rejected", "TimedOut", "Canceled")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    status: str
    numbers: Mapping[str, int]  # of things, by what has become of them: {"Queued": 3, "Succeeded": 2}

    @property
    def total(self) -> int:
        return sum(self.numbers.values())

    @property
    def done(self) -> int:
        """Answer how many things are through, well or not."""
        return self.total - self.numbers.get("Queued", 0) - self.numbers.get("InProgress", 0)

    @property
    def bad(self) -> int:
        return sum(self.numbers.get(name, 0) for name in _BAD)

    @property
    def over(self) -> bool:
        return self.status in _OVER

    def words(self) -> str:
        """Answer the progress in words: `2 of 5 done: 1 succeeded, 1 failed, 3 queued`."""
        parts = [f"{number} {_lower(name)}" for name, number in self.numbers.items() if number]
        return f"{self.done} of {self.total} done" + (f": {', '.join(parts)}" if parts else "")


@app.command()
def create(
    job: Job,
    document: Annotated[str, typer.Option("--document", help="The work, a JSON object; @FILE, or - for stdin.")],
    thing: Annotated[list[str] | None, typer.Option("--thing", help="A thing that does it; may be repeated.")] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="A thing group that does it; may be repeated.")
    ] = None,
    data: Data = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    continuous: Annotated[
        bool, typer.Option("--continuous", help="Things that join a group later do it, too.")
    ] = False,
    timeout_minutes: Annotated[
        int | None, typer.Option("--timeout-minutes", min=1, max=10080, help="How long one thing may take.")
    ] = None,
    watched: Annotated[bool, typer.Option("--watch", help="Stay, and show how far it is.")] = False,
    every_s: Every = 1.0,
) -> None:
    """Make a job. Things that are connected hear of it at once, others when they come."""
    text = raw(document)
    parsed(text, "the document")
    if not thing and not group:
        raise Unusable("a job needs somebody to do it: --thing NAME or --group NAME")
    cloud = target(data)
    with in_one_line():
        account = cloud.client("sts").get_caller_identity()["Account"]
        own = f"arn:aws:iot:{cloud.region}:{account}:"
        targets = [f"{own}thing/{name}" for name in thing or ()] + [f"{own}thinggroup/{name}" for name in group or ()]
        timeout = None if timeout_minutes is None else {"inProgressTimeoutInMinutes": timeout_minutes}
        cloud.client("iot").create_job(
            jobId=job,
            targets=targets,
            document=text,
            targetSelection="CONTINUOUS" if continuous else "SNAPSHOT",
            **without_nothing({"description": description, "timeoutConfig": timeout}),
        )
    typer.echo(f"{job} is made")
    if watched:
        _watch(cloud, job, every_s)


@app.command()
def watch(job: Job, data: Data = None, every_s: Every = 1.0) -> None:
    """Show how far a job is until it is over. Ends with status 1 when a thing failed, or it was called off."""
    _watch(target(data), job, every_s)


@app.command()
def cancel(
    job: Job,
    data: Data = None,
    force: Annotated[bool, typer.Option("--force", help="Things that are at it already stop, too.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="A code that says why: A-Z, 0-9 and _.")] = None,
    comment: Annotated[str | None, typer.Option("--comment", help="Why, in words.")] = None,
) -> None:
    """Call a job off: things that have not begun will not do it."""
    given = without_nothing({"reasonCode": reason, "comment": comment})
    with in_one_line():
        target(data).client("iot").cancel_job(jobId=job, force=force, **given)
    typer.echo(f"{job} is called off")


def _watch(cloud: Target, job: str, every_s: float) -> None:
    from rich.console import Console

    console = Console()
    show = _bar if console.is_terminal else _lines
    last = show(console, job, _looks(cloud, job, every_s))
    if last.status != "COMPLETED" or last.bad:
        raise typer.Exit(1)


def _looks(cloud: Target, job: str, every_s: float) -> Iterator[Progress]:
    """Answer the progress, now and then, until the job is over."""
    iot, pause = cloud.client("iot"), threading.Event()
    while True:
        with in_one_line():
            found = progress_of(iot.describe_job(jobId=job)["job"])
        yield found
        if found.over:
            return
        pause.wait(every_s)


def _lines(console: Any, job: str, looks: Iterator[Progress]) -> Progress:
    """Print a line for each change; for what is no terminal."""
    last, said = Progress("", {}), ""
    for last in looks:
        line = f"{job} {last.status.lower().replace('_', ' ')}: {last.words()}"
        if line != said:
            said = line
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return last


def _bar(console: Any, job: str, looks: Iterator[Progress]) -> Progress:
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    last = Progress("", {})
    with Bars(*columns, TextColumn("{task.fields[words]}"), console=console) as bars:
        bar = bars.add_task(escape(job), total=None, words="")
        for last in looks:
            bars.update(bar, total=last.total, completed=last.done, words=escape(last.words()))
    return last


def progress_of(job: Mapping[str, Any]) -> Progress:
    """Answer the progress in what DescribeJob answers."""
    details = job.get("jobProcessDetails") or {}
    numbers = {
        name.removeprefix("numberOf").removesuffix("Things"): int(number)
        for name, number in details.items()
        if name.startswith("numberOf")
    }
    return Progress(job["status"], numbers)


def _lower(name: str) -> str:
    """Answer `TimedOut` as `timed out`."""
    return "".join(f" {character.lower()}" if character.isupper() else character for character in name).strip()
