"""Static thing groups and their members."""

from hedgerow.services.iot.groups.model import ThingGroup
from hedgerow.services.iot.groups.operations import GroupOperations
from hedgerow.services.iot.groups.store import FOLLOW_UP, GroupStore

__all__ = ["FOLLOW_UP", "GroupOperations", "GroupStore", "ThingGroup"]
