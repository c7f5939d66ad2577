"""Whether things are connected, as the gateways told it last."""

from hedgerow.services.iot.connectivity.model import Presence
from hedgerow.services.iot.connectivity.operations import ConnectivityOperations
from hedgerow.services.iot.connectivity.store import ConnectivityStore

__all__ = ["ConnectivityOperations", "ConnectivityStore", "Presence"]
