"""The operations on the indexes themselves, and SearchIndex.

Spec: AWS IoT API reference; developer guide, "Managing fleet indexing". Defender's violations and geographic fields are
not indexed, so they are refused by name.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.fleet_index.asking import ready, tree
from hedgerow.services.iot.fleet_index.errors import IndexNotFound
from hedgerow.services.iot.fleet_index.indexing import Indexing
from hedgerow.services.iot.fleet_index.model import GROUPS, INDEXES, OFF, THINGS, Document, Setup
from hedgerow.services.iot.fleet_index.store import FleetIndexStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

NAMED_SHADOWS: Final = 10
SEARCHED: Final = 100  # documents of a page, when nothing else is asked for
MOST_SEARCHED: Final = 500


class FleetIndexOperations:
    """The operations on indexes."""

    def __init__(self, *, store: FleetIndexStore, indexing: Indexing, pages: Pages) -> None:
        self._store = store
        self._indexing = indexing
        self._pages = pages

    def update_indexing_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        things = request.get("thingIndexingConfiguration")
        groups = request.get("thingGroupIndexingConfiguration")
        new = [_things_setup(things)] if things is not None else []
        new += [_groups_setup(groups)] if groups is not None else []
        for setup in new:
            known = self._store.setup(tx, caller.account, setup.index)
            asked = replace(setup, status=known.status, generation=known.generation)
            if asked != known:
                self._indexing.begin(tx, caller.account, known.next(setup))
        return Answer({})

    def get_indexing_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        things, groups = (self._store.setup(tx, caller.account, index) for index in INDEXES)
        shown: dict[str, Any] = {
            "thingIndexingMode": things.mode,
            "thingConnectivityIndexingMode": things.connectivity,
            "deviceDefenderIndexingMode": OFF,
            "namedShadowIndexingMode": OFF if things.named_shadows is None else "ON",
            "managedFields": _fields(things.managed()),
            "customFields": _fields(things.custom),
        }
        if things.named_shadows:
            shown["filter"] = {"namedShadowNames": list(things.named_shadows)}
        return Answer(
            {
                "thingIndexingConfiguration": shown,
                "thingGroupIndexingConfiguration": {
                    "thingGroupIndexingMode": groups.mode,
                    "managedFields": _fields(groups.managed()),
                    "customFields": _fields(groups.custom),
                },
            }
        )

    def list_indices(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        page = self._pages.by_token(request, caller, "ListIndices")
        there = [name for name in sorted(INDEXES) if self._store.setup(tx, caller.account, name).on]
        later = [name for name in there if name > page.after()]
        return Answer(page.answer("indexNames", later[: page.limit], key=lambda name: (name,), show=str))

    def describe_index(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["indexName"]
        setup = self._store.setup(tx, caller.account, name)
        if name not in INDEXES or not setup.on:
            raise IndexNotFound(name)
        return Answer({"indexName": name, "indexStatus": setup.status.value, "schema": setup.schema})

    def search_index(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        setup = ready(tx, self._store, request, caller)
        text = request["queryString"]
        query = tree(text)
        size = request.get("maxResults") or SEARCHED
        if size > MOST_SEARCHED:
            raise InvalidRequest(f"maxResults is {size}; {MOST_SEARCHED} are allowed")
        page = self._pages.by_token_of(size, request, caller, "SearchIndex", index=setup.index, query=text)
        found = self._store.search(tx, caller.account, setup.index, query, after=page.after(), limit=page.limit)
        name = "things" if setup.index == THINGS else "thingGroups"
        return Answer(page.answer(name, found, key=lambda one: (one.name,), show=_shown))


def _things_setup(asked: Request) -> Setup:
    mode = asked["thingIndexingMode"]
    if asked.get("deviceDefenderIndexingMode", OFF) != OFF:
        raise NotImplementedYet("deviceDefenderIndexingMode VIOLATIONS is not implemented: there are no violations yet")
    connectivity = asked.get("thingConnectivityIndexingMode", OFF)
    named = asked.get("namedShadowIndexingMode", OFF)
    chosen = asked.get("filter") or Request({})
    names = tuple(dict.fromkeys(chosen.take_all("namedShadowNames") or ()))
    if names and named == OFF:
        raise InvalidRequest("filter.namedShadowNames needs namedShadowIndexingMode ON")
    if len(names) > NAMED_SHADOWS:
        raise InvalidRequest(f"filter.namedShadowNames has {len(names)} names; {NAMED_SHADOWS} are allowed")
    custom = _custom(asked)
    if mode == OFF and (connectivity != OFF or named != OFF or custom):
        raise InvalidRequest("thingIndexingMode OFF goes with neither other modes nor customFields")
    return _with_our_fields(
        asked,
        Setup(
            index=THINGS,
            mode=mode,
            connectivity=connectivity,
            named_shadows=names if named != OFF else None,
            custom=custom,
        ),
    )


def _groups_setup(asked: Request) -> Setup:
    mode = asked["thingGroupIndexingMode"]
    custom = _custom(asked)
    if mode == OFF and custom:
        raise InvalidRequest("thingGroupIndexingMode OFF does not go with customFields")
    return _with_our_fields(asked, Setup(index=GROUPS, mode=mode, custom=custom))


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
    return found


def _fields(pairs: tuple[tuple[str, str], ...]) -> list[Mapping[str, str]]:
    return [{"name": name, "type": kind} for name, kind in pairs]


def _shown(document: Document) -> Mapping[str, Any]:
    body = document.body
    if "shadow" not in body:
        return body
    return {**body, "shadow": json.dumps(body["shadow"], separators=(",", ":"), ensure_ascii=False)}
