"""Fleet metrics: figures over the fleet's index that become CloudWatch metrics."""

from hedgerow.services.iot.fleet_metrics.follow_ups import DUE, MEASURED, FleetMetricFollowUps
from hedgerow.services.iot.fleet_metrics.operations import FleetMetricOperations
from hedgerow.services.iot.fleet_metrics.store import FleetMetricStore

__all__ = ["DUE", "MEASURED", "FleetMetricFollowUps", "FleetMetricOperations", "FleetMetricStore"]
