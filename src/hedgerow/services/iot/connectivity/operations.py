"""GetThingConnectivityData."""

from typing import Any, Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.connectivity.errors import ConnectivityNotIndexed, ThingNotFound
from hedgerow.services.iot.connectivity.store import ConnectivityStore
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.store import Answer, Tx

UNKNOWN = "UNKNOWN"  # as a reason: there never was a connection
NONE = "NONE"  # while connected


class Things(Protocol):
    """The things of an account."""

    def exists(self, tx: Tx, account: str, name: str) -> bool: ...


class Indexed(Protocol):
    """Whether the account indexes connectivity."""

    def connectivity_on(self, tx: Tx, account: str) -> bool: ...

    def sockets_on(self, tx: Tx, account: str) -> bool:
        """Tell whether the account wants to know addresses and ports of connections."""
        ...


class ConnectivityOperations:
    """The operation on connectivity."""

    def __init__(self, *, store: ConnectivityStore, things: Things, indexed: Indexed) -> None:
        self._store = store
        self._things = things
        self._indexed = indexed

    def get_thing_connectivity_data(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, with_socket = request["thingName"], bool(request.get("includeSocketInformation"))
        if not self._things.exists(tx, caller.account, name):
            raise ThingNotFound(name)
        if not self._indexed.connectivity_on(tx, caller.account):
            raise ConnectivityNotIndexed
        if with_socket and not self._indexed.sockets_on(tx, caller.account):
            raise InvalidRequest(
                "includeSocketInformation needs GET_THING_CONNECTIVITY_DATA in"
                " filter.connectivity.includeSocketInformation of UpdateIndexingConfiguration"
            )
        known = self._store.get(tx, caller.account, name)
        if known is None:
            return Answer({"thingName": name, "connected": False, "disconnectReason": UNKNOWN})
        members: dict[str, Any] = dict(known.members())
        members["timestamp"] = known.at
        members.setdefault("disconnectReason", NONE)
        if with_socket:
            members |= known.socket()
        return Answer({"thingName": name, **members})
