"""Metrics: put, get, list, roll up, forget."""

from hedgerow.services.cloudwatch.metrics.flows import MetricFlows
from hedgerow.services.cloudwatch.metrics.operations import MetricOperations
from hedgerow.services.cloudwatch.metrics.store import TELEMETRY, telemetry

__all__ = ["TELEMETRY", "MetricFlows", "MetricOperations", "telemetry"]
