"""Rotation: a device trades its certificate for a new one, with an overlap in which both are good."""

from hedgerow.services.iot.rotation.flows import RotationFlows
from hedgerow.services.iot.rotation.follow_ups import RotationFollowUps
from hedgerow.services.iot.rotation.operations import RotationOperations, Steps
from hedgerow.services.iot.rotation.store import RotationStore

__all__ = ["RotationFlows", "RotationFollowUps", "RotationOperations", "RotationStore", "Steps"]
