"""Fleet indexing over the registry and shadows, joined as the cloud joins it, over a store in memory."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import delete, func, select, update

from hedgerow.cloud.indexing import build_fleet_index
from hedgerow.cloud.registry import INDEXED, Stores
from hedgerow.cloud.rows import Tables
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.core.shadow import Shadow
from hedgerow.services.iot.connectivity import Presence
from hedgerow.services.iot.fleet_index import BUILD, CHANGED
from hedgerow.services.iot.fleet_index.store import documents
from hedgerow.services.iot.groups import BUILD as GROUP_BUILD
from hedgerow.services.iot.groups import GroupOperations
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.shadows import ShadowKey
from hedgerow.services.iot.shadows.model import Kept
from hedgerow.services.iot.things import ThingOperations
from hedgerow.store import Answer, FollowUp, Tx
from hedgerow.store.tx import follow_ups
from tests.support.clock import FakeIds
from tests.support.store import CALLER, MemoryStore

KINDS = (CHANGED, BUILD, GROUP_BUILD)


class IndexBench:
    """Things, groups, shadows and connectivity with their index."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.stores = stores = Stores()
        self.tables = Tables()
        pages, ids = Pages(Pager(b"key")), FakeIds()
        build_fleet_index(tables=self.tables, ids=ids, pager=Pager(b"key"), stores=stores)
        things = ThingOperations(
            things=stores.things,
            types=stores.types,
            memberships=stores.groups,
            billing=stores.billing,
            pages=pages,
            ids=ids,
        )
        groups = GroupOperations(
            groups=stores.groups, things=stores.things, policies=stores.policies, pages=pages, ids=ids
        )
        self._registry: dict[str, Callable[[Tx, Request, Caller], Answer]] = {
            "CreateThing": things.create_thing,
            "UpdateThing": things.update_thing,
            "DeleteThing": things.delete_thing,
            "CreateThingGroup": groups.create_thing_group,
            "DescribeThingGroup": groups.describe_thing_group,
            "UpdateThingGroup": groups.update_thing_group,
            "ListThingsInThingGroup": groups.list_things_in_thing_group,
            "DeleteThingGroup": groups.delete_thing_group,
            "AddThingToThingGroup": groups.add_thing_to_thing_group,
            "RemoveThingFromThingGroup": groups.remove_thing_from_thing_group,
        }

    def call(self, operation: str, caller: Caller = CALLER, **members: Any) -> Mapping[str, Any]:
        row = self.tables.operations["iot", operation]
        return self.store.run(row.method, members, caller=caller).response  # type: ignore[arg-type]  # an operation

    def registry_call(self, operation: str, caller: Caller = CALLER, **members: Any) -> Mapping[str, Any]:
        return self.store.run(self._registry[operation], members, caller=caller).response

    def thing(self, name: str, *, caller: Caller = CALLER, **members: Any) -> None:
        self.registry_call("CreateThing", caller, thingName=name, **members)

    def group(self, name: str, **members: Any) -> None:
        self.registry_call("CreateThingGroup", thingGroupName=name, **members)

    def shadow(self, thing: str, state: Mapping[str, Any] | None, name: str = "") -> None:
        """Write a shadow; None deletes it."""
        kept = Kept.new(Shadow(state=state or {}, version=1), deleted_at=1.0 if state is None else None)
        with self.store.tx() as tx:
            self.stores.shadows.put(tx, ShadowKey(CALLER.account, thing, name), kept)

    def presence(self, thing: str, *, connected: bool, at: float, epoch: int, **more: Any) -> None:
        with self.store.tx() as tx:
            new = Presence(thing=thing, client_id=thing, connected=connected, at=at, epoch=epoch, **more)
            if self.stores.connectivity.put(tx, CALLER.account, new):
                INDEXED.connectivity_changed(tx, CALLER.account, thing)

    def waiting(self) -> int:
        """Answer how many follow-ups of the index wait."""
        with self.store.tx() as tx:
            return len(tx.all(select(follow_ups).where(follow_ups.c.kind.in_(KINDS))))

    def count_a_failure(self) -> None:
        """Have the oldest follow-up of the index as one that failed."""
        with self.store.tx() as tx:
            oldest = select(func.min(follow_ups.c.seq)).where(follow_ups.c.kind.in_(KINDS)).scalar_subquery()
            tx.run(update(follow_ups).where(follow_ups.c.seq == oldest).values(attempts=1))

    def documents(self) -> list[str]:
        with self.store.tx() as tx:
            return [row.name for row in tx.all(select(documents))]

    def step(self) -> bool:
        """Do the next follow-up of the index; tell whether there was one."""
        with self.store.tx() as tx:
            row = tx.one(select(follow_ups).where(follow_ups.c.kind.in_(KINDS)).order_by(follow_ups.c.seq).limit(1))
            if row is None:
                return False
            tx.run(delete(follow_ups).where(follow_ups.c.seq == row.seq))
            found = FollowUp(
                seq=row.seq,
                account=row.account,
                kind=row.kind,
                key=row.key,
                due_at=row.due_at,
                body=json.loads(row.body),
                attempts=row.attempts,
            )
            self.tables.follow_ups[row.kind](tx, found)  # type: ignore[call-arg,arg-type]  # no flow
        return True

    def settle(self) -> None:
        """Do everything that is to be done later."""
        while self.step():
            pass
