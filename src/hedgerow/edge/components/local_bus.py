"""Publish and subscribe between the components of one core. Nothing is kept: who is not subscribed gets nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from hedgerow.edge.filters import matches


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMessage:
    """One message on a local topic. `json` tells how the publisher wrote it."""

    topic: str
    payload: bytes
    json: bool
    publisher: str


OnLocal = Callable[[LocalMessage], None]


class LocalBus:
    """All local topics. Callbacks run at once, on the publisher's turn, and must not block."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, OnLocal]] = []

    def subscribe(self, topic_filter: str, on_message: OnLocal) -> Callable[[], None]:
        """Have a filter's messages handed over; call the answer to end that."""
        entry = (topic_filter, on_message)
        self._subscribers.append(entry)

        def end() -> None:
            if entry in self._subscribers:
                self._subscribers.remove(entry)

        return end

    def publish(self, message: LocalMessage) -> None:
        """Hand a message to everyone who subscribed to its topic."""
        for topic_filter, on_message in list(self._subscribers):
            if matches(topic_filter, message.topic):
                on_message(message)
