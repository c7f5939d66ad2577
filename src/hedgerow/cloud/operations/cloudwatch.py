"""CloudWatch: operation → row."""

from hedgerow.api.operations import Row, flow
from hedgerow.services.cloudwatch.metrics import MetricFlows


def rows(*, metrics: MetricFlows) -> dict[str, Row]:
    """Answer the rows of the service `cloudwatch`."""
    return {
        "PutMetricData": flow(metrics.put_metric_data),
        "GetMetricData": flow(metrics.get_metric_data),
        "GetMetricStatistics": flow(metrics.get_metric_statistics),
        "ListMetrics": flow(metrics.list_metrics),
    }
