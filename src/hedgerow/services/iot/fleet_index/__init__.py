"""Fleet indexing: the indexes of things and groups, searching and counting in them."""

from hedgerow.services.iot.fleet_index.aggregating import AggregationOperations, Aggregations
from hedgerow.services.iot.fleet_index.documents import Connectivity, Groups, Shadows, Sources, Things
from hedgerow.services.iot.fleet_index.follow_ups import PAUSE_S, FleetIndexFollowUps
from hedgerow.services.iot.fleet_index.indexing import BUILD, CHANGED, Announcing, Indexing
from hedgerow.services.iot.fleet_index.operations import FleetIndexOperations
from hedgerow.services.iot.fleet_index.store import FleetIndexStore

__all__ = [
    "BUILD",
    "CHANGED",
    "PAUSE_S",
    "AggregationOperations",
    "Aggregations",
    "Announcing",
    "Connectivity",
    "FleetIndexFollowUps",
    "FleetIndexOperations",
    "FleetIndexStore",
    "Groups",
    "Indexing",
    "Shadows",
    "Sources",
    "Things",
]
