"""Thing groups, static and dynamic, and their members."""

from hedgerow.services.iot.groups.dynamic import BUILD, DynamicGroupOperations, DynamicMembers
from hedgerow.services.iot.groups.model import ThingGroup
from hedgerow.services.iot.groups.operations import GroupOperations
from hedgerow.services.iot.groups.store import FOLLOW_UP, GroupStore

__all__ = [
    "BUILD",
    "FOLLOW_UP",
    "DynamicGroupOperations",
    "DynamicMembers",
    "GroupOperations",
    "GroupStore",
    "ThingGroup",
]
