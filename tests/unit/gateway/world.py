"""A cloud without sockets: gateways on a bus, with clients that speak packets. Time and turns are the test's."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    MQTT_5,
    TO_CLIENT,
    Ack,
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Kind,
    Packet,
    Pingreq,
    Pingresp,
    Properties,
    Property,
    Publish,
    Suback,
    Subscribe,
    Will,
    encode,
)
from hedgerow.core.mqtt.limits import AWS_SHAPES, Limits
from hedgerow.gateway.bus import DirectBus, WireBus
from hedgerow.gateway.connection import Connection, Peer
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.journal import Journal, MemoryJournal
from tests.support.clock import FakeClock, FakeIds
from tests.unit.gateway.control import ACCOUNT, FakeControl

NONE: dict[int, Any] = {}


class Wire:
    """A transport in memory."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.writes = 0
        self.closed = False
        self.paused = False
        self.left = 0

    def write(self, data: bytes) -> None:
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.closed = True

    def unsent(self) -> int:
        return self.left

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Client:
    """One MQTT client on a wire."""

    def __init__(self, world: "World", gateway: Gateway, version: int, peer: Peer) -> None:
        self._world = world
        self.version = version
        self.wire = Wire()
        self.connection: Connection = gateway.opened(self.wire, peer)
        self._decoder = Decoder(TO_CLIENT, version=version)
        self._read = 0
        self.inbox: list[Packet] = []
        self.reasons: list[str] = []

    def send(self, *packets: Packet) -> None:
        self.push(b"".join(encode(packet, self.version) for packet in packets))

    def push(self, data: bytes) -> None:
        self.connection.receive(data)
        self._world.run()

    def take(self) -> list[Packet]:
        """Answer what came since the last time."""
        self._world.run()
        new = bytes(self.wire.written[self._read :])
        self._read = len(self.wire.written)
        self.inbox = [self._without_reason(packet) for packet in self._decoder.feed(new)]
        return self.inbox

    def _without_reason(self, packet: Packet) -> Packet:
        """Put a reason string aside, into `reasons`."""
        if isinstance(packet, Pingreq | Pingresp):
            return packet
        properties = packet.properties
        if Property.REASON_STRING not in properties:
            return packet
        self.reasons.append(properties[Property.REASON_STRING])
        rest = {name: value for name, value in properties.items() if name != Property.REASON_STRING}
        return packet._replace(properties=rest or NONE)

    def messages(self) -> list[tuple[str, bytes]]:
        """Answer what was published to this client since the last `take`, acknowledged, without doubles."""
        found = [packet for packet in self.take() if isinstance(packet, Publish)]
        for packet in found:
            if packet.qos:
                self.send(Ack(Kind.PUBACK, packet.packet_id))
        return list(dict.fromkeys((packet.topic, packet.payload) for packet in found))

    def subscribe(self, *filters: str, qos: int = 1) -> Packet:
        self.send(Subscribe(1, tuple((one, qos) for one in filters)))
        packets = self.take()
        return next((packet for packet in packets if isinstance(packet, Suback)), Disconnect(0xFF))

    def publish(self, topic: str, payload: bytes = b"x", qos: int = 0, retain: bool = False, **more: Any) -> None:
        self.send(Publish(topic, payload, qos, retain, False, 7 if qos else 0, more.get("properties", NONE)))

    def acks(self) -> list[int]:
        """Answer the codes of the acknowledgements since the last `take`."""
        return [packet.code for packet in self.take() if isinstance(packet, Ack)]

    def drop(self, *, graceful: bool = False) -> None:
        """The transport breaks."""
        self.connection.lost(graceful=graceful)
        self._world.run()


class World:
    def __init__(self, kind: str = "direct", limits: Limits = AWS_SHAPES, journal: Journal | None = None) -> None:
        self.kind = kind
        self.clock = FakeClock()
        self.control = FakeControl()
        self._later: list[Callable[[], None]] = []
        self._count = 0
        self.hub = DirectBus() if kind == "direct" else WireBus(self._later.append, twice=self._every_third)
        self.journal = journal or MemoryJournal()
        self.limits = limits
        self.control.listen(self.hub)
        if kind == "two gateways":
            self.control.epochs = {}
        self.ids = FakeIds()
        self.gateways = [self.gateway(f"g{number}") for number in range(2 if kind == "two gateways" else 1)]
        self._next = 0

    def _every_third(self) -> bool:
        self._count += 1
        return self._count % 3 == 0

    def gateway(self, name: str) -> Gateway:
        gateway = Gateway(
            name=name,
            region="eu-central-1",
            control=self.control,
            hub=self.hub,
            journal=self.journal,
            clock=self.clock,
            ids=self.ids,
            compile_grants=self.control.compile,
            soon=self._later.append,
            spawn=self.drive,
            limits=self.limits,
        )
        gateway.start()
        return gateway

    def drive(self, work: Coroutine[Any, Any, None]) -> None:
        """Nothing that the fakes do waits, so a task ends at once; it may give others a turn."""
        try:
            while work.send(None) is None:
                pass
        except StopIteration:
            return
        raise AssertionError("a task of the gateway waits for something")

    def run(self) -> None:
        """Turn the loop until nothing is left to do."""
        while self._later:
            turn, self._later[:] = list(self._later), []
            for callback in turn:
                callback()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for gateway in self.gateways:
            gateway.sweep()
        self.run()

    def open(self, version: int = MQTT_3_1_1, peer: Peer | None = None) -> Client:
        """A client whose transport is there; with two gateways they take turns."""
        gateway = self.gateways[self._next % len(self.gateways)]
        self._next += 1
        return Client(self, gateway, version, peer or Peer("192.0.2.1", 50000))

    def client(
        self,
        client_id: str = "c",
        *,
        version: int = MQTT_3_1_1,
        account: str = ACCOUNT,
        clean: bool = True,
        keep_alive: int = 60,
        will: Will | None = None,
        properties: Properties = NONE,
        peer: Peer | None = None,
    ) -> Client:
        """A client that is connected; its CONNACK is in `inbox`."""
        client = self.open(version, peer)
        client.send(Connect(client_id, clean, keep_alive, "a/" + account, None, will, version, properties))
        client.take()
        return client

    def connack(self, client: Client) -> Connack:
        packet = client.inbox[0]
        assert isinstance(packet, Connack)
        return packet

    def heard(self, topic: str) -> list[bytes]:
        """What control heard of this topic, doubles dropped."""
        self.run()
        return list(dict.fromkeys(message.payload for message in self.control.heard if message.topic == topic))

    @contextmanager
    def restarted(self) -> Iterator[None]:
        """The gateways die without a word, and come again."""
        self.hub = DirectBus() if self.kind == "direct" else WireBus(self._later.append, twice=self._every_third)
        self.control.listen(self.hub)
        self._later.clear()
        self.gateways = [self.gateway(gateway.name) for gateway in self.gateways]
        self.run()
        yield


V5 = MQTT_5
