"""Thing types."""

from hedgerow.services.iot.thing_types.model import ThingType
from hedgerow.services.iot.thing_types.operations import ThingTypeOperations
from hedgerow.services.iot.thing_types.store import ThingTypeStore

__all__ = ["ThingType", "ThingTypeOperations", "ThingTypeStore"]
