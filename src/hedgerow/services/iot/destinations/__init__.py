"""HTTP destinations of rules: a URL is delivered to only after its owner has confirmed it."""

from hedgerow.services.iot.destinations.flows import DestinationFlows
from hedgerow.services.iot.destinations.operations import DestinationOperations

__all__ = ["DestinationFlows", "DestinationOperations"]
