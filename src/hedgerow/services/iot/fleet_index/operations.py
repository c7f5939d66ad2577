"""The operations on the indexes themselves, and SearchIndex. What a setup may be is `setups`.

Spec: AWS IoT API reference; developer guide, "Managing fleet indexing".
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.fleet_index.asking import ready, tree
from hedgerow.services.iot.fleet_index.errors import IndexNotFound, IndexOff
from hedgerow.services.iot.fleet_index.indexing import Indexing
from hedgerow.services.iot.fleet_index.model import INDEXES, OFF, THINGS, Document
from hedgerow.services.iot.fleet_index.setups import groups_setup, shown_filter, things_setup
from hedgerow.services.iot.fleet_index.store import FleetIndexStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

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
        new = [things_setup(things)] if things is not None else []
        new += [groups_setup(groups)] if groups is not None else []
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
        chosen = shown_filter(things)
        if chosen:
            shown["filter"] = chosen
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
        if name not in INDEXES:
            raise IndexNotFound(name)
        setup = self._store.setup(tx, caller.account, name)
        if not setup.on:
            raise IndexOff(name)
        return Answer({"indexName": name, "indexStatus": setup.status.value, "schema": setup.schema})

    def search_index(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        setup = ready(tx, self._store, request, caller)
        text = request["queryString"]
        query = tree(text, setup)
        size = request.get("maxResults") or SEARCHED
        if size > MOST_SEARCHED:
            raise InvalidRequest(f"maxResults is {size}; {MOST_SEARCHED} are allowed")
        page = self._pages.by_token_of(size, request, caller, "SearchIndex", index=setup.index, query=text)
        found = self._store.search(tx, caller.account, setup.index, query, after=page.after(), limit=page.limit)
        name = "things" if setup.index == THINGS else "thingGroups"
        return Answer(page.answer(name, found, key=lambda one: (one.name,), show=_shown))


def _fields(pairs: tuple[tuple[str, str], ...]) -> list[Mapping[str, str]]:
    return [{"name": name, "type": kind} for name, kind in pairs]


def _shown(document: Document) -> Mapping[str, Any]:
    body = document.body
    if "shadow" not in body:
        return body
    return {**body, "shadow": json.dumps(body["shadow"], separators=(",", ":"), ensure_ascii=False)}
