"""What can be wrong with a request about fleet metrics."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import ResourceAlreadyExists, ResourceNotFound


class MetricNotFound(ResourceNotFound):
    """No fleet metric of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Fleet metric {name} not found.")


class MetricExists(ResourceAlreadyExists):
    """The name is taken by another fleet metric."""

    def __init__(self, name: str, *, metric_arn: str) -> None:
        super().__init__(f"Fleet metric {name} already exists with different properties", resourceArn=metric_arn)


class AggregationRefused(ServiceError):
    """The figures that are asked for are none."""

    code = "InvalidAggregationException"
