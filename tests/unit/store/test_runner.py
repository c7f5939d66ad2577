"""Issue items (a) and (b): grouping, errors, order, deadlines, on every database."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import DBAPIError, IntegrityError

from hedgerow.base.clock import SystemClock
from hedgerow.base.errors import Unavailable, Unusable
from hedgerow.core.events import Event, Published
from hedgerow.store import Answer, Runner, Tx, in_transaction, open_engine, workers
from tests.support.clock import FakeClock
from tests.unit.store.tables import (
    ACCOUNT,
    COUNT,
    COUNT_UP,
    SET_COUNT,
    Refused,
    event,
    names,
    note,
    refused_after_writing,
    tables,
)


class Heard:
    """Keeps the events in the order in which they were let go."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def __call__(self, events: Sequence[Event]) -> None:
        self.topics.extend(each.topic for each in events if isinstance(each, Published))


def runner(engine: Engine, heard: Callable[[Sequence[Event]], None] | None = None, **options: Any) -> Runner:
    return Runner(engine, SystemClock(), heard or Heard(), **options)


@contextmanager
def failing(engine: Engine, what: str) -> Iterator[None]:
    """Make a step of the connection (`commit`) fail, as a disk or a server does."""

    def fail(*_: Any) -> None:
        raise OSError("the disk is gone")

    sqlalchemy_event.listen(engine, what, fail)
    try:
        yield
    finally:
        sqlalchemy_event.remove(engine, what, fail)


async def test_a_write_is_there_for_the_next_read(engine: Engine) -> None:
    async with runner(engine) as run:
        answer = await run.write(note("a"))

        assert answer.response == {"name": "a"}
        assert await run.read(names) == ["a"]


async def test_thirty_two_concurrent_writes_cost_fewer_than_eight_commits(disk: Engine) -> None:
    async with runner(disk) as run:
        await asyncio.gather(*(run.write(note(f"n{number}")) for number in range(32)))

        assert run.statistics().commits < 8
        assert len(await run.read(names)) == 32


@pytest.mark.parametrize(
    ("commit_s", "largest"),
    [(0.001, 3), (0.008, 8), (1.0, 10)],  # operations of 2 ms: 5 ms of them, twice the commit, 20 ms
)
async def test_a_group_may_take_longer_where_commits_do(disk: Engine, commit_s: float, largest: int) -> None:
    clock = FakeClock()

    def slow(_connection: Any) -> None:
        clock.advance(commit_s)

    def operation(tx: Tx) -> Answer:
        clock.advance(0.002)
        return Answer()

    sqlalchemy_event.listen(disk, "commit", slow)
    async with Runner(disk, clock, Heard()) as run:
        await run.write(operation)
        await asyncio.gather(*(run.write(operation) for _ in range(30)))

        assert run.statistics().largest_group == largest


async def test_an_error_of_one_in_a_group_leaves_the_others(engine: Engine) -> None:
    async with runner(engine) as run:
        outcomes = await asyncio.gather(
            run.write(note("a")), run.write(refused_after_writing("b")), run.write(note("c")), return_exceptions=True
        )

        assert isinstance(outcomes[1], Refused)
        assert await run.read(names) == ["a", "c"]


async def test_a_compound_operation_that_fails_in_its_last_write_leaves_nothing(engine: Engine) -> None:
    def compound(tx: Tx) -> Answer:
        note("first")(tx)
        note("second")(tx)
        tx.follow_up("kind", account=ACCOUNT, key="k", body={})
        note("first")(tx)  # the same key again: the database refuses it
        return Answer({}, events=(event("never"),))

    heard = Heard()
    async with runner(engine, heard) as run:
        with pytest.raises(Exception, match=r"(?i)unique"):
            await run.write(compound)

        assert await run.read(names) == []
        assert await run.read(lambda tx: tx.all(text("SELECT * FROM follow_up"))) == []
        assert heard.topics == []


async def test_an_error_at_the_commit_fails_the_whole_group_and_nothing_remains(engine: Engine) -> None:
    heard = Heard()
    async with runner(engine, heard) as run:
        with failing(engine, "commit"):
            outcomes = await asyncio.gather(*(run.write(note(name)) for name in "abc"), return_exceptions=True)

        assert len([each for each in outcomes if isinstance(each, Exception)]) == 3
        assert heard.topics == []
        assert await run.read(names) == []
        await run.write(note("d"))
        assert await run.read(names) == ["d"]


