"""Builds fleet indexing, and enters its rows."""

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
from hedgerow.services.iot.pages import Pages


def build_fleet_index(*, tables: Tables, pager: Pager, stores: Stores) -> None:
    """Build it and enter its rows."""
    store = stores.fleet_index
    indexing = Indexing(
        store=store,
        things=stores.things,
        groups=stores.groups,
        shadows=stores.shadows,
        connectivity=stores.connectivity,
    )
    tables.serve(
        "iot",
        rows.rows(
            indexes=FleetIndexOperations(store=store, indexing=indexing, pages=Pages(pager)),
            aggregations=AggregationOperations(store=store, aggregations=Aggregations(store=store)),
            connectivity=ConnectivityOperations(store=stores.connectivity, things=stores.things, indexed=store),
        ),
    )
    tables.follow(rows.follow_up_rows(indexes=FleetIndexFollowUps(indexing=indexing)))
