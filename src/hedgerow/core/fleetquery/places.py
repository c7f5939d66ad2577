"""Places on the earth: what a location looks like in a document, how it is indexed, what lies within a distance.

A place is indexed as the three coordinates of a point on the unit sphere, below `geo.`: two places are within a
distance when the straight line between them is short enough, which is sums and products only, exact for centimetres.
Spec: AWS IoT developer guide, "Indexing location data": the four formats, `geo_distance`; a sphere of the mean radius.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.core.fleetquery.fields import number_in

GEO: Final = "geo."
AXES: Final = ("x", "y", "z")
LON_LAT: Final = "LonLat"
EARTH_RADIUS_M: Final = 6_371_008.7714
METRES: Final = {
    **dict.fromkeys(("", "m", "meters"), 1.0),
    **dict.fromkeys(("km", "kilometers"), 1000.0),
    **dict.fromkeys(("cm", "centimeters"), 0.01),
    **dict.fromkeys(("mm", "millimeters"), 0.001),
    **dict.fromkeys(("mi", "miles"), 1609.344),
    **dict.fromkeys(("yd", "yards"), 0.9144),
    **dict.fromkeys(("ft", "feet"), 0.3048),
    **dict.fromkeys(("in", "inch"), 0.0254),
    **dict.fromkeys(("nm", "nmi", "nauticalmiles"), 1852.0),
}
"""How long each unit is that a distance may have; names are in lower case."""

_POINT: Final = re.compile(r"\s*POINT\s*\(\s*(\S+)\s+(\S+?)\s*\)\s*", re.IGNORECASE)

Place = tuple[float, float]
"""Latitude and longitude in degrees."""


def paths(field: str) -> tuple[str, str, str]:
    """Answer where the index has the three coordinates of a location."""
    x, y, z = (f"{GEO}{axis}.{field}" for axis in AXES)
    return x, y, z


def vector(place: Place) -> tuple[float, float, float]:
    """Answer the point on the unit sphere."""
    latitude, longitude = math.radians(place[0]), math.radians(place[1])
    across = math.cos(latitude)
    return across * math.cos(longitude), across * math.sin(longitude), math.sin(latitude)


def chord(metres: float) -> float:
    """Answer the straight line through the unit sphere between two points that are so far apart on its surface."""
    return 2.0 * math.sin(min(metres / (2.0 * EARTH_RADIUS_M), math.pi / 2))


def is_place(latitude: float, longitude: float) -> bool:
    """Tell whether there are such degrees."""
    return -90.0 <= latitude <= 90.0 and -180.0 <= longitude <= 180.0


def maybe_place(value: Any, order: str) -> Place | None:
    """Answer the place that a value of a document says, in any of the formats; None when it says none."""
    pair = _pair(value, order == LON_LAT)
    if pair is None:
        return None
    latitude, longitude = (_degrees(part) for part in pair)
    if latitude is None or longitude is None or not is_place(latitude, longitude):
        return None
    return latitude, longitude


def _pair(value: Any, longitude_first: bool) -> tuple[Any, Any] | None:
    if isinstance(value, Mapping):
        latitude = next((value[name] for name in ("lat", "latitude") if name in value), None)
        longitude = next((value[name] for name in ("lon", "long", "longitude") if name in value), None)
        return latitude, longitude
    if isinstance(value, str):
        point = _POINT.fullmatch(value)
        if point is not None:  # always the longitude first
            return point[2], point[1]
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    first, second = value
    return (second, first) if longitude_first else (first, second)


def _degrees(part: Any) -> float | None:
    if isinstance(part, str):
        return number_in(part)
    return float(part) if isinstance(part, int | float) and not isinstance(part, bool) else None
