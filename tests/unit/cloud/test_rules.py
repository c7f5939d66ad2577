"""The rules engine while rules change: no message that is published after a change may miss it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hedgerow.base.errors import Unavailable
from hedgerow.cloud.rules import RuleEngine
from hedgerow.core.events import RulesChanged
from hedgerow.gateway.ports import Message
from tests.support.clock import FakeClock, FakeIds

ACCOUNT = "123456789012"


class SlowRun:
    """Answers reads when the test lets it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answers: asyncio.Queue[object] = asyncio.Queue()

    async def read(self, _query: Callable[[Any], object]) -> object:
        self.asked.set()
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


class NoActions:
    on_failure: object = None


def engine_on(run: SlowRun) -> RuleEngine:
    parts: dict[str, Any] = {"rules": cast("Any", object()), "actions": NoActions()}
    return RuleEngine(run=cast("Any", run), clock=FakeClock(), ids=FakeIds(), **parts)


def message(topic: str) -> Message:
    return Message(account=ACCOUNT, topic=topic, payload=b"{}", qos=1, retain=False)


def test_while_the_rules_of_an_account_are_read_again_every_publication_is_taken() -> None:
    async def story() -> tuple[bool, bool]:
        run = SlowRun()
        engine = engine_on(run)
        engine.on_events([RulesChanged(account=ACCOUNT)])
        engine.on_message(message("first"))
        working = asyncio.get_running_loop().create_task(engine.run())
        await run.asked.wait()
        during = engine.wants(ACCOUNT, "second")
        run.answers.put_nowait([])
        while engine.statistics()["waiting"]:
            await asyncio.sleep(0)
        working.cancel()
        return during, engine.wants(ACCOUNT, "third")

    assert asyncio.run(story()) == (True, False)


def test_rules_that_cannot_be_read_stay_unknown_and_the_message_waits() -> None:
    async def story() -> tuple[bool, int]:
        run = SlowRun()
        engine = engine_on(run)
        engine.on_events([RulesChanged(account=ACCOUNT)])
        engine.on_message(message("first"))
        run.answers.put_nowait(Unavailable("the disk is full"))
        working = asyncio.get_running_loop().create_task(engine.run())
        await run.asked.wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found = engine.wants(ACCOUNT, "second"), engine.statistics()["waiting"]
        working.cancel()
        return found

    assert asyncio.run(story()) == (True, 1)


class BrokenRule:
    """A rule with a bug of ours in it."""

    name = "broken"
    statement = SimpleNamespace(topic_filter="#")

    def jobs(self, _message: object) -> object:
        raise RecursionError


def test_a_rule_that_fails_on_a_message_ends_neither_the_engine_nor_the_acknowledgement(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> tuple[list[bool], int, bool]:
        engine = engine_on(SlowRun())
        engine._compiled[ACCOUNT] = [cast("Any", BrokenRule())]
        stored: list[bool] = []
        working = asyncio.get_running_loop().create_task(engine.run())
        for topic in ("first", "second"):
            engine.on_message(message(topic), stored.append)
            while engine.statistics()["waiting"]:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        running = not working.done()
        working.cancel()
        return stored, engine.statistics()["failed"], running

    assert asyncio.run(story()) == ([True, True], 2, True)
    assert "a rule failed on a message" in caplog.messages
