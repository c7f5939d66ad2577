"""One client's session on the server's side, without I/O: subscriptions, what is in flight, what waits.

A connection lends the session its `Link` (where bytes to the client are collected); without one the session is offline
and keeps what it must. The broker decides who gets a message; the connection parses; the journal remembers.
A message of QoS 2 for a session that is kept leaves only when its packet identifier is on disk (`launch`), and is
released only when that is: so a client that got it before a crash does not get it as another one after it.
Spec: MQTT 5.0 sections 4.1 (session state), 4.3 (QoS), 4.4 (delivery again), 4.9 (flow control).
"""

# hot path

from collections import deque
from typing import Final, Protocol

from hedgerow.core.mqtt.aliases import Aliases
from hedgerow.core.mqtt.packets import MQTT_5
from hedgerow.core.mqtt.properties import write_varint

QOS: Final = 0x03  # subscription options, MQTT 5 section 3.8.3.1
NO_LOCAL: Final = 0x04
RETAIN_AS_PUBLISHED: Final = 0x08
RETAIN_HANDLING: Final = 0x30
IDENTIFIER: Final = 8  # a subscription's identifier is above the bits of MQTT


class Link(Protocol):
    """Where a session's bytes go while its client is connected."""

    out: list[bytes]
    max_packet: int  # the client's own limit
    congested: bool  # the client reads too slowly: QoS 0 is dropped, QoS 1 waits
    extra: int  # pieces in `out` beyond one for each packet
    aliases: Aliases | None  # of topics, for a client that allows them
    watched: bool  # somebody wants to hear of each message that is sent

    def send(self, data: bytes) -> None:
        """Collect one packet that is no PUBLISH."""
        ...

    def wake(self) -> None:
        """See to it that what is in `out` gets sent at the end of this turn. May be called more than once."""
        ...

    def may_receive(self, topic: str) -> bool:
        """Tell whether the client's policy lets it have messages of this topic now."""
        ...

    def sent(self, topic: str) -> None:
        """Hear of a message that was sent, when `watched`."""
        ...


