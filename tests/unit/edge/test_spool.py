import asyncio
from pathlib import Path

import pytest

from hedgerow.edge.spool import Outgoing, Spool, SpoolFull
from hedgerow.edge.state import State
from tests.unit.edge.deployments.core import Died, DyingState


def message(number: int, *, qos: int = 1, size: int = 10) -> Outgoing:
    return Outgoing(topic="t", payload=b"%d" % number + bytes(size), qos=qos)


async def spooled(path: Path, *, limit: int = 10_000) -> tuple[State, Spool]:
    state = State(path / "state.db")
    spool = Spool(state, limit_bytes=limit)
    await spool.load()
    return state, spool


@pytest.mark.spec("AL-05")
def test_messages_come_out_in_the_order_in_which_they_went_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        state, spool = await spooled(tmp_path)
        await asyncio.gather(*(spool.add(message(number)) for number in range(30)))

        first = await spool.after(0, 20)
        rest = await spool.after(first[-1].seq, 20)

        assert [one.payload.rstrip(b"\0") for one in first + rest] == [b"%d" % number for number in range(30)]
        state.close()

    asyncio.run(scenario())


def test_adds_that_wait_share_transactions(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = DyingState(tmp_path / "state.db", at=10**9, after=False)
        spool = Spool(state, limit_bytes=10_000)
        await spool.load()

        await asyncio.gather(*(spool.add(message(number)) for number in range(64)))

        assert state.writes <= 3
        state.close()

    asyncio.run(scenario())


@pytest.mark.spec("AL-05")
def test_what_is_done_is_gone_and_what_is_not_stays_over_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        state, spool = await spooled(tmp_path)
        numbers = [await spool.add(message(number)) for number in range(3)]
        spool.done(numbers[0])
        spool.done(numbers[2])
        await spool.settle()
        state.close()
        state, spool = await spooled(tmp_path)

        assert [one.seq for one in await spool.after(0, 9)] == [numbers[1]]
        assert spool.statistics()["bytes"] == message(1).size
        state.close()

    asyncio.run(scenario())


@pytest.mark.spec("AL-05")
def test_what_is_done_but_not_yet_settled_does_not_hide_what_comes_after_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        state, spool = await spooled(tmp_path)
        numbers = [await spool.add(message(number)) for number in range(5)]
        for number in numbers[:3]:
            spool.done(number)

        assert [one.seq for one in await spool.after(0, 1)] == [numbers[3]]
        assert await spool.after(numbers[-1], 1) == []
        assert await spool.after(0, 0) == []
        state.close()

    asyncio.run(scenario())


def test_a_full_spool_drops_the_oldest_of_qos_0_and_never_one_of_qos_1(tmp_path: Path) -> None:
    async def scenario() -> None:
        room = 4 * message(0).size
        state, spool = await spooled(tmp_path, limit=room)
        for number, qos in enumerate((0, 1, 0, 1)):
            await spool.add(message(number, qos=qos))
        await spool.add(message(4))
        await spool.add(message(5))

        left = [one.payload[:1] for one in await spool.after(0, 9)]
        assert left == [b"1", b"3", b"4", b"5"]
        assert spool.statistics()["dropped"] == 2
        with pytest.raises(SpoolFull, match="the spool is full"):
            await spool.add(message(6))
        state.close()

    asyncio.run(scenario())


def test_a_message_larger_than_the_spool_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        state, spool = await spooled(tmp_path, limit=100)
        with pytest.raises(SpoolFull, match="larger than the spool"):
            await spool.add(message(1, size=200))
        state.close()

    asyncio.run(scenario())


def test_a_process_that_dies_while_it_writes_has_promised_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        state = DyingState(tmp_path / "state.db", at=1, after=False)
        spool = Spool(state, limit_bytes=10_000)
        await spool.load()
        with pytest.raises(Died):
            await spool.add(message(1))
        state.close()
        state, spool = await spooled(tmp_path)  # type: ignore[assignment]  # a plain one

        assert await spool.after(0, 9) == []
        state.close()

    asyncio.run(scenario())
