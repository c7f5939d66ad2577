"""Things and the principals that speak for them."""

from hedgerow.services.iot.things.model import Attachment, Thing, ThingPrincipal
from hedgerow.services.iot.things.operations import ThingOperations, ThingPrincipalOperations
from hedgerow.services.iot.things.store import ThingStore

__all__ = ["Attachment", "Thing", "ThingOperations", "ThingPrincipal", "ThingPrincipalOperations", "ThingStore"]
