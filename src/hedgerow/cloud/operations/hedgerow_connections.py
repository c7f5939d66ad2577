"""The table of operations: live connections, in our own service."""

from typing import Final

from hedgerow.api.operations import Row, flow
from hedgerow.cloud.live_connections import LiveConnectionFlows

_CLIENT: Final = "arn:aws:iot:{region}:{account}:client/{clientId}"


def rows(*, connections: LiveConnectionFlows) -> dict[str, Row]:
    """Answer the rows that live connections add to the service `hedgerow`; without a clientId they ask about `*`."""
    return {
        "ListConnections": flow(connections.list_connections, _CLIENT),
        "CloseConnections": flow(connections.close_connections, _CLIENT),
    }
