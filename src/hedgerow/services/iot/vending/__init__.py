"""The vending machine: devices that hold only public data ask for a certificate, and somebody approves them."""

from hedgerow.services.iot.vending.flows import VendingFlows
from hedgerow.services.iot.vending.follow_ups import VendingFollowUps
from hedgerow.services.iot.vending.model import Secrets, Throttles, neighbourhood
from hedgerow.services.iot.vending.operations import DECIDED, VendingOperations
from hedgerow.services.iot.vending.store import OVER, VendingStore

__all__ = [
    "DECIDED",
    "OVER",
    "Secrets",
    "Throttles",
    "VendingFlows",
    "VendingFollowUps",
    "VendingOperations",
    "VendingStore",
    "neighbourhood",
]
