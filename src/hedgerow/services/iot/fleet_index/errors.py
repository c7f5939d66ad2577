"""What can be wrong with a request about the fleet's indexes."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import ResourceNotFound


class IndexNotFound(ResourceNotFound):
    """There are two indexes, whose names AWS gave."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no index {name}: the indexes are AWS_Things and AWS_ThingGroups.")


class IndexOff(ResourceNotFound):
    """An index that is off is not there to be described."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The index {name} is off: turn it on with UpdateIndexingConfiguration.")


class IndexNotReady(ServiceError):
    """The index is off, or is being built."""

    code = "IndexNotReadyException"


class QueryRefused(ServiceError):
    """The query string is not one."""

    code = "InvalidQueryException"


class AggregationRefused(ServiceError):
    """The field cannot be aggregated as asked."""

    code = "InvalidAggregationException"
