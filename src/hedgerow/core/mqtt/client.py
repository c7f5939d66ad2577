"""One client's side of an MQTT connection, without I/O.

Bytes and clock readings go in (`receive`, `tick`), events come out; what is to be sent waits in `output()`. QoS 0 and 1
in both directions; messages are acknowledged when the shell says so. Leaves to others: the socket, connecting again,
and what outlives a connection (spool, subscriptions).
Spec: MQTT 5.0 sections 3.1 (CONNECT), 3.1.2.10 (keep alive), 4.9 (flow control), MQTT 3.1.1 section 3.1.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hedgerow.base.errors import ProtocolViolation
from hedgerow.core.mqtt.codec import PINGREQ, TO_CLIENT, Decoder, encode
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.packets import (
    MQTT_5,
    Ack,
    Connack,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from hedgerow.core.mqtt.properties import NO_PROPERTIES, Properties, Property
from hedgerow.core.mqtt.reasons import Reason

_REFUSED_3: Final = {  # MQTT 3.1.1 section 3.2.2.3, said as MQTT 5 says it
    1: Reason.UNSUPPORTED_PROTOCOL_VERSION,
    2: Reason.CLIENT_ID_NOT_VALID,
    3: Reason.SERVER_UNAVAILABLE,
    4: Reason.BAD_USER_NAME_OR_PASSWORD,
    5: Reason.NOT_AUTHORIZED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The server let us in, with these limits."""

    session_present: bool
    receive_maximum: int = 65_535  # QoS 1 messages that may be under way to the server
    maximum_packet: int = 0xFFFFFFFF
    keep_alive_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The server did not let us in; the connection is over."""

    code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message. With a QoS of 1 it wants `acknowledge(packet_id)`."""

    message: Publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The server took a message of ours over, or refused it (a code of 0x80 or above)."""

    packet_id: int
    code: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The answer to a SUBSCRIBE or UNSUBSCRIBE, a code per filter."""

    packet_id: int
    codes: tuple[int, ...]
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The connection is over: by the server's DISCONNECT, silence, a violation, or the end of the stream."""

    code: int | None
    text: str
    by_server: bool = False  # it said so, or closed the stream in good order


Event = Accepted | Refused | Arrived | Acknowledged | Granted | Ended


