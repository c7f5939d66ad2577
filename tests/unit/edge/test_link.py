"""What happens to those who wait for an answer when the link is ended from our side."""

import asyncio
from typing import Any

import pytest

from hedgerow.edge.link import Link
from hedgerow.edge.trouble import Trouble


class Silent:
    """A session whose peer never says anything."""

    def output(self) -> bytes:
        return b""

    def deadline(self) -> float:
        return asyncio.get_running_loop().time() + 3600

    def unsubscribe(self, filters: list[str], *, now: float) -> int:
        return 1


class Nowhere:
    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        raise AssertionError("there is nothing to write")


async def ended_link() -> tuple[Link, "asyncio.Task[Trouble]"]:
    silent: Any = Silent()
    nowhere: Any = Nowhere()
    link = Link(asyncio.StreamReader(), nowhere, silent, on_message=lambda _: None, operation_timeout_s=3600)
    return link, asyncio.get_running_loop().create_task(link.run())


def test_who_waits_is_told_at_once_when_the_link_is_ended() -> None:
    async def scenario() -> None:
        link, pump = await ended_link()
        waiting = asyncio.get_running_loop().create_task(link.unsubscribe(["a/b"]))
        await asyncio.sleep(0)
        pump.cancel()
        with pytest.raises(Trouble, match="ended"):
            await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


def test_who_asks_after_the_end_is_told_at_once() -> None:
    async def scenario() -> None:
        link, pump = await ended_link()
        await asyncio.sleep(0)
        pump.cancel()
        await asyncio.wait([pump])
        with pytest.raises(Trouble, match="ended"):
            await asyncio.wait_for(link.unsubscribe(["a/b"]), 5)

    asyncio.run(scenario())
