"""Where devices find the cloud."""

from hedgerow.services.iot.endpoints.model import Endpoints
from hedgerow.services.iot.endpoints.operations import EndpointOperations

__all__ = ["EndpointOperations", "Endpoints"]
