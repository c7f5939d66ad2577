"""What can be wrong with a question about a thing's connectivity."""

from hedgerow.base.errors import ServiceError
from hedgerow.services.iot.errors import ResourceNotFound


class ThingNotFound(ResourceNotFound):
    """No thing of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Thing {name} not found.")


class ConnectivityNotIndexed(ServiceError):
    """The account does not index connectivity."""

    code = "IndexNotReadyException"

    def __init__(self) -> None:
        super().__init__(
            "Connectivity is not indexed: set thingConnectivityIndexingMode to STATUS with UpdateIndexingConfiguration."
        )
