"""Metrics: put, get, list, roll up, forget."""

from hedgerow.services.cloudwatch.metrics.flows import MetricFlows
from hedgerow.services.cloudwatch.metrics.operations import MetricOperations
from hedgerow.services.cloudwatch.metrics.store import telemetry

__all__ = ["MetricFlows", "MetricOperations", "telemetry"]
