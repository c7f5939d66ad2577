"""The rows of `iot` that belong to registry events."""

from collections.abc import Awaitable, Callable

from hedgerow.api.operations import Row, read, write
from hedgerow.services.iot.registry_events import EVENT, EventConfigurationOperations, EventFollowUps
from hedgerow.store import FollowUp


def rows(*, configurations: EventConfigurationOperations) -> dict[str, Row]:
    """Answer the operations by which an account says what it wants told."""
    return {
        "DescribeEventConfigurations": read(configurations.describe_event_configurations),
        "UpdateEventConfigurations": write(configurations.update_event_configurations),
    }


def follow_up_rows(*, events: EventFollowUps) -> dict[str, Callable[[FollowUp], Awaitable[None]]]:
    """Answer who sends the events."""
    return {EVENT: events.on_event}
