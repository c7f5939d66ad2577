"""The rows of `iot` that belong to fleet indexing, dynamic groups and fleet metrics, and what happens to them later."""

from collections.abc import Awaitable, Callable

from hedgerow.api.operations import Row, read, write
from hedgerow.services.iot.connectivity import ConnectivityOperations
from hedgerow.services.iot.fleet_index import (
    BUILD,
    CHANGED,
    PAUSE_S,
    AggregationOperations,
    FleetIndexFollowUps,
    FleetIndexOperations,
)
from hedgerow.services.iot.fleet_metrics import DUE, MEASURED, FleetMetricFollowUps, FleetMetricOperations
from hedgerow.services.iot.groups import BUILD as GROUP_BUILD
from hedgerow.services.iot.groups import DynamicGroupOperations, DynamicMembers
from hedgerow.store import Answer, FollowUp, Gathered, Tx

_INDEX = "arn:aws:iot:{region}:{account}:index/{indexName|=AWS_Things}"
_METRIC = "arn:aws:iot:{region}:{account}:fleetmetric/{metricName}"
_GROUP = "arn:aws:iot:{region}:{account}:thinggroup/{thingGroupName}"


def rows(
    *,
    indexes: FleetIndexOperations,
    aggregations: AggregationOperations,
    groups: DynamicGroupOperations,
    connectivity: ConnectivityOperations,
) -> dict[str, Row]:
    """Answer the operations on indexes, and on what goes by them."""
    return {
        "UpdateIndexingConfiguration": write(indexes.update_indexing_configuration),
        "GetIndexingConfiguration": read(indexes.get_indexing_configuration),
        "ListIndices": read(indexes.list_indices),
        "DescribeIndex": read(indexes.describe_index, _INDEX),
        "SearchIndex": read(indexes.search_index, _INDEX),
        "GetStatistics": read(aggregations.get_statistics, _INDEX),
        "GetCardinality": read(aggregations.get_cardinality, _INDEX),
        "GetPercentiles": read(aggregations.get_percentiles, _INDEX),
        "GetBucketsAggregation": read(aggregations.get_buckets_aggregation, _INDEX),
        "CreateDynamicThingGroup": write(groups.create_dynamic_thing_group, _GROUP),
        "UpdateDynamicThingGroup": write(groups.update_dynamic_thing_group, _GROUP),
        "DeleteDynamicThingGroup": write(groups.delete_dynamic_thing_group, _GROUP),
        "GetThingConnectivityData": read(
            connectivity.get_thing_connectivity_data, "arn:aws:iot:{region}:{account}:thing/{thingName}"
        ),
    }


def follow_up_rows(
    *, indexes: FleetIndexFollowUps, members: DynamicMembers
) -> dict[str, Callable[[Tx, FollowUp], Answer]]:
    """Answer what happens to the indexes and the dynamic groups later."""
    return {
        CHANGED: Gathered(indexes.on_changed, pause_s=PAUSE_S),
        BUILD: indexes.on_build,
        GROUP_BUILD: members.on_build,
    }


def metric_rows(*, metrics: FleetMetricOperations) -> dict[str, Row]:
    """Answer the operations on fleet metrics."""
    return {
        "CreateFleetMetric": write(metrics.create_fleet_metric, _METRIC),
        "DescribeFleetMetric": read(metrics.describe_fleet_metric, _METRIC),
        "ListFleetMetrics": read(metrics.list_fleet_metrics),
        "UpdateFleetMetric": write(metrics.update_fleet_metric, _METRIC),
        "DeleteFleetMetric": write(metrics.delete_fleet_metric, _METRIC),
    }


def metric_follow_up_rows(*, metrics: FleetMetricFollowUps) -> dict[str, Callable[[FollowUp], Awaitable[None]]]:
    """Answer what happens to fleet metrics later."""
    return {DUE: metrics.on_due, MEASURED: metrics.on_measured}
