"""GetThingConnectivityData."""

from typing import Any, Protocol

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.connectivity.errors import ConnectivityNotIndexed, ThingNotFound
from hedgerow.services.iot.connectivity.store import ConnectivityStore
from hedgerow.store import Answer, Tx

UNKNOWN = "UNKNOWN"  # as a reason: there never was a connection
NONE = "NONE"  # while connected


class Things(Protocol):
    """The things of an account."""

    def exists(self, tx: Tx, account: str, name: str) -> bool: ...


class Indexed(Protocol):
    """Whether the account indexes connectivity."""

    def connectivity_on(self, tx: Tx, account: str) -> bool: ...


class ConnectivityOperations:
    """The operation on connectivity."""

    def __init__(self, *, store: ConnectivityStore, things: Things, indexed: Indexed) -> None:
        self._store = store
        self._things = things
        self._indexed = indexed

    def get_thing_connectivity_data(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["thingName"]
        if request.get("includeSocketInformation"):
            raise NotImplementedYet("includeSocketInformation is not implemented; GetConnection has the address")
        if not self._things.exists(tx, caller.account, name):
            raise ThingNotFound(name)
        if not self._indexed.connectivity_on(tx, caller.account):
            raise ConnectivityNotIndexed
        known = self._store.get(tx, caller.account, name)
        if known is None:
            return Answer({"thingName": name, "connected": False, "disconnectReason": UNKNOWN})
        members: dict[str, Any] = dict(known.members())
        members["timestamp"] = known.at
        members.setdefault("disconnectReason", NONE)
        return Answer({"thingName": name, **members})
