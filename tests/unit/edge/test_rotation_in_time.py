"""Rotation by itself, before the certificate ends."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hedgerow.edge import rotation as subject
from hedgerow.edge.rotation import EARLY_S, LOOK_S, Rotation
from tests.support.clock import FakeClock
from tests.unit.edge.pki import Pki
from tests.unit.edge.test_rotation import Life, Line, Site, until_fit

END = datetime(2049, 12, 31, tzinfo=UTC).timestamp()  # of what the test's authority signs


class Watched(FakeClock):
    """Counts how often it is looked at."""

    looks = 0

    def now(self) -> float:
        self.looks += 1
        return super().now()


@pytest.fixture
def site(tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(subject, "LOOK_S", 0.01)
    return Site(tmp_path / "site", pki, monkeypatch)


def rotated(site: Site) -> bool:
    return not site.cloud.active[site.first.certificate.read_text()]


def test_a_certificate_is_traded_thirty_days_before_its_end_and_not_sooner(site: Site) -> None:
    clock = site.clock = Watched(END - EARLY_S - 60)

    async def a_minute_later(rotation: Rotation, line: Line) -> None:
        await line.up.wait()
        while clock.looks < 3:
            await asyncio.sleep(0.001)
        assert not rotated(site)
        clock.advance(120)
        while not rotated(site):
            await asyncio.sleep(0.001)
        await until_fit(rotation, line)

    assert asyncio.run(site.live(Life(), a_minute_later))


def test_a_device_that_started_before_its_clock_was_set_finds_out_the_same_evening(site: Site) -> None:
    """It is switched off at night, and its clock begins in 1970."""
    site.clock.value = 60.0

    async def set_later(rotation: Rotation, line: Line) -> None:
        await line.up.wait()
        site.clock.value = END - 86_400
        while not rotated(site):
            await asyncio.sleep(0.001)
        await until_fit(rotation, line)

    assert asyncio.run(site.live(Life(), set_later))
    assert LOOK_S <= 3600
