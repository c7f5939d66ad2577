import asyncio

import pytest

from hedgerow.base.clock import SystemClock
from hedgerow.base.errors import Unusable
from hedgerow.base.ids import RandomIds
from hedgerow.gateway import DirectBus, Gateway, MemoryJournal, running
from tests.unit.gateway.control import FakeControl


def run(body: Unusable | None) -> list[Gateway]:
    control = FakeControl()
    seen: list[Gateway] = []

    async def main() -> None:
        async with running(
            name="g",
            region="eu-central-1",
            control=control,
            hub=DirectBus(),
            journal=MemoryJournal(),
            clock=SystemClock(),
            ids=RandomIds(),
            compile_grants=control.compile,
        ) as gateway:
            seen.append(gateway)
            if body is not None:
                raise body

    asyncio.run(main())
    return seen


def test_an_error_inside_comes_out_as_it_is() -> None:
    with pytest.raises(Unusable, match="the port is taken"):
        run(Unusable("the port is taken"))


def test_a_gateway_ends_with_its_tasks() -> None:
    (gateway,) = run(None)

    assert gateway.statistics()["connections"] == 0


def test_a_task_that_fails_does_not_take_the_gateway_with_it(caplog: pytest.LogCaptureFixture) -> None:
    control = FakeControl()

    async def broken() -> None:
        raise ValueError("our own fault")

    async def main() -> bool:
        async with running(
            name="g",
            region="eu-central-1",
            control=control,
            hub=DirectBus(),
            journal=MemoryJournal(),
            clock=SystemClock(),
            ids=RandomIds(),
            compile_grants=control.compile,
        ) as gateway:
            gateway.spawn(broken())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return True

    assert asyncio.run(main())
    assert "a task of the gateway failed" in caplog.text
