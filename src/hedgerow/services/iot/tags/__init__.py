"""Tags of whatever the service iot lets be tagged."""

from hedgerow.services.iot.tags.model import kind_and_name
from hedgerow.services.iot.tags.operations import Taggable, TagOperations
from hedgerow.services.iot.tags.store import TagStore

__all__ = ["TagOperations", "TagStore", "Taggable", "kind_and_name"]
