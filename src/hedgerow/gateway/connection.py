"""One client's connection: bytes in, bytes out, for TCP with TLS and for WebSockets alike.

All packets of a read are handled in one pass; what goes out is collected and written once per turn. The usual PUBLISH
(no retain, no properties, a topic that was published to before) takes the short way in `_parse`; all else the long way.
The long way is in `publishing`; CONNECT is answered by `admission`, SUBSCRIBE by `subscribing`, endings by `gateway`.
Spec: MQTT 5.0 sections 3 and 4, MQTT 3.1.1 sections 3 and 4; AWS's deviations.
"""

# hot path

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from hedgerow.core.iotlog import Level, Wanted
from hedgerow.core.mqtt.aliases import Aliases
from hedgerow.core.mqtt.codec import PINGRESP, TO_SERVER, encode_ack, encode_disconnect
from hedgerow.core.mqtt.decoder import decode_body, header
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.packets import (
    MQTT_3_1_1,
    MQTT_5,
    Ack,
    Auth,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Publish,
    Subscribe,
    Unsubscribe,
)
from hedgerow.core.mqtt.properties import Property, write_properties
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.mqtt.session import Session
from hedgerow.core.tls import WayIn
from hedgerow.gateway import exactly_once, publishing
from hedgerow.gateway.account import Account, Route
from hedgerow.gateway.explaining import EXPLAINED, reason
from hedgerow.gateway.grants import Permissions
from hedgerow.gateway.ports import Admit, Admitted, Message, Upgrade, Way
from hedgerow.gateway.short_way import fan_out, fan_out_1

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

NEVER: Final = 1 << 62
UNDER_WAY: Final = 4 * 1024 * 1024  # bytes of a publisher's that wait for the disk or for control


