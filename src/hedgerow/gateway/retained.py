"""An account's retained messages, and how those that match a new subscription get to it: some at a time.

There may be hundreds of thousands: finding them costs what matches, not what is there, and others have their turn
between. A client that cannot take more is waited for, as long as it is connected.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from hedgerow.core.mqtt.names import Names
from hedgerow.core.mqtt.session import QOS, Parcel, Session, identifier_of
from hedgerow.gateway.ports import Message

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection
    from hedgerow.gateway.gateway import Gateway

STEPS: Final = 250  # at once
ENOUGH: Final = 500  # messages that wait for a connected client, until more are looked for
REST_S: Final = 0.25


class Kept(NamedTuple):
    """A retained message, and when it was kept."""

    message: Message
    at: float


class Retained:
    """See the module. One per account."""

    __slots__ = ("_by_topic", "_expiring", "_names", "_upward")

    def __init__(self, *, by_wildcard: bool, parent_of_hash: bool) -> None:
        self._by_topic: dict[str, Kept] = {}
        self._names = Names() if by_wildcard else None
        self._upward = parent_of_hash
        self._expiring: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._by_topic)

    def __contains__(self, topic: str) -> bool:
        return topic in self._by_topic

    def get(self, topic: str) -> Kept | None:
        """Answer what is kept of a topic."""
        return self._by_topic.get(topic)

    def all(self) -> list[Kept]:
        """Answer everything."""
        return list(self._by_topic.values())

    def topics(self) -> list[str]:
        """Answer the topics, in no order."""
        return list(self._by_topic)

    def keep(self, message: Message, at: float) -> None:
        """Keep the message in the place of its topic's last."""
        topic = message.topic
        self._by_topic[topic] = Kept(message, at)
        if message.expires_at is not None:
            self._expiring[topic] = message.expires_at
        else:
            self._expiring.pop(topic, None)
        if self._names is not None:
            self._names.add(topic)

    def drop(self, topic: str) -> None:
        """Forget a topic's message, if there is one."""
        if self._by_topic.pop(topic, None) is not None:
            self._expiring.pop(topic, None)
            if self._names is not None:
                self._names.discard(topic)

    def expired(self, now: float) -> list[str]:
        """Answer the topics whose messages' time is over."""
        return [topic for topic, expires_at in self._expiring.items() if expires_at <= now]

    def matching(self, topic_filter: str) -> Iterator[Kept | None]:
        """Answer what a new subscription gets, one by one; None is a step that found nothing."""
        if "+" not in topic_filter and "#" not in topic_filter:
            yield self._by_topic.get(topic_filter)
        elif self._names is not None:
            for topic in self._names.matching(topic_filter, parent_of_hash=self._upward):
                yield None if topic is None else self._by_topic.get(topic)


class _Wanted(NamedTuple):
    """What a subscription still has to get."""

    text: str
    options: int
    found: Iterator[Kept | None]


class Retrievals:
    """Hands retained messages to new subscriptions, of each session one after the other. One per gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._waiting: dict[Session, deque[_Wanted]] = {}

    def begin(self, connection: "Connection", text: str, options: int) -> None:
        """Hand out what matches the filter; a part of it later, when that is much."""
        wanted = _Wanted(text, options, connection.account.retained.matching(text))
        waiting = self._waiting.get(connection.session)
        if waiting is not None:
            waiting.append(wanted)
        elif not self._some(connection, wanted):
            self._waiting[connection.session] = deque((wanted,))
            self._gateway.spawn(self._go_on(connection))

    async def _go_on(self, connection: "Connection") -> None:
        """Runs as a task of its own until all is handed out, or the session has ended."""
        session = connection.session
        waiting = self._waiting[session]
        try:
            while waiting and connection.account.sessions.get(session.client_id) is session:
                link = session.link
                if link is not None and (link.congested or len(session.queue) >= ENOUGH):
                    await asyncio.sleep(REST_S)
                    continue
                if waiting[0].text not in session.subscriptions or self._some(connection, waiting[0]):
                    waiting.popleft()
                await asyncio.sleep(0)
        finally:
            del self._waiting[session]

    def _some(self, connection: "Connection", wanted: _Wanted) -> bool:
        """Hand out some; True when that was all."""
        now = self._gateway.clock.now()
        for _ in range(STEPS):
            try:
                kept = next(wanted.found)
            except StopIteration:
                return True
            if kept is not None:
                self._hand(connection, wanted.options, kept.message, now)
        return False

    def _hand(self, connection: "Connection", options: int, message: Message, now: float) -> None:
        expired = message.expires_at is not None and message.expires_at <= now
        if expired or not (connection.session.link or connection).may_receive(message.topic):
            return
        properties = message.properties + identifier_of(options)
        qos = min(message.qos, options & QOS)
        parcel = Parcel(message.topic, message.payload, qos, True, properties, message.expires_at)
        self._gateway.router.hand(connection.account, connection.session, parcel)

    def statistics(self) -> dict[str, int]:
        """Answer how many subscriptions wait for retained messages."""
        return {"waiting": sum(len(waiting) for waiting in self._waiting.values())}