async def test_a_group_that_cannot_be_committed_is_answered_with_unavailable(disk: Engine) -> None:
    async with runner(disk) as run:
        with failing(disk, "commit"), pytest.raises(Unavailable, match="could not be committed: the disk is gone"):
            await run.write(note("a"))


async def test_every_statement_of_an_operation_that_fails_rolls_the_whole_back(engine: Engine) -> None:
    def three_writes(tx: Tx) -> Answer:
        for name in ("x", "y", "z"):
            tx.run(COUNT_UP, name_="kept")
            note(name)(tx)
        return Answer()

    async with runner(engine) as run:
        await run.write(note("kept"))
        for statements in range(6):  # on SQLite the first is BEGIN
            left = iter(range(statements))

            def fail(*_: Any, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    raise OSError("the connection is gone")

            sqlalchemy_event.listen(engine, "before_cursor_execute", fail)
            with pytest.raises((OSError, Unavailable), match="the connection is gone"):
                await run.write(three_writes)
            sqlalchemy_event.remove(engine, "before_cursor_execute", fail)

            assert await run.read(names) == ["kept"]
            assert await run.read(lambda tx: tx.all(COUNT, name_="kept")) == [(0,)]


async def test_events_leave_in_commit_order_and_before_the_answer(engine: Engine) -> None:
    heard = Heard()
    seen_at_answer: dict[str, bool] = {}

    async def write(name: str) -> None:
        await run.write(note(name), lane="one")
        seen_at_answer[name] = name in heard.topics

    expected = [f"n{number:02}" for number in range(20)]
    async with runner(engine, heard) as run:
        await asyncio.gather(*(write(name) for name in expected))

    assert heard.topics == expected
    assert all(seen_at_answer.values())


async def test_a_listener_that_fails_does_not_keep_the_answer_back(disk: Engine) -> None:
    def fail(_: Sequence[Event]) -> None:
        raise ValueError("a bug")

    async with runner(disk, fail) as run:
        assert (await run.write(note("a"))).response == {"name": "a"}


async def test_what_waits_beyond_the_bound_is_refused_and_the_rest_is_done(engine: Engine) -> None:
    async with runner(engine, waiting=3) as run:
        outcomes = await asyncio.gather(*(run.write(note(name)) for name in "abcde"), return_exceptions=True)

        assert [type(each) for each in outcomes[3:]] == [Unavailable, Unavailable]
        assert run.statistics().refused == 2
        assert await run.read(names) == ["a", "b", "c"]


async def test_a_write_without_an_answer_within_the_deadline_is_unavailable(disk: Engine) -> None:
    release = threading.Event()

    def slow(_: Tx) -> Answer:
        release.wait(10)
        return Answer()

    async with runner(disk, deadline_s=0.05) as run:
        outcomes = asyncio.gather(run.write(slow), run.write(note("late")), return_exceptions=True)
        begun, waited = await outcomes
        release.set()
        await asyncio.sleep(0)

    assert "is not known" in str(begun)
    assert "nothing was changed" in str(waited)


async def test_a_write_that_its_caller_gave_up_before_it_began_is_not_made(disk: Engine) -> None:
    release = threading.Event()

    def slow(_: Tx) -> Answer:
        release.wait(10)
        return Answer()

    async with runner(disk) as run:
        first = asyncio.ensure_future(run.write(slow))
        second = asyncio.ensure_future(run.write(note("unwanted")))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        release.set()
        await first

        assert await run.read(names) == []


async def test_leaving_finishes_what_waits_and_then_refuses(engine: Engine) -> None:
    run = runner(engine)
    async with run:
        waiting = [asyncio.ensure_future(run.write(note(name), lane="one")) for name in "abc"]
        await asyncio.sleep(0)
        await run.aclose()

    assert [(await each).response["name"] for each in waiting] == ["a", "b", "c"]
    with pytest.raises(Unavailable, match="closed"):
        await run.write(note("d"))
    with pytest.raises(Unavailable, match="closed"):
        await run.read(names)


async def test_a_read_changes_nothing(engine: Engine) -> None:
    async with runner(engine) as run:
        await run.write(note("a"))
        with suppress(DBAPIError, Unavailable):  # refused by the database where it can
            await run.read(lambda tx: tx.run(COUNT_UP, name_="a"))

        assert await run.read(lambda tx: tx.all(COUNT, name_="a")) == [(0,)]


async def test_code_in_an_operation_or_query_knows_that_a_transaction_is_open(engine: Engine) -> None:
    async with runner(engine) as run:
        inside = await run.write(lambda tx: Answer({"open": in_transaction()}))

        assert inside.response == {"open": True}
        assert await run.read(lambda tx: in_transaction())
        assert not in_transaction()


async def test_a_database_that_cannot_be_opened_is_unavailable_and_heals(tmp_path: Any) -> None:
    folder = tmp_path / "later"
    async with runner(open_engine(folder / "store.db")) as run:
        with pytest.raises(Unavailable):
            await run.write(note("a"))
        folder.mkdir()
        tables.create_all(open_engine(folder / "store.db"))

        assert (await run.write(note("a"))).response == {"name": "a"}


async def test_a_full_disk_is_unavailable_and_what_was_acknowledged_is_there(disk: Engine) -> None:
    @sqlalchemy_event.listens_for(disk, "connect")
    def limit(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA max_page_count=20")

    async with runner(disk) as run:
        outcomes = await asyncio.gather(
            run.write(note("a")), run.write(note("b" * 200_000)), run.write(note("c")), return_exceptions=True
        )
        acknowledged = [each.response["name"] for each in outcomes if isinstance(each, Answer)]

        assert isinstance(outcomes[1], Unavailable)
        assert "full" in str(outcomes[1])
        assert await run.read(names) == acknowledged
        await run.write(note("d"))
        assert await run.read(names) == [*acknowledged, "d"]


async def test_a_lost_connection_is_unavailable_once_and_heals_on_postgresql(postgresql: str) -> None:
    engine = open_engine(postgresql)
    tables.create_all(engine)
    cut = text("SELECT pg_terminate_backend(pg_backend_pid())")

    async with runner(engine, writers=1, readers=1) as run:
        await run.write(note("a"))
        with pytest.raises(Unavailable, match="the database cannot be used"):
            await run.write(lambda tx: Answer({"cut": tx.all(cut)}))
        with pytest.raises(Unavailable, match="the database cannot be used"):
            await run.read(lambda tx: tx.all(cut))
        await run.write(note("b"))

        assert await run.read(names) == ["a", "b"]


async def test_a_database_that_is_not_there_is_unavailable_on_postgresql(tmp_path: Path) -> None:
    async with runner(open_engine(f"postgresql://postgres@/nothing?host={tmp_path}")) as run:
        with pytest.raises(Unavailable, match="the database cannot be used"):
            await run.write(note("a"))
        with pytest.raises(Unavailable, match="the database cannot be used"):
            await run.read(names)


@pytest.mark.parametrize("target", ["mysql://root@localhost/x", "://", "http://x"])
def test_an_address_that_is_none_of_ours_is_refused(target: str) -> None:
    with pytest.raises(Unusable, match="not a database"):
        open_engine(target)


async def test_two_that_read_and_change_the_same_row_lose_no_count_on_postgresql(postgresql: str) -> None:
    engine = open_engine(postgresql)
    tables.create_all(engine)
    both_have_read = threading.Barrier(2)
    attempts: list[int] = []

    def count_up(tx: Tx) -> Answer:
        row = tx.one(COUNT, name_="a")
        assert row is not None
        attempts.append(row[0])
        if len(attempts) <= 2:
            both_have_read.wait(10)
        tx.run(SET_COUNT, name_="a", count_=row[0] + 1)
        return Answer({}, events=(event(str(row[0] + 1)),))

    heard = Heard()
    async with runner(engine, heard) as run:
        await run.write(note("a"))
        await asyncio.gather(run.write(count_up), run.write(count_up))

        assert await run.read(lambda tx: tx.all(COUNT, name_="a")) == [(2,)]
        assert run.statistics().retries == 1
    assert attempts == [0, 0, 1]
    assert heard.topics[0] == "a"
    assert sorted(heard.topics[1:]) == ["1", "2"]  # only those of one lane keep their order


async def test_who_finds_nothing_and_is_forestalled_looks_again_on_postgresql(postgresql: str) -> None:
    engine = open_engine(postgresql)
    tables.create_all(engine)
    looked, forestalled = threading.Event(), threading.Event()

    def add_once(tx: Tx) -> Answer:
        there = "a" in names(tx)
        looked.set()
        forestalled.wait(10)
        return Answer({"there": True}) if there else note("a")(tx)

    async with runner(engine) as run, asyncio.TaskGroup() as tasks:
        adding = tasks.create_task(run.write(add_once))
        await asyncio.to_thread(looked.wait, 10)
        await run.write(note("a"))
        forestalled.set()

        assert (await adding).response == {"there": True}
        assert run.statistics().retries == 1


async def test_who_adds_without_looking_hears_of_it_on_postgresql(
    postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "LONGEST_WAIT_S", 0.0)
    engine = open_engine(postgresql)
    tables.create_all(engine)

    async with runner(engine) as run:
        await run.write(note("a"))
        with pytest.raises(IntegrityError):
            await run.write(note("a"))


async def test_operations_of_one_lane_never_meet_on_postgresql(postgresql: str) -> None:
    engine = open_engine(postgresql)
    tables.create_all(engine)

    def count_up(tx: Tx) -> Answer:
        row = tx.one(COUNT, name_="a")
        assert row is not None
        tx.run(SET_COUNT, name_="a", count_=row[0] + 1)
        return Answer()

    async with runner(engine) as run:
        await run.write(note("a"))
        await asyncio.gather(*(run.write(count_up, lane="a") for _ in range(40)))

        assert await run.read(lambda tx: tx.all(COUNT, name_="a")) == [(40,)]
        assert run.statistics().retries == 0


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_any_mixture_ends_as_if_the_operations_had_run_one_after_another(steps: list[tuple[str, bool]]) -> None:
    model: list[str] = []
    expected = []
    for name, fails in steps:
        works = not fails and name not in model
        expected.append(works)
        if works:
            model.append(name)

    async def all_at_once() -> tuple[list[bool], list[str], list[str]]:
        engine = open_engine("sqlite://")
        tables.create_all(engine)
        heard = Heard()
        async with runner(engine, heard) as run:
            writes = (run.write(refused_after_writing(name) if fails else note(name)) for name, fails in steps)
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            return [isinstance(each, Answer) for each in outcomes], await run.read(names), heard.topics

    assert asyncio.run(all_at_once()) == (expected, sorted(model), model)


async def test_an_operation_that_hides_a_failed_statement_is_not_acknowledged_on_postgresql(postgresql: str) -> None:
    engine = open_engine(postgresql)
    tables.create_all(engine)

    def hiding(tx: Tx) -> Answer:
        note("a")(tx)
        with suppress(DBAPIError):
            note("a")(tx)
        return Answer()

    async with runner(engine) as run:
        with pytest.raises(RuntimeError, match="went on after a statement that failed"):
            await run.write(hiding)
        assert await run.read(names) == []


ROOT = Path(__file__).parents[3]
CHILD = """
import asyncio, sys
from hedgerow.base.clock import SystemClock
from hedgerow.store import Runner, open_engine
from tests.unit.store.tables import note

async def main():
    async with Runner(open_engine(sys.argv[1]), SystemClock(), lambda events: None) as run:
        async def writer(name):
            for number in range(100_000):
                answer = await run.write(note(f"{name}-{number}"))
                print(answer.response["name"], flush=True)
        await asyncio.gather(*(writer(name) for name in "abcd"))

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", [1, 57, 300])
@pytest.mark.spec("X-06")
async def test_what_was_acknowledged_survives_a_sigkill(disk: Engine, acknowledged: int) -> None:
    path = disk.url.database
    assert path is not None
    with subprocess.Popen([sys.executable, "-c", CHILD, path], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = [child.stdout.readline().strip() for _ in range(acknowledged)]
        child.kill()
        said += child.stdout.read().split()

    async with runner(disk) as run:
        kept = await run.read(names)
    assert len(said) >= acknowledged
    assert set(said) <= set(kept)
