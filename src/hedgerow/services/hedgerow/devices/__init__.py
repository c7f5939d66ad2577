"""Devices made by one call: thing, certificate, policy, groups, shadow and first deployment, all or nothing."""

from hedgerow.services.hedgerow.devices.flows import DeviceFlows, Keys, NewRequest
from hedgerow.services.hedgerow.devices.follow_ups import OVER, DeviceFollowUps
from hedgerow.services.hedgerow.devices.operations import DeviceOperations, Operation, Registering, Steps
from hedgerow.services.hedgerow.devices.store import OrderStore

__all__ = [
    "OVER",
    "DeviceFlows",
    "DeviceFollowUps",
    "DeviceOperations",
    "Keys",
    "NewRequest",
    "Operation",
    "OrderStore",
    "Registering",
    "Steps",
]
