"""The rows of `iot` that belong to fleet indexing, and what happens to the indexes later."""

from collections.abc import Callable

from hedgerow.api.operations import Row, read, write
from hedgerow.services.iot.connectivity import ConnectivityOperations
from hedgerow.services.iot.fleet_index import (
    BUILD,
    CHANGED,
    AggregationOperations,
    FleetIndexFollowUps,
    FleetIndexOperations,
)
from hedgerow.services.iot.groups import BUILD as GROUP_BUILD
from hedgerow.services.iot.groups import DynamicGroupOperations, DynamicMembers
from hedgerow.store import Answer, FollowUp, Tx

_INDEX = "arn:aws:iot:{region}:{account}:index/{indexName|=AWS_Things}"
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
    return {CHANGED: indexes.on_changed, BUILD: indexes.on_build, GROUP_BUILD: members.on_build}
