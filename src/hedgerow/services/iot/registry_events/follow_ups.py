"""Sends the events that were written down: each at least once, those about one thing or group in order."""

import json
from typing import Final, Protocol

from hedgerow.store import FollowUp

EVENT: Final = "registry-event"


class Messages(Protocol):
    """Where events go."""

    async def publish(self, account: str, topic: str, payload: bytes) -> None:
        """Publish, and answer when the message is stored wherever a receiver needs it. Raises Unavailable."""
        ...


class EventFollowUps:
    """The handler of the kind `registry-event`. It may run twice; the event's id stays the same."""

    def __init__(self, *, messages: Messages) -> None:
        self._messages = messages

    async def on_event(self, row: FollowUp) -> None:
        payload = json.dumps(row.body["message"], separators=(",", ":"), ensure_ascii=False)
        await self._messages.publish(row.account, row.body["topic"], payload.encode("utf-8"))
