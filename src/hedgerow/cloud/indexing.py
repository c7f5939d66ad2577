"""Builds fleet indexing and fleet metrics, and enters their rows."""

from hedgerow.base.ids import Ids
from hedgerow.cloud.measuring import FleetMeasures, FleetTelemetry
from hedgerow.cloud.operations import iot_fleet_index as rows
from hedgerow.cloud.registry import Stores
from hedgerow.cloud.rows import Tables
from hedgerow.core.paging import Pager
from hedgerow.services.cloudwatch.metrics import MetricFlows
from hedgerow.services.iot.connectivity import ConnectivityOperations
from hedgerow.services.iot.fleet_index import (
    AggregationOperations,
    Aggregations,
    FleetIndexFollowUps,
    FleetIndexOperations,
    Indexing,
    Sources,
)
from hedgerow.services.iot.fleet_metrics import FleetMetricFollowUps, FleetMetricOperations, FleetMetricStore
from hedgerow.services.iot.groups import DynamicGroupOperations, DynamicMembers
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Run


def build_fleet_index(*, tables: Tables, ids: Ids, pager: Pager, stores: Stores) -> None:
    """Build it and enter its rows."""
    store = stores.fleet_index
    members = DynamicMembers(groups=stores.groups, index=store, things=stores.things)
    indexing = Indexing(
        store=store,
        things=stores.things,
        groups=stores.groups,
        sources=Sources(
            things=stores.things,
            groups=stores.groups,
            billing=stores.billing,
            shadows=stores.shadows,
            connectivity=stores.connectivity,
        ),
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


def build_fleet_metrics(*, tables: Tables, run: Run, pager: Pager, stores: Stores, metrics: MetricFlows) -> None:
    """Build what is measured now and then, and enter its rows."""
    store, measures = FleetMetricStore(), FleetMeasures(store=stores.fleet_index)
    operations = FleetMetricOperations(store=store, index=measures, pages=Pages(pager))
    later = FleetMetricFollowUps(run=run, store=store, measures=measures, telemetry=FleetTelemetry(flows=metrics))
    tables.serve("iot", rows.metric_rows(metrics=operations))
    tables.follow(rows.metric_follow_up_rows(metrics=later))
