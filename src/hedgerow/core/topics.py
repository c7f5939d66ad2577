"""A publication to a `$aws/…` topic that an operation answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRequest:
    """One request by MQTT. `parts` are the levels that the filter's `+` matched, in order.

    The method that serves it answers like any operation: `Answer({"replies": ((topic, payload), …)}, events)`.
    Replies go to the asking connection alone; what every subscriber may see is a `Published` event.
    """

    topic: str
    parts: tuple[str, ...]
    payload: bytes
