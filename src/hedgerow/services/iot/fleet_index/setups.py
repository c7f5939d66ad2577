"""From what UpdateIndexingConfiguration asks for to a setup, or a refusal; and back to what is shown.

Defender's violations are not indexed, so they are refused by name. Source: AWS IoT API reference,
ThingIndexingConfiguration; AWS's quotas of fleet indexing.
"""

from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.fleet_index.model import GROUPS, OFF, THINGS, Setup

NAMED_SHADOWS: Final = 10
CUSTOM_FIELDS: Final = 5
GEO_LOCATIONS: Final = 1
GEO_NAME: Final = 500  # bytes
LAT_LON: Final = "LatLon"
WITH_SOCKETS: Final = "GET_THING_CONNECTIVITY_DATA"


def things_setup(asked: Request) -> Setup:
    """Answer how the index of things is to be set up; raise InvalidRequest for what does not go together."""
    mode = asked["thingIndexingMode"]
    if asked.get("deviceDefenderIndexingMode", OFF) != OFF:
        raise NotImplementedYet("deviceDefenderIndexingMode VIOLATIONS is not implemented: there are no violations yet")
    chosen = asked.get("filter") or Request({})
    named = _named_shadows(asked, chosen)
    custom = _custom(asked)
    setup = Setup(
        index=THINGS,
        mode=mode,
        connectivity=asked.get("thingConnectivityIndexingMode", OFF),
        named_shadows=named,
        custom=custom,
        places=_places(chosen),
        sockets=_sockets(chosen),
    )
    if mode == OFF and setup != Setup(index=THINGS):
        raise InvalidRequest("thingIndexingMode OFF goes with neither other modes, filters nor customFields")
    if setup.sockets and setup.connectivity == OFF:
        raise InvalidRequest("filter.connectivity needs thingConnectivityIndexingMode STATUS")
    for name, _ in setup.places:
        if len(name.encode()) > GEO_NAME:
            raise InvalidRequest(f"filter.geoLocations: a name may have {GEO_NAME} bytes")
        _check_field(setup, name, "filter.geoLocations")
    for name, _ in setup.custom:
        _check_field(setup, name, "customFields")
    return _with_our_fields(asked, setup)


def groups_setup(asked: Request) -> Setup:
    """Answer how the index of groups is to be set up; raise InvalidRequest for what does not go together."""
    mode = asked["thingGroupIndexingMode"]
    custom = _custom(asked)
    if mode == OFF and custom:
        raise InvalidRequest("thingGroupIndexingMode OFF does not go with customFields")
    return _with_our_fields(asked, Setup(index=GROUPS, mode=mode, custom=custom))


def shown_filter(things: Setup) -> Mapping[str, Any]:
    """Answer the `filter` of the index of things, empty when nothing is chosen."""
    shown: dict[str, Any] = {}
    if things.named_shadows:
        shown["namedShadowNames"] = list(things.named_shadows)
    if things.places:
        shown["geoLocations"] = [{"name": name, "order": order} for name, order in things.places]
    if things.sockets:
        shown["connectivity"] = {"includeSocketInformation": [WITH_SOCKETS]}
    return shown


def _named_shadows(asked: Request, chosen: Request) -> tuple[str, ...] | None:
    names = tuple(dict.fromkeys(chosen.take_all("namedShadowNames") or ()))
    if asked.get("namedShadowIndexingMode", OFF) == OFF:
        if names:
            raise InvalidRequest("filter.namedShadowNames needs namedShadowIndexingMode ON")
        return None
    if len(names) > NAMED_SHADOWS:
        raise InvalidRequest(f"filter.namedShadowNames has {len(names)} names; {NAMED_SHADOWS} are allowed")
    return names


def _sockets(chosen: Request) -> bool:
    connectivity = chosen.get("connectivity")
    return connectivity is not None and WITH_SOCKETS in (connectivity.take_all("includeSocketInformation") or ())


def _places(chosen: Request) -> tuple[tuple[str, str], ...]:
    found = []
    for one in chosen.get("geoLocations") or ():
        name, order = one.get("name"), one.get("order") or LAT_LON
        if not name:
            raise InvalidRequest("filter.geoLocations: each must have a name")
        found.append((name, order))
    if len(found) > GEO_LOCATIONS:
        raise InvalidRequest(f"filter.geoLocations has {len(found)} targets; {GEO_LOCATIONS} is allowed")
    return tuple(found)


def _check_field(setup: Setup, name: str, where: str) -> None:
    """What is indexed of a field is indexed where its attribute or shadow is."""
    shadow = next((one for one in setup.named_shadows or () if name.startswith(f"shadow.name.{one}.")), None)
    if name.startswith("shadow.name."):
        if shadow is None:
            raise InvalidRequest(f"{where}: the shadow of {name} is not among filter.namedShadowNames")
    elif name.startswith("shadow."):
        if setup.mode != "REGISTRY_AND_SHADOW":
            raise InvalidRequest(f"{where}: {name} needs thingIndexingMode REGISTRY_AND_SHADOW")
    elif not name.startswith("attributes."):
        raise InvalidRequest(f"{where}: {name} is no field of attributes or shadows")


def _with_our_fields(asked: Request, setup: Setup) -> Setup:
    """Answer the setup; raise InvalidRequest when the request wants to change fields that are managed."""
    for one in asked.take_all("managedFields") or ():
        if (one.get("name"), one.get("type")) not in setup.managed():
            raise InvalidRequest(f"managedFields: {one.get('name')} is not managed as that; declare it in customFields")
    return setup


def _custom(asked: Request) -> tuple[tuple[str, str], ...]:
    found = tuple((one["name"], one["type"]) for one in asked.get("customFields") or ())
    names = [name for name, _ in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidRequest(f"customFields names {twice} twice")
    for name in names:
        if not name.startswith(("attributes.", "shadow.")):
            raise InvalidRequest(f"customFields: {name} is no field of attributes or shadows")
    if len(found) > CUSTOM_FIELDS:
        raise InvalidRequest(f"customFields has {len(found)} fields; {CUSTOM_FIELDS} are allowed")
    return found
