"""DescribeEndpoint. An endpoint is a bare host, as AWS's is, because SDKs put scheme and port around it."""

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.endpoints.model import Endpoints
from hedgerow.store import Answer, Tx


class EndpointOperations:
    """The operations on endpoints. They have no rows: where the cloud is found is said when it is built."""

    def __init__(self, *, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def describe_endpoint(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"endpointAddress": self._endpoints.of(request.get("endpointType"))})