class ClientSession:
    """One connection from CONNECT to its end. Make a new one for the next connection."""

    def __init__(self, connect: Connect, *, now: float, answer_within_s: float = 30.0) -> None:
        self._version = connect.version
        self._decoder = Decoder(TO_CLIENT, version=connect.version)
        self._out = bytearray(encode(connect, connect.version))
        self._keep_alive = connect.keep_alive
        self._answer_within = answer_within_s
        self._sent_at = now
        self._answer_due: float | None = now + answer_within_s  # for CONNACK, then for PINGRESP
        self._connected = False
        self._over = False
        self._limits = Accepted(session_present=False)
        self._aliases: dict[int, str] = {}
        self._next_id = 0
        self._busy: set[int] = set()

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return self._over

    @property
    def limits(self) -> Accepted:
        """What the server said in its CONNACK."""
        return self._limits

    def output(self) -> bytes:
        """Answer the bytes to send now; they are forgotten here."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def deadline(self) -> float | None:
        """Answer when `tick` must be called at the latest, None for never."""
        times = []
        if self._answer_due is not None:
            times.append(self._answer_due)
        if self._connected and self._keep_alive:
            times.append(self._sent_at + self._keep_alive)
        return min(times, default=None)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        now: float,
        qos: int = 0,
        retain: bool = False,
        dup: bool = False,
        properties: Properties = NO_PROPERTIES,
    ) -> int:
        """Send a message; answer its packet id (0 for QoS 0). Raise ValueError when the server takes none so large."""
        packet_id = self._take_id() if qos else 0
        known = properties if self._version == MQTT_5 else NO_PROPERTIES
        data = encode(Publish(topic, payload, qos, retain, dup, packet_id, known), self._version)
        if len(data) > self._limits.maximum_packet:
            self._busy.discard(packet_id)
            raise ValueError(f"a message of {len(data)} bytes; the server takes {self._limits.maximum_packet}")
        self._write(data, now)
        return packet_id

    def subscribe(self, wanted: Iterable[tuple[str, int]], *, now: float) -> int:
        """Ask for these filters, each with its QoS; answer the packet id that `Granted` will carry."""
        packet_id = self._take_id()
        self._write(encode(Subscribe(packet_id, tuple(wanted)), self._version), now)
        return packet_id

    def unsubscribe(self, filters: Iterable[str], *, now: float) -> int:
        """Ask for these filters no longer; answer the packet id that `Granted` will carry."""
        packet_id = self._take_id()
        self._write(encode(Unsubscribe(packet_id, tuple(filters)), self._version), now)
        return packet_id

    def acknowledge(self, packet_id: int, *, now: float) -> None:
        """Tell the server that a message of QoS 1 is in good hands."""
        self._write(encode(Ack(Kind.PUBACK, packet_id), self._version), now)

    def disconnect(self, *, now: float) -> None:
        """Say goodbye; the shell sends what is in `output()` and closes."""
        if not self._over:
            self._write(encode(Disconnect(), self._version), now)
        self._over = True

    def receive(self, data: bytes, *, now: float) -> list[Event]:
        """Take what came from the server; b"" means that the stream ended."""
        if self._over:
            return []
        if not data:
            return [self._end(None, "the server closed the connection", by_server=True)]
        violation: BadPacket | None = None
        try:
            packets: list[Packet] = self._decoder.feed(data)
        except BadPacket as error:
            packets, violation = self._decoder.decoded, error
        events: list[Event] = []
        try:
            for packet in packets:
                events.extend(self._handle(packet))
                if self.over:
                    return events
        except ProtocolViolation as error:
            return [*events, self._broken(str(error), Reason.PROTOCOL_ERROR, now)]
        if violation is not None:
            events.append(self._broken(str(violation), violation.code, now))
        return events

    def tick(self, *, now: float) -> list[Event]:
        """Do what is due: a PINGREQ, or the end because no answer came."""
        if self._over:
            return []
        if self._answer_due is not None and now >= self._answer_due:
            what = "PINGREQ" if self._connected else "CONNECT"
            return [self._end(None, f"no answer to {what} within {self._answer_within:g} s")]
        if self._connected and self._keep_alive and now >= self._sent_at + self._keep_alive:
            self._write(PINGREQ, now)
            if self._answer_due is None:
                self._answer_due = now + self._answer_within
        return []

    def _handle(self, packet: Packet) -> list[Event]:
        match packet:
            case Connack():
                return [self._answered(packet)]
            case _ if not self._connected:
                raise ProtocolViolation(f"{type(packet).__name__} before CONNACK")  # [MQTT-3.2.0-1]
            case Publish():
                return [Arrived(message=self._named(packet))]
            case Ack(Kind.PUBACK, packet_id, code, properties):
                self._busy.discard(packet_id)
                return [Acknowledged(packet_id=packet_id, code=code, text=_text(properties))]
            case Suback(packet_id, codes, properties) | Unsuback(packet_id, codes, properties):
                self._busy.discard(packet_id)
                return [Granted(packet_id=packet_id, codes=codes, text=_text(properties))]
            case Pingresp():
                self._answer_due = None
                return []
            case Disconnect(code, properties):
                return [self._end(code, _text(properties) or _name(code), by_server=True)]
            case _:
                raise ProtocolViolation(f"a {type(packet).__name__} that nobody asked for")

    def _answered(self, packet: Connack) -> Event:
        if self._connected:
            raise ProtocolViolation("a second CONNACK")
        self._answer_due = None
        if packet.code:
            self._over = True
            code = packet.code if self._version == MQTT_5 else _REFUSED_3.get(packet.code, packet.code)
            return Refused(code=code, text=_text(packet.properties) or _name(code))
        self._connected = True
        properties = packet.properties
        self._keep_alive = properties.get(Property.SERVER_KEEP_ALIVE, self._keep_alive)  # [MQTT-3.2.2-21]
        self._limits = Accepted(
            session_present=packet.session_present,
            receive_maximum=properties.get(Property.RECEIVE_MAXIMUM, 65_535),
            maximum_packet=properties.get(Property.MAXIMUM_PACKET_SIZE, 0xFFFFFFFF),
            keep_alive_s=self._keep_alive,
        )
        return self._limits

    def _named(self, packet: Publish) -> Publish:
        """Put the topic back that an alias stands for. [MQTT-3.3.2-12]"""
        if packet.qos > 1:
            raise ProtocolViolation("a message of QoS 2; nothing was subscribed to with QoS 2")
        alias = packet.properties.get(Property.TOPIC_ALIAS)
        if alias is None:
            return packet
        if packet.topic:
            self._aliases[alias] = packet.topic
            return packet
        if alias not in self._aliases:
            raise ProtocolViolation(f"topic alias {alias} was never set")
        return packet._replace(topic=self._aliases[alias])

    def _take_id(self) -> int:
        if len(self._busy) >= 65_535:
            raise ValueError("every packet identifier is in use")
        while True:
            self._next_id = self._next_id % 65_535 + 1
            if self._next_id not in self._busy:
                self._busy.add(self._next_id)
                return self._next_id

    def _write(self, data: bytes, now: float) -> None:
        self._out += data
        self._sent_at = now

    def _broken(self, text: str, code: Reason, now: float) -> Event:
        if self._version == MQTT_5 and self._connected:
            self._write(encode(Disconnect(code), self._version), now)
        return self._end(code, f"the server broke the protocol: {text}")

    def _end(self, code: int | None, text: str, *, by_server: bool = False) -> Event:
        self._over = True
        self._answer_due = None
        return Ended(code=code, text=text, by_server=by_server)


def _text(properties: Properties) -> str:
    return str(properties.get(Property.REASON_STRING, ""))


def _name(code: int) -> str:
    try:
        return Reason(code).name.lower().replace("_", " ")
    except ValueError:
        return f"code 0x{code:02x}"
