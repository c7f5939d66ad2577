"""Core devices: what they report, and what is read from it."""

from hedgerow.services.greengrassv2.core_devices.operations import CoreDeviceOperations
from hedgerow.services.greengrassv2.core_devices.store import CoreDeviceStore
from hedgerow.services.greengrassv2.core_devices.topics import HealthTopics

__all__ = ["CoreDeviceOperations", "CoreDeviceStore", "HealthTopics"]
