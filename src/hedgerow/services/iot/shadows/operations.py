"""Shadows over HTTP: GetThingShadow, UpdateThingShadow, DeleteThingShadow, ListNamedShadowsForThing.

What changes is published on the shadow's topics as if the request had come by MQTT; an error is not. A thing need not
be in the registry. Spec: AWS IoT, "device shadow REST API".
"""

import json
from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.core.shadow import ShadowError, encoded, update_of
from hedgerow.services.iot.pages import DEFAULT, Page
from hedgerow.services.iot.shadows.changes import Shadows
from hedgerow.services.iot.shadows.errors import service_error
from hedgerow.services.iot.shadows.model import CLASSIC, ShadowKey
from hedgerow.services.iot.shadows.store import ShadowStore
from hedgerow.store import Answer, Tx


class ShadowOperations:
    """The shadow operations of iot-data."""

    def __init__(self, *, shadows: Shadows, store: ShadowStore, pager: Pager) -> None:
        self._shadows = shadows
        self._store = store
        self._pager = pager

    def get_thing_shadow(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        try:
            return Answer({"payload": encoded(self._shadows.get(tx, _key(request, caller)))})
        except ShadowError as error:
            raise service_error(error) from error

    def update_thing_shadow(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        key = _key(request, caller)
        try:
            changed = self._shadows.update(tx, key, update_of(request["payload"]))
        except ShadowError as error:
            raise service_error(error) from error
        return Answer({"payload": changed.payload}, changed.events)

    def delete_thing_shadow(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        try:
            changed = self._shadows.delete(tx, _key(request, caller))
        except ShadowError as error:
            raise service_error(error) from error
        return Answer({"payload": changed.payload}, changed.events)

    def list_named_shadows_for_thing(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing = request["thingName"]
        page = self._page(request, caller)
        names = self._store.names(tx, caller.account, thing, after=page.after(), limit=page.limit)
        response: dict[str, Any] = page.answer("results", names, key=lambda name: (name,), show=str)
        return Answer({**response, "timestamp": int(tx.now)})

    def _page(self, request: Request, caller: Caller) -> Page:
        scope = json.dumps([caller.account, "ListNamedShadowsForThing", request["thingName"]])
        position = self._pager.position(scope, request.get("nextToken"))
        return Page(
            pager=self._pager,
            scope=scope,
            size=request.get("pageSize") or DEFAULT,
            position=() if position is None else tuple(json.loads(position)),
            answer_as="nextToken",
        )


def _key(request: Request, caller: Caller) -> ShadowKey:
    return ShadowKey(caller.account, request["thingName"], request.get("shadowName") or CLASSIC)
