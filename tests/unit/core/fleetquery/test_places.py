"""What a location looks like, and what is near: measured against the haversine formula."""

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hedgerow.core.fleetquery import Field, Near, finds, maybe_place, paths, vector
from hedgerow.core.fleetquery.places import EARTH_RADIUS_M, Place

NEEDLE: Place = (47.6204, -122.3491)
PLACES = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


def fields_at(place: Place) -> list[Field]:
    points = zip(paths("at"), vector(place), strict=True)
    return [Field(path, str(number), number, True) for path, number in points]


def metres_between(one: Place, other: Place) -> float:
    (lat, lon), (to_lat, to_lon) = ((math.radians(part) for part in place) for place in (one, other))
    half = math.sin((to_lat - lat) / 2) ** 2 + math.cos(lat) * math.cos(to_lat) * math.sin((to_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(half)))


@pytest.mark.parametrize(
    ("value", "order"),
    [
        ("POINT(-122.3491 47.6204)", "LatLon"),
        (" point ( -122.3491  47.6204 ) ", "LonLat"),
        ("47.6204,-122.3491", "LatLon"),
        ("-122.3491, 47.6204", "LonLat"),
        ({"lat": 47.6204, "lon": -122.3491}, "LonLat"),
        ({"latitude": "47.6204", "longitude": -122.3491}, "LatLon"),
        ({"lat": 47.6204, "long": -122.3491}, "LatLon"),
        ([47.6204, -122.3491], "LatLon"),
        ([-122.3491, 47.6204], "LonLat"),
    ],
)
def test_a_location_is_read_in_each_of_the_formats(value: Any, order: str) -> None:
    assert maybe_place(value, order) == NEEDLE


@pytest.mark.parametrize(
    "value",
    [None, True, 7, "", "47.6", "a,b", "POINT(1)", "91,0", "0,181", [1], [1, 2, 3], [True, 2], {"lat": 1}, {}, "1,nan"],
)
def test_what_is_no_location_is_none(value: Any) -> None:
    assert maybe_place(value, "LatLon") is None


@given(PLACES, PLACES, st.floats(0, 2e7))
def test_near_is_what_the_haversine_formula_says(one: Place, other: Place, metres: float) -> None:
    between = metres_between(one, other)
    assume(abs(between - metres) > 1)

    assert finds(Near("at", *other, metres), fields_at(one)) is (between < metres)
    assert finds(Near("at", *other, metres, beyond=True), fields_at(one)) is (between > metres)


def test_a_few_centimetres_are_told_apart() -> None:
    here = fields_at(NEEDLE)
    five_cm_north = NEEDLE[0] + math.degrees(0.05 / EARTH_RADIUS_M), NEEDLE[1]

    assert finds(Near("at", *five_cm_north, 0.051), here)
    assert not finds(Near("at", *five_cm_north, 0.049), here)
    assert finds(Near("at", *NEEDLE, 0.0), here)


def test_a_date_line_and_a_pole_are_no_border() -> None:
    assert finds(Near("at", 0.0, 179.999, 300.0), fields_at((0.0, -179.999)))
    assert finds(Near("at", 89.999, 0.0, 300.0), fields_at((89.999, 180.0)))


def test_what_has_no_location_is_neither_near_nor_beyond() -> None:
    other = [Field("geo.x.elsewhere", "1", 1.0, True)]

    assert not finds(Near("at", *NEEDLE, 1e9), other)
    assert not finds(Near("at", *NEEDLE, 0.0, beyond=True), other)