class Transport(Protocol):
    """What carries the bytes."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        """Send what was written, then close."""
        ...

    def unsent(self) -> int:
        """Answer how many bytes wait for the peer."""
        ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Peer(NamedTuple):
    """Who is on the other side, as far as the transport knows."""

    address: str
    port: int = 0
    server_name: str | None = None
    certificate: bytes | None = None
    signed_by: str | None = None
    signed_account: str | None = None
    signed_key: str | None = None
    way: Way = Way.CERTIFICATE
    upgrade: Upgrade | None = None
    target: str = ""  # our own end of the socket
    target_port: int = 0
    way_in: WayIn | None = None  # that the listener opened; None is any
    secure: bool = True  # over TLS


class State(Enum):
    NEW = "new"
    ADMITTING = "admitting"
    OPEN = "open"
    CLOSED = "closed"


OPEN, CLOSED, ADMITTING = State.OPEN, State.CLOSED, State.ADMITTING  # looking a member up takes longer than the rest


class Connection:
    """See the module. Answers `hedgerow.core.mqtt.session.Link`."""

    __slots__ = (
        "_gateway",
        "_need",
        "_rest",
        "account",
        "acked",
        "admitted",
        "aliases",
        "announced",
        "asked",
        "asking_0",
        "bytes_in",
        "bytes_out",
        "congested",
        "created",
        "enrichment",
        "epoch",
        "explains",
        "extra",
        "full",
        "heard",
        "keep_alive",
        "left",
        "max_packet",
        "others",
        "out",
        "peer",
        "pending",
        "pending_2",
        "pending_bytes",
        "permissions",
        "pieces",
        "published",
        "published_1",
        "question",
        "rate",
        "refusals",
        "routes",
        "seen",
        "session",
        "session_id",
        "since",
        "state",
        "told",
        "transport",
        "version",
        "wanted",
        "watched",
        "will",
        "will_delay",
        "woken",
    )

    account: Account
    admitted: Admitted
    permissions: Permissions
    question: Admit
    session: Session

    def __init__(self, gateway: Gateway, transport: Transport, peer: Peer) -> None:
        self._gateway = gateway
        self.transport = transport
        self.peer = peer
        self.state = State.NEW
        self.version = MQTT_3_1_1
        self.out: list[bytes] = []
        self.max_packet = 0xFFFFFFFF
        self.explains = True  # the client wants reason strings in acknowledgements [MQTT-3.1.2-29]
        self.aliases: Aliases | None = None  # of topics, towards the client
        self.congested = False  # the transport's buffer is full: QoS 0 is dropped, QoS 1 waits in the session
        self.left = NEVER  # bytes that the slow peer had not taken when that was last looked at
        self.created = self.seen = gateway.clock.monotonic()
        self.keep_alive = 0
        self.pending = 0  # publications of QoS 1 that we have not answered yet
        self.pending_2 = 0  # of QoS 2, without their PUBREC
        self.asking_0 = 0  # requests to control without a packet identifier
        self.pending_bytes = 0  # of all these
        self.full = False  # so much is under way that nothing is read until half of it is answered
        self.epoch = 0
        self.announced = ""  # the thing in its lifecycle events: who follows them must find its end where it began
        self.enrichment = b""  # user properties, encoded, that each publication gets (its thing's type says so)
        self.asked = 0  # how many commands had been obeyed when control was asked about this connection
        self.since = 0.0
        self.session_id = ""
        self.will: Message | None = None
        self.will_delay = 0
        self._rest = bytearray()
        self._need = 0
        self.woken = False
        self.routes: dict[bytes, Route] = {}  # of topics that take the short way
        self.heard: dict[int, str] | None = None  # topic aliases, of the client
        self.rate = (0, 0)  # the second of the last publication and how many came in it; where there are limits
        self.wanted: Wanted | None = None  # by the account's IoT log, of this client
        self.watched = False  # what is sent to it is logged
        self.bytes_in = self.bytes_out = 0
        self.pieces = self.extra = 0  # that were in `out`, and how many of them beyond one for each packet
        self.published = self.published_1 = self.acked = 0  # PUBLISH and PUBACK that took the short way
        self.others = 0  # packets that took the long way
        self.refusals = 0
        self.told: frozenset[str] | None = None  # control, of what was refused

    @property
    def thing(self) -> str:
        """The thing that it speaks for, "" when there is none."""
        return self.admitted.thing or self.admitted.variables.get("iot:Connection.Thing.ThingName", "")

    @property
    def packets_in(self) -> int:
        return self.published + self.published_1 + self.acked + self.others

    @property
    def packets_out(self) -> int:
        return self.pieces - self.extra

    # --- bytes out

    def wake(self) -> None:
        if not self.woken:
            self.woken = True
            outbox = self._gateway.outbox
            outbox.waiting.append(self)
            if len(outbox.waiting) == 1:
                outbox.begin()

    def send(self, data: bytes) -> None:
        """Collect a packet for the end of this turn."""
        self._gateway.traffic.sent[data[0] >> 4] += 1
        self.out.append(data)
        if not self.woken:
            self.wake()

    def flush(self) -> None:
        """Write what was collected."""
        self.woken = False
        out = self.out
        if out:
            data = b"".join(out)
            self.pieces += len(out)
            self.bytes_out += len(data)
            out.clear()
            self.transport.write(data)

    def pause_writing(self) -> None:
        """The peer is slow: it gets no more, and nothing is read from it, for each answer would wait with the rest."""
        if self.congested:
            return
        self.congested = True
        self.left = NEVER
        self.seen = self._gateway.clock.monotonic()
        if self.state is OPEN:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.congested = False
        self.seen = self._gateway.clock.monotonic()
        if self.state is OPEN:
            self.session.pump(self._gateway.clock.now())
            self._gateway.router.settle(self.account, self.session)
            self._read_on()

    def _read_on(self) -> None:
        """Go on with what was kept back, then with what the peer sends."""
        if self.congested or self.full or self.state is not OPEN:
            return
        self.transport.resume_reading()
        if self._rest:
            self.receive(b"")

    def may_receive(self, topic: str) -> bool:
        return self.permissions.may("iot:Receive", "topic/" + topic)

    def regrant(self, admitted: Admitted, permissions: Permissions) -> None:
        """From now on these are the connection's rights."""
        self.admitted = admitted
        self.permissions = permissions
        self.enrichment = write_properties({Property.USER_PROPERTY: list(admitted.enrichment)})
        self.wanted = admitted.logging
        self.watched = self.wanted is not None and self.wanted.wants("Publish-Out", Level.INFO)
        self.routes.clear()

    def sent(self, topic: str) -> None:
        self._gateway.activity.say(self, "Publish-Out", topicName=topic)

    # --- bytes in

    def receive(self, data: bytes) -> None:
        """Handle what was read; b"" goes on with what was kept back."""
        if self.state is CLOSED:
            return
        self.seen = self._gateway.ticks()
        self.bytes_in += len(data)
        if not self._rest and self._is_one(data):
            return
        self._gateway.now = self._gateway.clock.now()
        if self._rest or self.state is ADMITTING or self.full:
            self._rest += data
            # While admitting or full, the transport was told to stop; this is what was already on its way.
            if self.state is ADMITTING or self.full or len(self._rest) < self._need:
                return
            data = bytes(self._rest)
            self._rest.clear()
        self._need = 0
        try:
            self._parse(data)
        except BadPacket as error:
            if self.state is State.NEW and error.code == Reason.UNSUPPORTED_PROTOCOL_VERSION:
                self.send(b"\x20\x02\x00\x01")
            if self.state is OPEN:
                self._gateway.refusals.tell(self, str(error))
            self.fail(error.code, "CLIENT_ERROR", str(error))

    def _is_one(self, data: bytes) -> bool:
        """Let a read that is one whole PUBLISH of the short way, as most are, go it; False for all else.

        Only an open connection remembers routes, and only where publications have no rate.
        """
        size = len(data)
        if size < 7 or (data[0] != 0x30 and data[0] != 0x32):
            return False
        body, length = 2, data[1]
        if length > 0x7F and data[2] < 0x80:
            body, length = 3, length - 0x80 + (data[2] << 7)
        if body + length != size:
            return False
        stop = body + 2 + (data[body] << 8 | data[body + 1])
        route = self.routes.get(data[body + 2 : stop])
        if route is None or route.version != self.account.tree.version or size - stop > self._gateway.limits.payload:
            return False
        v3 = self.version == MQTT_3_1_1
        if data[0] == 0x30:
            if stop > size or not (v3 or (stop < size and not data[stop])):
                return False
            fan_out(self._gateway.router, route, data)
            self.published += 1
            return True
        after = stop + 2
        ident = data[stop:after]
        if after > size or ident == b"\0\0" or not (v3 or (after < size and not data[after])):
            return False
        if route.targets:
            fan_out_1(self._gateway.router, route, data[:stop], data[after:], self.version)
        self.published_1 += 1
        self.out.append(b"\x40\x02" + ident)
        if not self.woken:
            self.wake()
        return True

    def _parse(self, data: bytes) -> None:
        at = 0
        size = len(data)
        short = short_1 = acked = 0
        routes = self.routes
        limits, router = self._gateway.limits, self._gateway.router
        max_packet = limits.packet
        payload = limits.payload
        v3 = self.version == MQTT_3_1_1
        tree = self.account.tree if self.state is OPEN else None
        while at < size:
            body = at + 2
            if body <= size and data[at + 1] < 0x80:
                end = body + data[at + 1]
            else:
                frame = header(data, at, size, max_packet)
                if frame is None:
                    break
                body, end = frame
            if end > size:
                self._need = end - at
                break
            first = data[at]
            if tree is not None and (first == 0x30 or first == 0x32) and body + 4 <= end:
                stop = body + 2 + (data[body] << 8 | data[body + 1])
                route = routes.get(data[body + 2 : stop])
                if route is not None and route.version == tree.version and end - stop <= payload:
                    if first == 0x30:
                        if stop <= end and (v3 or (stop < end and not data[stop])):
                            fan_out(router, route, data[at:end])
                            short += 1
                            at = end
                            continue
                    elif stop + 2 <= end and (v3 or (stop + 2 < end and not data[stop + 2])):
                        ident = data[stop : stop + 2]
                        if ident != b"\0\0":
                            if route.targets:
                                fan_out_1(router, route, data[at:stop], data[stop + 2 : end], self.version)
                            short_1 += 1
                            self.out.append(b"\x40\x02" + ident)
                            if not self.woken:
                                self.wake()
                            at = end
                            continue
            elif first == 0x40 and end == at + 4 and tree is not None:
                session = self.session
                session.acked(data[body] << 8 | data[body + 1], self._gateway.now)
                acked += 1
                if session.settled or session.starting:
                    self._gateway.router.settle(self.account, session)
                at = end
                continue
            self._packet(decode_body(first, data, body, end, self.version), first >> 4)
            at = end
            if self.state is not OPEN or self.full:
                if self.state is CLOSED:
                    return
                break
            v3 = self.version == MQTT_3_1_1
        if short:
            self.published += short
        if short_1:
            self.published_1 += short_1
        if acked:
            self.acked += acked
        if at < size:
            self._rest += data[at:]

    # --- packets

    def _packet(self, packet: Packet, kind: int) -> None:
        """Everything but the short way. Anything not in the table ends the connection. [MQTT-3.1.0-1] [MQTT-3.1.0-2]"""
        self.others += 1
        self._gateway.traffic.received[kind] += 1
        if kind not in TO_SERVER:
            raise BadPacket(f"a {Kind(kind).name} to a server", Reason.PROTOCOL_ERROR)
        if self.state is State.NEW:
            if not isinstance(packet, Connect):
                raise BadPacket(f"{Kind(kind).name} before CONNECT", Reason.PROTOCOL_ERROR)
            self.version = packet.version
            self.state = ADMITTING
            self.transport.pause_reading()
            self._gateway.serve(self, packet)
            return
        match packet:
            case Publish():
                publishing.publish(self._gateway, self, packet)
            case Ack():
                self._ack(packet)
            case _ if kind == Kind.PINGREQ:
                self.send(PINGRESP)
            case Subscribe() | Unsubscribe() | Disconnect():
                self._gateway.serve(self, packet)
            case Auth():
                raise BadPacket("AUTH: enhanced authentication is not supported", Reason.PROTOCOL_ERROR)
            case _:
                raise BadPacket(f"{Kind(kind).name} while connected", Reason.PROTOCOL_ERROR)

    def _ack(self, packet: Ack) -> None:
        gateway, session = self._gateway, self.session
        if packet.kind == Kind.PUBACK:
            session.acked(packet.packet_id, gateway.now)
        elif gateway.limits.maximum_qos < 2:
            raise BadPacket(f"{packet.kind.name}: QoS 2 is not supported", Reason.PROTOCOL_ERROR)
        else:
            exactly_once.acknowledge(self, gateway.journal, packet, gateway.now)
        if session.settled or session.starting:
            gateway.router.settle(self.account, session)

    def begun(self, qos: int, size: int) -> None:
        """A publication is under way until its `answer`."""
        self.pending_bytes += size
        if qos == 1:
            self.pending += 1
        elif qos == 2:
            self.pending_2 += 1
        else:
            self.asking_0 += 1

    def wait_if_full(self) -> None:
        """Who sends more than we take at once waits, as its packets do.

        More bytes, that is, or with MQTT 3.1.1 more publications, for it has no receive maximum.
        """
        most = self._gateway.limits.receive_maximum
        if self.pending_bytes >= UNDER_WAY or (self.version == MQTT_3_1_1 and self.pending + self.pending_2 >= most):
            self.full = True
            self.transport.pause_reading()

    def answer(self, packet_id: int, qos: int, size: int, ok: bool, code: Reason = Reason.SUCCESS) -> None:
        """Acknowledge a publication that was waiting. What could not be kept is not acknowledged in MQTT 3.1.1."""
        self.pending_bytes -= size
        if not ok:
            code = Reason.QUOTA_EXCEEDED if code == Reason.SUCCESS else code
        if qos == 2:
            self.pending_2 -= 1
            exactly_once.answered(self, self._gateway.journal, packet_id, ok, code)
        elif qos == 1:
            self.pending -= 1
            if self.state is OPEN and (ok or self.version == MQTT_5):
                self.send(encode_ack(Kind.PUBACK, packet_id, self.version, code))
        else:
            self.asking_0 -= 1
        if self.full and self.pending_bytes <= UNDER_WAY // 2:
            half = self._gateway.limits.receive_maximum // 2
            if self.version == MQTT_5 or self.pending + self.pending_2 <= half:
                self.full = False
                self._read_on()

    # --- endings

    def close(self) -> None:
        """Send what was collected, then close the transport."""
        self.state = CLOSED
        self.flush()
        if self in self._gateway.connections:
            self._gateway.connections.discard(self)
            self._gateway.traffic.ended(self)
        self.transport.close()

    def fail(self, code: Reason, word: str, why: str) -> None:
        """The connection ends because of the client (or by our order); MQTT 5 is told the code."""
        if self.state is CLOSED:
            return
        if self.version == MQTT_5 and self.state is OPEN:
            self.send(encode_disconnect(MQTT_5, code, reason(why, self.max_packet, wanted=word in EXPLAINED)))
        self._gateway.end(self, word, why)

    def lost(self, *, graceful: bool = False) -> None:
        """The transport is gone; `graceful` when the peer said good-bye in the transport's own way (WebSocket)."""
        if self.state is not CLOSED:
            word = "CONNECTION_LOST"
            if graceful:
                self.will = None
                word = "CLIENT_INITIATED_DISCONNECT"
            self._gateway.end(self, word, "the transport is gone", initiated=graceful)
