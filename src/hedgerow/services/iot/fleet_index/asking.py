"""What every question to an index begins with: which index, is it ready, is the query one."""

from functools import lru_cache

from hedgerow.core.caller import Caller
from hedgerow.core.fleetquery import InvalidQuery, Node, parse, places_in
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.fleet_index.errors import IndexNotFound, IndexNotReady, QueryRefused
from hedgerow.services.iot.fleet_index.model import INDEXES, THINGS, VERSION, Setup, Status
from hedgerow.services.iot.fleet_index.store import FleetIndexStore
from hedgerow.store import Tx


def ready(tx: Tx, store: FleetIndexStore, request: Request, caller: Caller) -> Setup:
    """Answer the index that the request names; raise IndexNotFound, IndexNotReady or InvalidRequest."""
    name = request.get("indexName") or THINGS
    version = request.get("queryVersion") or VERSION
    if version != VERSION:
        raise InvalidRequest(f"queryVersion {version} is not known; there is {VERSION}")
    return index_ready(tx, store, caller.account, name)


def index_ready(tx: Tx, store: FleetIndexStore, account: str, name: str) -> Setup:
    """Answer the index when it can be asked; raise IndexNotFound or IndexNotReady."""
    if name not in INDEXES:
        raise IndexNotFound(name)
    setup = store.setup(tx, account, name)
    if not setup.on:
        raise IndexNotReady(f"The index {name} is off: turn it on with UpdateIndexingConfiguration.")
    if setup.status is Status.BUILDING:  # one that is built anew goes on answering from what it has
        raise IndexNotReady(f"The index {name} is {setup.status.value}: ask again in a moment.")
    return setup


def tree(text: str, setup: Setup) -> Node:
    """Answer the tree of a query string for this index; raise QueryRefused, which says what is wrong."""
    try:
        node = _parsed(text)
    except InvalidQuery as error:
        raise QueryRefused(f"Invalid query: {error}") from error
    unknown = sorted(places_in(node) - {name for name, _ in setup.places})
    if unknown:
        raise QueryRefused(
            f"Invalid query: {unknown[0]} is no indexed location: name it in filter.geoLocations"
            " with UpdateIndexingConfiguration"
        )
    return node


_parsed = lru_cache(maxsize=256)(parse)  # dashboards ask the same again and again
