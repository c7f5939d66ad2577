"""Builds registry events: the stores that tell of changes, who writes events down and who sends them."""

from dataclasses import dataclass

from hedgerow.base.ids import Ids
from hedgerow.cloud.operations import iot_events as rows
from hedgerow.cloud.publishing import publish_stored
from hedgerow.cloud.registry import INDEXED, Stores
from hedgerow.cloud.rows import Tables
from hedgerow.gateway.ports import Bus, Message
from hedgerow.services.iot.groups import GroupStore
from hedgerow.services.iot.jobs import JobStore
from hedgerow.services.iot.registry_events import (
    EventConfigurationOperations,
    EventConfigurationStore,
    EventFollowUps,
    RegistryEvents,
)
from hedgerow.services.iot.thing_types import ThingTypeStore
from hedgerow.services.iot.things import ThingStore
from hedgerow.store import Run

SENDER = "iot.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsPart:
    """Who is told of changes, and the registry's stores that tell."""

    telling: RegistryEvents
    store: EventConfigurationStore
    stores: Stores

    async def load(self, run: Run) -> None:
        """Read what every account has switched on."""
        self.telling.load(await run.read(self.store.of_all))


def build_registry_events(*, tables: Tables, ids: Ids, region: str, bus: Bus) -> EventsPart:
    """Build it and enter its rows."""
    store = EventConfigurationStore()
    telling = RegistryEvents(things=ThingStore(), ids=ids, region=region)
    tables.serve("iot", rows.rows(configurations=EventConfigurationOperations(store=store)))
    tables.follow(rows.follow_up_rows(events=EventFollowUps(messages=_Messages(bus))))
    return EventsPart(telling=telling, store=store, stores=watched_stores(telling))


def watched_stores(telling: RegistryEvents) -> Stores:
    """Answer the registry's stores, which tell of each change; jobs hear of things that go."""
    return Stores(
        things=ThingStore(changed=INDEXED.changed, removed=JobStore().executions.thing_removed, watcher=telling),
        types=ThingTypeStore(watcher=telling),
        groups=GroupStore(changed=INDEXED.group_changed, moved=INDEXED.changed, watcher=telling),
    )


class _Messages:
    """Events go to the account's topics, for rules and whoever subscribes."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, account: str, topic: str, payload: bytes) -> None:
        await publish_stored(self._bus, Message(account=account, topic=topic, payload=payload, qos=1, principal=SENDER))
