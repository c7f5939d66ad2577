"""The operations on thing types: create, describe, update, list, deprecate, delete.

Whether a type is still in use is asked of the things. A change of propagating attributes is told like one of rights:
whoever is connected is asked about anew, and that is when a connection learns what it adds to its publications.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.thing_types.errors import ThingTypeExists, ThingTypeNotFound
from hedgerow.services.iot.thing_types.model import (
    Propagating,
    ThingType,
    checked_name,
    checked_propagating,
    checked_searchable,
)
from hedgerow.services.iot.thing_types.store import ThingTypeStore
from hedgerow.store import Answer, Tx


class Things(Protocol):
    """What thing types need of things."""

    def list(self, tx: Tx, account: str, *, limit: int, type_name: str | None) -> Sequence[object]:
        """Answer things of that type, `limit` at most."""
        ...


class ThingTypeOperations:
    """The operations on thing types."""

    def __init__(self, *, types: ThingTypeStore, things: Things, pages: Pages, ids: Ids) -> None:
        self._types = types
        self._things = things
        self._pages = pages
        self._ids = ids

    def create_thing_type(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = checked_name(request["thingTypeName"])
        properties = request.get("thingTypeProperties") or Request({})
        description = properties.get("thingTypeDescription")
        searchable = checked_searchable(properties.take_all("searchableAttributes") or ())
        propagating = _propagating(properties) or ()
        kind = self._types.get(tx, caller.account, name)
        if kind is None:
            kind = ThingType(
                name=name,
                id=self._ids.uuid(),
                description=description,
                searchable=searchable,
                created_at=tx.now,
                propagating=propagating,
            )
            self._types.add(tx, caller.account, kind)
        elif _distinct(kind) != (description, set(searchable), propagating):
            raise ThingTypeExists(name, type_id=kind.id, type_arn=_arn(caller, name))
        return Answer({"thingTypeName": name, "thingTypeArn": _arn(caller, name), "thingTypeId": kind.id})

    def describe_thing_type(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind = self._get(tx, caller, request["thingTypeName"])
        return Answer({**_listed(caller, kind), "thingTypeId": kind.id})

    def update_thing_type(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind = self._get(tx, caller, request["thingTypeName"])
        properties = request.get("thingTypeProperties") or Request({})
        description, searchable = properties.get("thingTypeDescription"), properties.take_all("searchableAttributes")
        propagating = _propagating(properties)
        changed = replace(
            kind,
            description=kind.description if description is None else description,
            searchable=kind.searchable if searchable is None else checked_searchable(searchable),
            propagating=kind.propagating if propagating is None else propagating,
        )
        self._types.put(tx, caller.account, changed)
        same = changed.propagating == kind.propagating
        return Answer({}, events=() if same else (AuthorisationChanged(account=caller.account),))

    def list_thing_types(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request.get("thingTypeName")
        page = self._pages.by_token(request, caller, "ListThingTypes", name=name)
        if name is None:
            found = self._types.list(tx, caller.account, after=page.after(), limit=page.limit)
        else:
            one = self._types.get(tx, caller.account, name)
            found = [] if one is None else [one]
        return Answer(page.answer("thingTypes", found, key=lambda t: (t.name,), show=lambda t: _listed(caller, t)))

    def deprecate_thing_type(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind = self._get(tx, caller, request["thingTypeName"])
        undo = bool(request.get("undoDeprecate"))
        if undo or kind.deprecated_at is None:
            self._types.deprecate(tx, caller.account, kind.name, at=None if undo else tx.now)
        return Answer({})

    def delete_thing_type(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind = self._get(tx, caller, request["thingTypeName"])
        if kind.deprecated_at is None:
            raise InvalidRequest(f"Cannot delete thing type {kind.name}: deprecate it first")
        if not kind.may_be_deleted(tx.now):
            raise InvalidRequest(f"Please wait for 5 minutes after deprecation and then retry: thing type {kind.name}")
        if self._things.list(tx, caller.account, limit=1, type_name=kind.name):
            raise InvalidRequest(f"Cannot delete thing type {kind.name}: it is still in use by things")
        self._types.remove(tx, caller.account, kind.name)
        return Answer({})

    def _get(self, tx: Tx, caller: Caller, name: str) -> ThingType:
        kind = self._types.get(tx, caller.account, name)
        if kind is None:
            raise ThingTypeNotFound(caller.account, name)
        return kind


def _propagating(properties: Request) -> tuple[Propagating, ...] | None:
    """Answer the propagating attributes that are given, None when nothing is said of them."""
    configuration = properties.get("mqtt5Configuration")
    given = None if configuration is None else configuration.take_all("propagatingAttributes")
    return None if given is None else checked_propagating(given)


def _distinct(kind: ThingType) -> tuple[str | None, set[str], tuple[Propagating, ...]]:
    return kind.description, set(kind.searchable), kind.propagating


def _arn(caller: Caller, name: str) -> str:
    return arn("iot", caller.region, caller.account, f"thingtype/{name}")


def _listed(caller: Caller, kind: ThingType) -> dict[str, Any]:
    properties: dict[str, Any] = {"searchableAttributes": list(kind.searchable)}
    if kind.description is not None:
        properties["thingTypeDescription"] = kind.description
    if kind.propagating:
        shown = [each.shown() for each in kind.propagating]
        properties["mqtt5Configuration"] = {"propagatingAttributes": shown}
    metadata: dict[str, Any] = {"deprecated": kind.deprecated_at is not None, "creationDate": kind.created_at}
    if kind.deprecated_at is not None:
        metadata["deprecationDate"] = kind.deprecated_at
    return {
        "thingTypeName": kind.name,
        "thingTypeArn": _arn(caller, kind.name),
        "thingTypeProperties": properties,
        "thingTypeMetadata": metadata,
    }
