"""Device shadows, classic and named: kept, versioned, published."""

from hedgerow.services.iot.shadows.changes import ShadowLimits, Shadows
from hedgerow.services.iot.shadows.follow_ups import ShadowFollowUps
from hedgerow.services.iot.shadows.model import ShadowKey
from hedgerow.services.iot.shadows.operations import ShadowOperations
from hedgerow.services.iot.shadows.store import ShadowStore
from hedgerow.services.iot.shadows.topics import ShadowTopics

__all__ = ["ShadowFollowUps", "ShadowKey", "ShadowLimits", "ShadowOperations", "ShadowStore", "ShadowTopics", "Shadows"]
