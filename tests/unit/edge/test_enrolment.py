"""Trying one way until it works: how long the waits are, with an event loop that does not really wait."""

import asyncio
import io
from pathlib import Path

import pytest

from hedgerow.edge.backoff import Backoff
from hedgerow.edge.enrolment import Waits, enrolled
from hedgerow.edge.identity import Identity
from hedgerow.edge.notice import Console
from hedgerow.edge.trouble import NotLetIn, Trouble


class Impatient(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready  # type: ignore[attr-defined]  # asyncio's own
        if scheduled and not ready:
            self.ahead += max(0.0, scheduled[0].when() - self.time())
        super()._run_once()  # type: ignore[misc]  # asyncio's own


class Scripted:
    """Fails in turn, and notes when it was tried."""

    def __init__(self, *troubles: Trouble) -> None:
        self._troubles = list(troubles)
        self.tried_at: list[float] = []

    def __str__(self) -> str:
        return "by a script"

    async def attempt(self) -> Identity:
        self.tried_at.append(asyncio.get_running_loop().time())
        if self._troubles:
            raise self._troubles.pop(0)
        return Identity(thing_name="site-1", certificate=Path("c"), private_key=Path("k"))


def waits(*troubles: Trouble) -> tuple[list[float], list[str]]:
    """Answer the seconds between the tries, and what was said."""
    way, stream = Scripted(*troubles), io.StringIO()
    with asyncio.Runner(loop_factory=Impatient) as runner:
        runner.run(enrolled(way, console=Console(stream), backoff=Backoff()))
    between = [later - earlier for earlier, later in zip(way.tried_at, way.tried_at[1:], strict=False)]
    return between, stream.getvalue().splitlines()


@pytest.mark.spec("AL-26", "AL-59")
def test_who_waits_is_not_back_before_the_time_that_it_was_told() -> None:
    between, said = waits(*(Waits("device 4711 waits for its approval", after_s=60) for _ in range(4)))

    assert all(60 < each < 121 for each in between)
    assert said == [
        "edge: enrolling by a script",
        "edge: device 4711 waits for its approval",
        "edge: enrolled as site-1",
    ]


@pytest.mark.spec("AL-26")
def test_the_waits_grow_to_a_minute_and_further_for_what_only_a_person_can_change() -> None:
    passing, _ = waits(*(Trouble("no network") for _ in range(12)))
    lasting, said = waits(*(NotLetIn("refused", permanent=True) for _ in range(12)))

    assert passing[0] < 2
    assert 29 < passing[-1] < 61
    assert 449 < lasting[-1] < 901
    assert said == ["edge: enrolling by a script", "edge: not enrolled: refused", "edge: enrolled as site-1"]
