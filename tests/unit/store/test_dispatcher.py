"""Follow-ups: at least once, in order per key, back-off, dead letters, timers; issue item (c) with a real SIGKILL."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from hedgerow.store import Answer, Dispatcher, FollowUp, Gathered, Handler, Policy, Runner, Tx, open_engine
from hedgerow.store.tx import follow_ups
from tests.support.clock import FakeClock
from tests.unit.store.tables import ACCOUNT, names, note, tables

OTHER = "210987654321"
IMPATIENT = Policy(attempts=3, first_wait_s=1.0, longest_wait_s=8.0, chance=lambda: 1.0)
LEFT = select(func.count()).select_from(follow_ups)


class World:
    """A runner, a dispatcher and a clock that the test sets."""

    def __init__(self, run: Runner, dispatcher: Dispatcher, clock: FakeClock) -> None:
        self.run = run
        self.dispatcher = dispatcher
        self.clock = clock

    async def write(self, kind: str, *keys: str, account: str = ACCOUNT, due_in: float = 0.0) -> None:
        def operation(tx: Tx) -> Answer:
            for key in keys:
                tx.follow_up(kind, account=account, key=key[0], body={"text": key}, due_at=tx.now + due_in)
            return Answer()

        await self.run.write(operation)

    async def left(self) -> int:
        row = await self.run.read(lambda tx: tx.one(LEFT))
        assert row is not None
        return int(row[0])


@asynccontextmanager
async def world(engine: Engine, handlers: Mapping[str, Handler], policy: Policy = IMPATIENT) -> AsyncIterator[World]:
    clock = FakeClock()
    async with (
        Runner(engine, clock, lambda _: None) as run,
        Dispatcher(run, handlers, clock, policy=policy) as dispatcher,
    ):
        yield World(run, dispatcher, clock)


class Noting:
    """A handler that keeps the texts it was given, and fails as often as it is told."""

    def __init__(self, failures: Mapping[str, int] | None = None) -> None:
        self.texts: list[str] = []
        self._failures = dict(failures or {})

    def __call__(self, tx: Tx, row: FollowUp) -> Answer:
        text = row.body["text"]
        if self._failures.get(text, 0) > row.attempts:
            raise ValueError(f"no luck with {text}")
        self.texts.append(text)
        return Answer()


async def test_a_follow_up_is_handled_once_and_removed(engine: Engine) -> None:
    noting = Noting()
    async with world(engine, {"note": noting}) as here:
        await here.write("note", "a1")
        await here.dispatcher.settled()

        assert noting.texts == ["a1"]
        assert await here.left() == 0


async def test_the_handler_gets_what_was_written(disk: Engine) -> None:
    rows: list[FollowUp] = []

    def keep(tx: Tx, row: FollowUp) -> Answer:
        rows.append(row)
        return Answer()

    async with world(disk, {"keep": keep}) as here:
        await here.write("keep", "a1")
        await here.dispatcher.settled()

        assert rows == [
            FollowUp(
                seq=1, account=ACCOUNT, kind="keep", key="a", due_at=here.clock.now(), body={"text": "a1"}, attempts=0
            )
        ]


async def test_rows_of_one_key_are_handled_in_order(engine: Engine) -> None:
    noting = Noting()
    expected = [f"a{number:03}" for number in range(100)]
    async with world(engine, {"note": noting}) as here:
        await here.write("note", *expected)
        await here.dispatcher.settled()

    assert noting.texts == expected


async def test_a_failure_holds_up_its_key_and_no_other(engine: Engine) -> None:
    noting = Noting({"a1": 1})
    async with world(engine, {"note": noting}) as here:
        await here.write("note", "a1", "a2", "b1")
        await here.dispatcher.settled()
        before = list(noting.texts)
        here.clock.advance(1.0)
        await here.dispatcher.settled()

    assert before == ["b1"]
    assert noting.texts == ["b1", "a1", "a2"]


async def test_a_row_that_is_written_while_its_key_waits_does_not_overtake(engine: Engine) -> None:
    noting = Noting({"a1": 1})
    async with world(engine, {"note": noting}) as here:
        await here.write("note", "a1")
        await here.dispatcher.settled()
        await here.write("note", "a2")
        await here.dispatcher.settled()
        before = list(noting.texts)
        here.clock.advance(1.0)
        await here.dispatcher.settled()

    assert before == []
    assert noting.texts == ["a1", "a2"]


async def test_after_the_last_attempt_a_row_is_a_dead_letter_and_the_next_goes_on(engine: Engine) -> None:
    noting = Noting({"a1": 99})
    async with world(engine, {"note": noting}) as here:
        await here.write("note", "a1", "a2")
        for _ in range(3):
            await here.dispatcher.settled()
            here.clock.advance(10.0)

        (letter,) = await here.dispatcher.dead_letters(ACCOUNT)
        assert noting.texts == ["a2"]
        assert letter.row.body == {"text": "a1"}
        assert letter.row.attempts == 3
        assert letter.error == "ValueError: no luck with a1"
        assert await here.dispatcher.dead_letters(OTHER) == []


async def test_a_dead_letter_can_be_tried_again(engine: Engine) -> None:
    failures = {"a1": 3}
    noting = Noting(failures)
    async with world(engine, {"note": noting}) as here:
        await here.write("note", "a1")
        for _ in range(3):
            await here.dispatcher.settled()
            here.clock.advance(10.0)
        (letter,) = await here.dispatcher.dead_letters(ACCOUNT)
        noting._failures.clear()

        assert not await here.dispatcher.retry(OTHER, letter.row.seq)
        assert await here.dispatcher.retry(ACCOUNT, letter.row.seq)
        await here.dispatcher.settled()

        assert noting.texts == ["a1"]
        assert await here.dispatcher.dead_letters(ACCOUNT) == []


async def test_a_dead_letter_can_be_discarded(disk: Engine) -> None:
    async with world(disk, {}) as here:
        await here.write("unheard-of", "a1")
        letters = await until(lambda: here.dispatcher.dead_letters(ACCOUNT))

        assert await here.dispatcher.discard(ACCOUNT, letters[0].row.seq)
        assert not await here.dispatcher.discard(ACCOUNT, letters[0].row.seq)
        assert await here.left() == 0


async def test_an_unknown_kind_is_kept_as_a_dead_letter(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    async with world(engine, {}) as here:
        await here.write("unheard-of", "a1", "b1")

        async def both() -> list[Any]:
            found = list(await here.dispatcher.dead_letters(ACCOUNT))
            return found if len(found) == 2 else []

        letters = await until(both)

    assert [letter.error for letter in letters] == ["no handler for the kind 'unheard-of'"] * 2
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_a_row_with_a_due_time_waits_for_it(engine: Engine) -> None:
    noting = Noting()
    async with world(engine, {"note": noting}) as here:
        await here.write("note", "a-later", due_in=30.0)
        await here.write("note", "a-now")
        await here.dispatcher.settled()
        before = list(noting.texts)
        here.clock.advance(30.0)
        await here.dispatcher.settled()

    assert before == ["a-now"]
    assert noting.texts == ["a-now", "a-later"]


async def test_a_timer_fires_by_itself(disk: Engine) -> None:
    fired = asyncio.Event()

    async def fire(row: FollowUp) -> None:
        fired.set()

    from hedgerow.base.clock import SystemClock

    clock = SystemClock()
    async with Runner(disk, clock, lambda _: None) as run, Dispatcher(run, {"fire": fire}, clock):
        await run.write(lambda tx: note_timer(tx, clock.now() + 0.05))
        async with asyncio.timeout(5):
            await fired.wait()


def note_timer(tx: Tx, due_at: float) -> Answer:
    tx.follow_up("fire", account=ACCOUNT, key="k", body={}, due_at=due_at)
    return Answer()


def cancel(tx: Tx) -> Answer:
    tx.cancel_follow_ups("note", account=ACCOUNT, key="a")
    return Answer()


async def test_a_cancelled_timer_never_fires(engine: Engine) -> None:
    noting = Noting()
    async with world(engine, {"note": noting}) as here:
        await here.write("note", "a1", due_in=30.0)
        await here.run.write(cancel)
        here.clock.advance(31.0)
        await here.dispatcher.settled()

    assert noting.texts == []


async def test_what_an_operation_changed_is_rolled_back_with_it_and_its_row_stays(engine: Engine) -> None:
    def half(tx: Tx, row: FollowUp) -> Answer:
        note("half")(tx)
        raise ValueError("in the middle")

    async with world(engine, {"half": half}) as here:
        await here.write("half", "a1")
        await here.dispatcher.settled()

        assert await here.run.read(names) == []
        assert await here.left() == 1


async def test_a_handler_may_write_the_next_follow_up_of_its_own_key(engine: Engine) -> None:
    ticks: list[int] = []

    def tick(tx: Tx, row: FollowUp) -> Answer:
        ticks.append(len(ticks))
        if len(ticks) < 3:
            tx.follow_up("tick", account=row.account, key=row.key, body={}, due_at=tx.now)
        return Answer()

    async with world(engine, {"tick": tick}) as here:
        await here.write("tick", "a1")
        await until(lambda: done(ticks, 3))
        await here.dispatcher.settled()

    assert ticks == [0, 1, 2]


async def done(ticks: list[int], count: int) -> bool:
    return len(ticks) >= count


async def test_a_flow_that_takes_longer_than_its_deadline_is_tried_again(disk: Engine) -> None:
    calls: list[int] = []

    async def slow(row: FollowUp) -> None:
        calls.append(row.attempts)
        if row.attempts == 0:
            await asyncio.sleep(60)

    policy = Policy(attempts=3, deadline_s=0.02, first_wait_s=1.0, chance=lambda: 1.0)
    async with world(disk, {"slow": slow}, policy) as here:
        await here.write("slow", "a1")
        await here.dispatcher.settled()
        here.clock.advance(1.0)
        await here.dispatcher.settled()

        assert calls == [0, 1]
        assert await here.left() == 0


async def test_no_more_flows_run_at_once_than_the_policy_says(disk: Engine) -> None:
    running = 0
    most = 0

    async def flow(row: FollowUp) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    async with world(disk, {"flow": flow}, Policy(at_once=4)) as here:
        await here.write("flow", *"abcdefghijklmnopqrst")
        await here.dispatcher.settled()

        assert most == 4
        assert here.dispatcher.statistics()["done"] == 20


async def test_a_slow_kind_holds_up_no_other(disk: Engine) -> None:
    noting = Noting()
    release = asyncio.Event()

    async def slow(row: FollowUp) -> None:
        await release.wait()

    async with world(disk, {"slow": slow, "note": noting}, Policy(at_once=1)) as here:
        await here.write("slow", "a1", "b1")
        await here.write("note", "a1")
        await until(lambda: done([0] * len(noting.texts), 1))
        release.set()
        await here.dispatcher.settled()

    assert noting.texts == ["a1"]


async def test_one_that_gathers_is_called_once_for_all_that_waits(engine: Engine) -> None:
    groups: list[list[str]] = []

    def gather(tx: Tx, row: FollowUp) -> Answer:
        others = tx.take_follow_ups("note", account=row.account, limit=10)
        groups.append([body["text"] for body in (row.body, *others)])
        return Answer()

    async with world(engine, {"note": Gathered(gather, pause_s=0.0)}) as here:
        await here.write("note", "a1", "b1", "a2")
        await here.write("note", "c1", account=OTHER)
        await here.dispatcher.settled()

    assert groups == [["a1", "b1", "a2"], ["c1"]]


async def test_one_that_gathers_and_fails_holds_up_no_other_key(engine: Engine) -> None:
    noting = Noting({"a1": 1})
    async with world(engine, {"note": Gathered(noting, pause_s=0.0)}) as here:
        await here.write("note", "a1", "b1", "c1")
        await here.dispatcher.settled()
        before = list(noting.texts)
        here.clock.advance(1.0)
        await here.dispatcher.settled()

    assert (before, noting.texts) == (["b1", "c1"], ["b1", "c1", "a1"])


async def test_one_that_is_late_takes_no_pause(disk: Engine) -> None:
    noting = Noting()
    async with asyncio.timeout(10):
        async with world(disk, {"note": Gathered(noting, pause_s=60.0)}) as here:
            here.clock.advance(400.0)
            await here.write("note", "a1", "b1", due_in=-301.0)
            await until(lambda: done([0] * len(noting.texts), 2))

    assert noting.texts == ["a1", "b1"]


async def test_a_pause_does_not_hold_up_the_end(disk: Engine) -> None:
    noting = Noting()
    async with asyncio.timeout(10):
        async with world(disk, {"note": Gathered(noting, pause_s=60.0)}) as here:
            await here.write("note", "a1")
            await until(lambda: done([0] * len(noting.texts), 1))

    assert noting.texts == ["a1"]


async def test_two_accounts_with_the_same_key_do_not_hold_each_other_up(engine: Engine) -> None:
    seen: list[str] = []

    def fails_for_one(tx: Tx, row: FollowUp) -> Answer:
        if row.account == ACCOUNT:
            raise ValueError("this one")
        seen.append(row.account)
        return Answer()

    async with world(engine, {"k": fails_for_one}) as here:
        await here.write("k", "a1")
        await here.write("k", "a1", account=OTHER)
        await here.dispatcher.settled()

    assert seen == [OTHER]


def test_the_wait_grows_with_each_failure_up_to_its_limit() -> None:
    policy = Policy(first_wait_s=1.0, longest_wait_s=8.0, chance=lambda: 0.0)

    assert [policy.wait_s(failures) for failures in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert policy.wait_s(10_000) == 4.0


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=12))
def test_whatever_fails_each_row_is_done_or_dead_and_those_done_are_in_order(rows: list[tuple[str, int]]) -> None:
    texts = [f"{key}{number:02}" for number, (key, _) in enumerate(rows)]
    noting = Noting({text: failures for text, (_, failures) in zip(texts, rows, strict=True)})
    dead = {text for text, (_, failures) in zip(texts, rows, strict=True) if failures >= IMPATIENT.attempts}

    async def dispatched() -> set[str]:
        engine = open_engine("sqlite://")
        tables.create_all(engine)
        async with world(engine, {"note": noting}) as here:
            await here.write("note", *texts)
            while await here.left() > len(await here.dispatcher.dead_letters(ACCOUNT)):
                await here.dispatcher.settled()
                here.clock.advance(10.0)
            return {letter.row.body["text"] for letter in await here.dispatcher.dead_letters(ACCOUNT)}

    assert asyncio.run(dispatched()) == dead
    for key in "abc":
        assert [text for text in noting.texts if text[0] == key] == [
            text for text in texts if text[0] == key and text not in dead
        ]


CHILD = """
import asyncio, os, signal, sys
from hedgerow.base.clock import SystemClock
from hedgerow.store import Answer, Dispatcher, Runner, open_engine

