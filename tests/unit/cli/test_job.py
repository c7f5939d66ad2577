"""How far a job is, in words and as a bar."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from hedgerow.cli.job import Progress, _bar, _lines, progress_of


def looks() -> Iterator[Progress]:
    yield Progress("IN_PROGRESS", {"Queued": 2})
    yield Progress("IN_PROGRESS", {"Queued": 2})
    yield Progress("IN_PROGRESS", {"InProgress": 1, "Succeeded": 1})
    yield Progress("COMPLETED", {"Succeeded": 1, "TimedOut": 1})


def test_progress_is_read_from_what_the_cloud_answers() -> None:
    details = {"processingTargets": ["x"], "numberOfQueuedThings": 3, "numberOfFailedThings": 1}

    found = progress_of({"status": "IN_PROGRESS", "jobProcessDetails": details})

    assert (found.total, found.done, found.bad, found.over) == (4, 1, 1, False)
    assert found.words() == "1 of 4 done: 3 queued, 1 failed"


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"])
def test_a_job_that_is_over_is_known(status: str) -> None:
    assert progress_of({"status": status}).over


def test_without_a_terminal_each_change_is_a_line() -> None:
    out = io.StringIO()

    last = _lines(Console(file=out, width=40), "blink [x]", looks())

    assert out.getvalue().splitlines() == [
        "blink [x] in progress: 0 of 2 done: 2 queued",
        "blink [x] in progress: 1 of 2 done: 1 in progress, 1 succeeded",
        "blink [x] completed: 2 of 2 done: 1 succeeded, 1 timed out",
    ]
    assert last.bad == 1


def test_on_a_terminal_there_is_a_bar() -> None:
    out = io.StringIO()

    last = _bar(Console(file=out, width=120, force_terminal=True), "blink", looks())

    assert last.status == "COMPLETED"
    assert "2/2" in out.getvalue()
    assert "1 succeeded, 1 timed out" in out.getvalue()
