"""Registry events: which changes an account wants told on `$aws/events/…`, and their messages."""

from hedgerow.services.iot.registry_events.follow_ups import EVENT, EventFollowUps
from hedgerow.services.iot.registry_events.model import Kind
from hedgerow.services.iot.registry_events.operations import EventConfigurationOperations
from hedgerow.services.iot.registry_events.store import EventConfigurationStore
from hedgerow.services.iot.registry_events.telling import RegistryEvents

__all__ = [
    "EVENT",
    "EventConfigurationOperations",
    "EventConfigurationStore",
    "EventFollowUps",
    "Kind",
    "RegistryEvents",
]
