"""Builds fleet indexing, and enters its rows."""

from hedgerow.base.ids import Ids
from hedgerow.cloud.operations import iot_fleet_index as rows
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.rows import Tables
from hedgerow.core.paging import Pager
from hedgerow.services.iot.connectivity import ConnectivityOperations
from hedgerow.services.iot.fleet_index import (
    AggregationOperations,
    Aggregations,
    FleetIndexFollowUps,
    FleetIndexOperations,
    Indexing,
)
from hedgerow.services.iot.groups import DynamicGroupOperations, DynamicMembers
from hedgerow.services.iot.pages import Pages


def build_fleet_index(*, tables: Tables, ids: Ids, pager: Pager, stores: Stores) -> None:
    """Build it and enter its rows."""
    store = stores.fleet_index
    members = DynamicMembers(groups=stores.groups, index=store)
    indexing = Indexing(
        store=store,
        things=stores.things,
        groups=stores.groups,
        shadows=stores.shadows,
        connectivity=stores.connectivity,
        followers=members,
    )
    tables.serve(
        "iot",
        rows.rows(
            indexes=FleetIndexOperations(store=store, indexing=indexing, pages=Pages(pager)),
            aggregations=AggregationOperations(store=store, aggregations=Aggregations(store=store)),
            groups=DynamicGroupOperations(groups=stores.groups, index=store, ids=ids),
            connectivity=ConnectivityOperations(store=stores.connectivity, things=stores.things, indexed=store),
        ),
    )
    tables.follow(rows.follow_up_rows(indexes=FleetIndexFollowUps(indexing=indexing), members=members))
