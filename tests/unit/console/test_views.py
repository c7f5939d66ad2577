"""What the pages show, as plain rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.console import views
from hedgerow.console.faults import FaultEvent
from hedgerow.console.fleet import MAX_CHARTS, WINDOWS, Fleet
from hedgerow.console.model import Component, Reading
from hedgerow.console.views import Look

NOW = 1_800_000_000.0


def fleet_of(*names: str) -> Fleet:
    fleet = Fleet()
    fleet.put_things([(name, "", {}) for name in names], complete=True)
    return fleet


def reading(value: float, *, unit: str = "", switch: bool = False, at: float = NOW) -> Reading:
    return Reading(label="x", value=value, unit=unit, switch=switch, at=at)


def test_a_page_of_a_large_fleet_has_only_its_own_rows() -> None:
    fleet = fleet_of(*(f"site-{number:03d}" for number in range(300)))

    rows, count = views.fleet_rows(fleet, Look(page=2, size=50), now=NOW)

    assert count == 300
    assert [row["name"] for row in rows] == [f"site-{number:03d}" for number in range(50, 100)]


def test_a_row_tells_connection_components_telemetry_and_faults() -> None:
    fleet = fleet_of("site-01")
    fleet.change("site-01", online=True, changed_at=5.0, groups=("radio-sites",))
    fleet.put_components("site-01", [Component(name="monitor", version="1.0.0", state="RUNNING")])
    fleet.put_reading("site-01", reading(-67.0))
    fleet.note_fault(FaultEvent(thing="site-01", fault="hot", id="1", cleared=False, at=NOW), now=NOW)

    ((row,), _) = views.fleet_rows(fleet, Look(), now=NOW)

    assert row["state"] == {"tone": "good", "word": "Online"}
    assert row["components"] == [{"name": "monitor", "version": "1.0.0", "tone": "good", "state": "RUNNING"}]
    assert row["readings"] == [{"label": "x", "shown": "−67", "old": False, "at": 0}]
    assert (row["groups"], row["faults"]) == (["radio-sites"], 1)
    assert views.summary(fleet) == "1 device · 1 online · 1 open fault"


def test_a_value_that_is_old_says_from_when_it_is() -> None:
    fleet = fleet_of("site-01")
    fleet.put_reading("site-01", reading(1.0, at=NOW - 61))

    ((row,), _) = views.fleet_rows(fleet, Look(), now=NOW)

    assert row["readings"] == [{"label": "x", "shown": "1", "old": True, "at": NOW - 61}]


def test_an_older_value_does_not_replace_a_newer_one() -> None:
    fleet = fleet_of("site-01")
    fleet.put_reading("site-01", reading(2.0, at=NOW))

    fleet.put_reading("site-01", reading(1.0, at=NOW - 1))

    assert fleet.devices["site-01"].readings["x"].value == 2.0


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (Look(search="02"), ["site-02"]),
        (Look(search="MONITOR 1"), ["site-01"]),
        (Look(descending=True), ["site-03", "site-02", "site-01"]),
        (Look(order="state"), ["site-02", "site-03", "site-01"]),
        (Look(order="faults", descending=True), ["site-03", "site-01", "site-02"]),
        (Look(page=9), []),
    ],
)
def test_rows_can_be_searched_and_ordered(look: Look, expected: list[str]) -> None:
    fleet = fleet_of("site-01", "site-02", "site-03")
    fleet.change("site-01", online=True)
    fleet.change("site-02", online=False)
    fleet.put_components("site-01", [Component(name="monitor", version="1.0.0", state="RUNNING")])
    fleet.note_fault(FaultEvent(thing="site-03", fault="hot", id="1", cleared=False, at=NOW), now=NOW)

    rows, _ = views.fleet_rows(fleet, look, now=NOW)

    assert [row["name"] for row in rows] == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (reading(41.300000000000004), "41.3"),
        (reading(-67.0), "−67"),
        (reading(123456.0), "123456"),
        (reading(0.0), "0"),
        (reading(50.0, unit="Percent"), "50 Percent"),
        (reading(1.0, switch=True), "on"),
        (reading(0.0, switch=True), "off"),
        (reading(0.5, switch=True), "0.5"),
        (reading(float("nan")), "not a number"),
    ],
)
def test_numbers_are_shown_as_people_read_them(shown: Reading, expected: str) -> None:
    assert views.shown(shown) == expected


@given(st.floats())
def test_every_number_has_some_words(value: float) -> None:
    assert views.number(value)


def test_a_line_has_a_hole_where_nothing_came() -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (40.0, 3.0)]

    assert views.with_gaps(points, 1) == [(0.0, 1.0), (1.0, 2.0), (39.0, None), (40.0, 3.0)]


def test_live_points_that_are_newer_than_the_past_stay() -> None:
    fleet, window = fleet_of("site-01"), WINDOWS[0]
    fleet.put_history("site-01", window, "x", [(NOW - 10, 1.0)])
    fleet.put_reading("site-01", reading(2.0, at=NOW))

    fleet.put_history("site-01", window, "x", [(NOW - 20, 0.0), (NOW - 10, 1.0)])

    assert fleet.curve("site-01", window, "x", since=NOW - 15) == [(NOW - 10, 1.0), (NOW, 2.0)]


def test_curves_are_kept_of_the_last_devices_only() -> None:
    fleet = fleet_of(*(f"t{number}" for number in range(MAX_CHARTS + 1)))

    for name in fleet.devices:
        fleet.put_history(name, WINDOWS[0], "x", [(NOW, 1.0)])

    assert fleet.curve("t0", WINDOWS[0], "x", since=0) == []
    assert fleet.curve("t1", WINDOWS[0], "x", since=0) == [(NOW, 1.0)]