def write(tx):
    for number in range(10):
        tx.follow_up("note", account="123456789012", key="ab"[number % 2], body={"text": str(number)})
    return Answer()

def die_at_the_fourth(tx, row):
    if row.body["text"] == "4":
        os.kill(os.getpid(), signal.SIGKILL)
    print(row.body["text"], flush=True)
    return Answer()

async def main():
    clock = SystemClock()
    async with Runner(open_engine(sys.argv[1]), clock, lambda events: None) as run:
        await run.write(write)
        if sys.argv[2] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        async with Dispatcher(run, {"note": die_at_the_fourth}, clock):
            await asyncio.sleep(30)

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "during"])
@pytest.mark.spec("X-06")
async def test_after_a_sigkill_the_follow_ups_still_happen_in_order_per_key(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "store.db"
    engine = open_engine(path)
    tables.create_all(engine)
    child = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CHILD, str(path), moment],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    noting = Noting()

    async with world(engine, {"note": noting}) as here:
        here.clock.advance(10.0**9)
        await here.dispatcher.settled()

    assert child.returncode == -signal.SIGKILL
    handled = child.stdout.split() + noting.texts
    even, odd = ([text for text in noting.texts if int(text) % 2 == part] for part in (0, 1))
    assert set(handled) == {str(number) for number in range(10)}
    assert even == sorted(even)
    assert even[-4:] == ["2", "4", "6", "8"] or even == ["4", "6", "8"]
    assert odd == sorted(odd)


async def until(ask: Callable[[], Any]) -> Any:
    async with asyncio.timeout(5):
        while not (answer := await ask()):
            await asyncio.sleep(0.001)
    return answer
