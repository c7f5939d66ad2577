"""The operations on event configurations. A change counts from the moment at which it is answered."""

from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.events import EventsConfigured
from hedgerow.core.request import Request
from hedgerow.services.iot.registry_events.model import Kind
from hedgerow.services.iot.registry_events.store import EventConfigurationStore
from hedgerow.store import Answer, Tx


class EventConfigurationOperations:
    """What an account wants told."""

    def __init__(self, *, store: EventConfigurationStore) -> None:
        self._store = store

    def describe_event_configurations(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = self._store.get(tx, caller.account)
        shown: dict[str, Any] = {
            "eventConfigurations": {kind.value: {"Enabled": kind in found.enabled} for kind in Kind}
        }
        if found.created_at is not None:
            shown |= {"creationDate": found.created_at, "lastModifiedDate": found.modified_at}
        return Answer(shown)

    def update_event_configurations(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        given = request.get("eventConfigurations") or {}
        wanted = {name: bool(given[name].get("Enabled")) for name in given}
        changed = self._store.get(tx, caller.account).changed(wanted, tx.now)
        self._store.put(tx, caller.account, changed)
        kinds = frozenset(kind.value for kind in changed.enabled)
        return Answer({}, events=(EventsConfigured(account=caller.account, kinds=kinds),))