class Parcel:
    """A message on its way to sessions; one object for all of them. Do not change it."""

    __slots__ = ("expires_at", "payload", "properties", "qos", "retain", "topic")

    def __init__(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        retain: bool = False,
        properties: bytes = b"",
        expires_at: float | None = None,
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.properties = properties  # encoded, without length, without expiry
        self.expires_at = expires_at


ALIAS_ROOM: Final = 8  # bytes that an alias and the identifier may add to a packet
RELEASED: Final = Parcel("", b"", 2)  # stands in flight for what the client has; its PUBCOMP is missing
_PUBREL: Final = b"\x62\x02"
_DUP: Final = 0x08


def identifier_of(options: int) -> bytes:
    """Answer the property that tells a receiver which subscription it was; none without an identifier."""
    identifier = options >> IDENTIFIER
    return b"\x0b" + write_varint(identifier) if identifier else b""


def publish_parts(
    parcel: Parcel, version: int, qos: int, retain: bool, now: float, alias: tuple[bytes, bytes] | None = None
) -> tuple[bytes, bytes]:
    """Answer a PUBLISH as what comes before and after the packet identifier."""
    topic = parcel.topic.encode() if alias is None else alias[0]
    tail = parcel.payload
    if version == MQTT_5:
        properties = parcel.properties if alias is None else alias[1] + parcel.properties
        if parcel.expires_at is not None:
            left = max(0, int(parcel.expires_at - now))
            properties = b"\x02" + min(left, 0xFFFFFFFF).to_bytes(4, "big") + properties
        tail = write_varint(len(properties)) + properties + tail
    length = 2 + len(topic) + len(tail) + (2 if qos else 0)
    head = bytes((0x30 | qos << 1 | retain,)) + write_varint(length) + len(topic).to_bytes(2, "big") + topic
    return head, tail


class Session:
    """See the module. `epoch` grows with every connection; what an older one does no longer counts."""

    __slots__ = (
        "_next_id",
        "_queued_bytes",
        "again",
        "changes",
        "client_id",
        "dropped",
        "epoch",
        "expires_at",
        "expiry_s",
        "fresh",
        "in_flight",
        "link",
        "max_queued",
        "max_queued_bytes",
        "persistent",
        "queue",
        "received",
        "resends",
        "sequence",
        "settled",
        "starting",
        "subscriptions",
        "unnoted",
        "version",
        "window",
    )

    def __init__(
        self,
        client_id: str,
        version: int,
        *,
        epoch: int = 0,
        max_queued: int = 10_000,
        max_queued_bytes: int = 1 << 26,
        resends: bool = False,
    ) -> None:
        self.client_id = client_id
        self.version = version
        self.epoch = epoch
        self.persistent = False
        self.expiry_s = 0
        self.expires_at: float | None = None  # set while offline
        self.link: Link | None = None
        self.window = 100
        self.changes = 0  # of subscriptions, since the journal has the session as a whole
        self.subscriptions: dict[str, int] = {}  # filter as the client wrote it -> options
        self.in_flight: dict[int, tuple[int, Parcel]] = {}  # packet id -> (journal number, message), as they were sent
        self.again: deque[int] = deque()  # of them, what a new connection has not sent again yet
        self.received: dict[int, bool] = {}  # QoS 2 from the client, until PUBREL; False before our PUBREC
        self.resends = resends  # same identifier and DUP on a new connection [MQTT-4.4.0-1]; AWS sends anew
        self.queue: deque[tuple[int, Parcel]] = deque()
        self.settled: list[int] = []  # journal numbers of what is dealt with; whoever keeps the journal empties it
        self.starting: list[tuple[int, int]] = []  # (packet id, journal number) to be noted on disk, then launched
        self.unnoted: set[int] = set()  # packet ids that are not on disk yet
        self.fresh: set[int] = set()  # packet ids that were never sent, so that DUP would be wrong
        self.dropped = 0
        self.sequence = 0  # the journal number of the newest message
        self.max_queued = max_queued
        self.max_queued_bytes = max_queued_bytes
        self._queued_bytes = 0
        self._next_id = 0

    def send(self, parcel: Parcel, now: float, number: int = 0) -> bool:
        """Send at QoS 1 or 2, now or when there is room; False when the queue is full and the message is dropped."""
        link = self.link
        if link is not None and not link.congested and not self.queue and len(self.in_flight) < self.window:
            self._fly(link, number, parcel, now)
            return True
        return self.hold(number, parcel)

    def hold(self, number: int, parcel: Parcel) -> bool:
        """Let the message wait; False when there is no room: the newest is dropped."""
        size = len(parcel.payload)
        if len(self.queue) >= self.max_queued or self._queued_bytes + size > self.max_queued_bytes:
            self.dropped += 1
            return False
        self.queue.append((number, parcel))
        self._queued_bytes += size
        return True

    def take_id(self) -> int:
        """Answer a packet identifier that is not in use."""
        identifier = self._next_id
        in_flight = self.in_flight
        while True:
            identifier = identifier + 1 if identifier < 65_535 else 1
            if identifier not in in_flight:
                self._next_id = identifier
                return identifier

    def _fly(self, link: Link, number: int, parcel: Parcel, now: float) -> None:
        qos = parcel.qos
        head, tail = publish_parts(parcel, self.version, qos, parcel.retain, now)
        if len(head) + len(tail) + 2 > link.max_packet:
            self.dropped += 1  # [MQTT-3.1.2-25]: as if it had been delivered
            self._settle(number)
            return
        identifier = self.take_id()
        self.in_flight[identifier] = (number, parcel)
        if qos == 2 and number:
            self.starting.append((identifier, number))
            self.unnoted.add(identifier)
            self.fresh.add(identifier)
            return
        if link.aliases is not None:
            head, tail = self._shortened(link, parcel, head, tail, now)
        link.out += (head, identifier.to_bytes(2, "big"), tail)
        link.extra += 2
        link.wake()
        if link.watched:
            link.sent(parcel.topic)

    def _shortened(self, link: Link, parcel: Parcel, head: bytes, tail: bytes, now: float) -> tuple[bytes, bytes]:
        """Answer the parts with an alias of the topic, where there is one and room for saying it."""
        if link.aliases is None or len(head) + len(tail) + ALIAS_ROOM > link.max_packet:
            return head, tail
        alias = link.aliases.short(parcel.topic)
        if alias is None:
            return head, tail
        return publish_parts(parcel, self.version, parcel.qos, parcel.retain, now, alias)

    def _settle(self, number: int) -> None:
        if number:
            self.settled.append(number)

    def acked(self, identifier: int, now: float) -> bool:
        """The client has the message; False when the id was not in flight. Sends what waits."""
        flown = self.in_flight.pop(identifier, None)
        if flown is None:
            return False
        if flown[0]:
            self.settled.append(flown[0])
        if self.queue or self.again:
            self.pump(now)
        return True

    def release(self, identifier: int) -> int | None:
        """The client has the QoS 2 message (PUBREC): answer its journal number; None when there is no such message."""
        flown = self.in_flight.get(identifier)
        if flown is None or flown[1].qos != 2:
            return None
        self.in_flight[identifier] = (0, RELEASED)
        return flown[0]

    def launch(self, identifier: int, now: float, *, noted: bool) -> None:
        """The identifier is on disk: send the message. If it could not be noted, the message waits again."""
        self.unnoted.discard(identifier)
        flown = self.in_flight.get(identifier)
        if flown is None:
            return
        if not noted:
            del self.in_flight[identifier]
            self.fresh.discard(identifier)
            self.queue.appendleft(flown)
            self._queued_bytes += len(flown[1].payload)
        elif self.link is not None:
            self.again.append(identifier)
            self.pump(now)

    def resume(self, now: float) -> None:
        """A new connection: send what was in flight again, then what waits."""
        self.again = deque(identifier for identifier in self.in_flight if identifier not in self.unnoted)
        self.pump(now)

    def _send_again(self, link: Link, identifier: int, now: float) -> None:
        number, parcel = self.in_flight[identifier]
        dup = 0 if identifier in self.fresh else _DUP
        self.fresh.discard(identifier)
        if parcel is RELEASED:
            link.send(_PUBREL + identifier.to_bytes(2, "big"))
            return
        head, tail = publish_parts(parcel, self.version, parcel.qos, parcel.retain, now)
        if len(head) + len(tail) + 2 > link.max_packet or not link.may_receive(parcel.topic):
            self.dropped += 1
            del self.in_flight[identifier]
            self._settle(number)
            return
        head, tail = self._shortened(link, parcel, head, tail, now)
        link.out += (bytes((head[0] | dup,)) + head[1:], identifier.to_bytes(2, "big"), tail)
        link.extra += 2
        link.wake()
        if link.watched:
            link.sent(parcel.topic)

    def pump(self, now: float) -> None:
        """Send what waits as far as there is room; what expired or may not be had is settled."""
        link = self.link
        queue = self.queue
        again = self.again
        while link is not None and not link.congested and again and len(self.in_flight) - len(again) < self.window:
            identifier = again.popleft()
            if identifier in self.in_flight:
                self._send_again(link, identifier, now)
        while link is not None and not link.congested and queue and len(self.in_flight) < self.window:
            number, parcel = queue.popleft()
            self._queued_bytes -= len(parcel.payload)
            expired = parcel.expires_at is not None and parcel.expires_at <= now
            if expired or not link.may_receive(parcel.topic):
                self._settle(number)
                continue
            self._fly(link, number, parcel, now)

    def offline(self) -> None:
        """The link is gone: what was in flight waits for a new one, before everything else, in its order."""
        self.link = None
        self.again.clear()
        if self.resends:
            return
        self.queue.extendleft(reversed(self.in_flight.values()))
        self._queued_bytes += sum(len(parcel.payload) for _, parcel in self.in_flight.values())
        self.in_flight.clear()

    def statistics(self) -> dict[str, int]:
        """Answer the lengths of the queues."""
        return {"queued": len(self.queue), "in_flight": len(self.in_flight), "dropped": self.dropped}
