"""The console's actions, as ASGI calls: what they let through, and what they answer when something is wrong."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from hedgerow.base.errors import HedgerowError
from hedgerow.console.actions import CANCEL, CLAIM, IMPORT, MAX_BODY, Actions
from hedgerow.console.desk import Desk
from hedgerow.console.errors import CloudUnreachable, NotThere, Refused, SessionOver
from hedgerow.console.guard import SESSION
from hedgerow.console.handout import Handout
from hedgerow.console.model import Credentials
from hedgerow.console.onboarding import Imported
from hedgerow.console.sessions import TooManyWatches, Watches
from hedgerow.console.watch import Watch
from tests.support.clock import FakeClock
from tests.unit.console.fakes import NOW, PERSON, FakeApi, FakeLive
from tests.unit.console.test_handout import handout
from tests.unit.console.test_watch import Inline


class Work:
    """Answers what a test says; an error is raised."""

    def __init__(self, answer: Handout | Imported | HedgerowError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, ...]] = []

    def claim(self, *asked: str) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, HedgerowError):
            raise self.answer
        return self.answer

    import_devices = claim
    cancel = claim


class Full(Watches):
    """No room for another person."""

    def lease(self, credentials: Credentials, *, look: bool = True) -> tuple[Watch, Callable[[], None]]:
        raise TooManyWatches


def post(
    path: str, body: bytes, work: Work | None = None, kind: type[Watches] = Watches
) -> tuple[int, dict[str, str], dict[str, Any]]:
    async def called() -> list[dict[str, Any]]:
        desk: Any = Desk(work or Work(Refused("nobody asked")), Inline())  # type: ignore[arg-type]  # scripted
        clock, sent = FakeClock(NOW), list[dict[str, Any]]()
        parts = [body[first : first + 65_536] for first in range(0, len(body), 65_536)] or [b""]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        async with asyncio.TaskGroup() as tasks:
            watches = kind(
                make=lambda _: Watch(api=FakeApi(), live=FakeLive(), clock=clock, workers=Inline(), desk=desk),
                tasks=tasks,
                clock=clock,
            )
            application = FastAPI()
            Actions(watches=watches, clock=clock).add(application)
            scope = {
                "type": "http",
                "method": "POST",
                "path": path,
                "query_string": b"",
                "headers": [],
                SESSION: PERSON,
            }
            await application({**scope, SESSION: PERSON}, receive, send)
        return sent

    start, *rest = asyncio.run(called())
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, json.loads(b"".join(part.get("body", b"") for part in rest))


def test_a_claim_is_answered_with_its_code_and_file_and_kept_by_no_browser() -> None:
    work = Work(handout())

    status, headers, told = post(CLAIM, b'{"template": "fleet"}', work)

    assert (status, headers["cache-control"], work.asked) == (200, "no-store", [("fleet",)])
    assert (told["template"], told["seconds"], told["fileName"]) == ("fleet", 300.0, "claim-fleet.json")
    assert json.loads(told["file"])["templateName"] == "fleet"
    assert told["code"]["path"].startswith("M4 4h7v1h-7z")
    assert told["note"] == ""


def test_a_claim_that_is_cancelled_is_named() -> None:
    work = Work(Imported(count=0, left=()))

    status, _, told = post(CANCEL, b'{"certificateId": "abc"}', work)

    assert (status, work.asked, "lets nobody in" in told["message"]) == (200, [("abc",)], True)
    assert post(CANCEL, b"{}")[0] == 400


def test_a_claim_without_a_ca_says_what_is_missing() -> None:
    _, _, told = post(CLAIM, b'{"template": "fleet"}', Work(handout(ca_pem="")))

    assert "does not know the CA" in told["note"]


def test_an_import_that_the_cloud_stopped_says_how_far_it_came() -> None:
    work = Work(Imported(count=1, left=("a", "b"), denied=("c",), trouble="slowly"))

    status, _, told = post(IMPORT, b'{"template": "fleet", "text": "x"}', work)

    assert (status, told["whole"], work.asked) == (200, False, [("fleet", "x")])
    assert told["message"] == (
        "1 device may have a certificate. 2 had one before and are left as they are: a, b. "
        "Denied before, and still so: 1, c. "
        "Then the cloud refused: slowly"
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [(Refused("no"), 400), (NotThere("no"), 404), (SessionOver("no"), 401), (CloudUnreachable("no"), 502)],
)
def test_what_went_wrong_is_told_in_words(error: HedgerowError, status: int) -> None:
    answered, headers, told = post(CLAIM, b'{"template": "fleet"}', Work(error))

    assert (answered, told, headers["cache-control"]) == (status, {"message": "no"}, "no-store")


@pytest.mark.parametrize("path", [CLAIM, CANCEL, IMPORT])
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"[" * 5000, b'{"template": 1}', b'{"template": ""}', b" " * (MAX_BODY + 1)]
)
def test_a_body_that_is_no_question_is_refused_before_anybody_is_asked(path: str, body: bytes) -> None:
    work = Work(handout())

    status, _, told = post(path, body, work)

    assert (status, work.asked) == (400, [])
    assert told["message"]


def test_when_too_many_look_it_says_so() -> None:
    assert post(CLAIM, b'{"template": "fleet"}', kind=Full)[0] == 503
