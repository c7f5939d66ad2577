"""The session against a model: what is sent, acknowledged, lost and sent again, in any order."""

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hedgerow.core.mqtt import MQTT_3_1_1, TO_CLIENT, Ack, Decoder, Kind, Packet, Publish
from hedgerow.core.mqtt.aliases import Aliases
from hedgerow.core.mqtt.session import Parcel, Session


class Line:
    """A link whose bytes are decoded."""

    def __init__(self, max_packet: int = 1000) -> None:
        self.out: list[bytes] = []
        self.max_packet = max_packet
        self.congested = False
        self.watched = False
        self.aliases: Aliases | None = None
        self.extra = 0
        self.denied: set[str] = set()
        self._decoder = Decoder(TO_CLIENT, version=MQTT_3_1_1)

    def wake(self) -> None:
        pass

    def send(self, data: bytes) -> None:
        self.out.append(data)

    def may_receive(self, topic: str) -> bool:
        return topic not in self.denied

    def sent(self, topic: str) -> None:
        """Nobody watches."""

    def arrived(self) -> list[Publish]:
        return [packet for packet in self.packets() if isinstance(packet, Publish)]

    def packets(self) -> list[Packet]:
        wire = b"".join(self.out)
        self.out.clear()
        return self._decoder.feed(wire)


class Deliveries(RuleBasedStateMachine):
    """Nothing is lost, nothing comes out of order but what is sent again, and no more than the window is in flight."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session("c", MQTT_3_1_1, max_queued=6)
        self.session.window = 3
        self.line: Line | None = None
        self.number = 0
        self.owed: deque[int] = deque()  # what the client has not acknowledged, in order
        self.flying: dict[int, int] = {}  # packet id -> number
        self.settled: list[int] = []

    def _arrive(self) -> None:
        assert self.line is not None
        for packet in self.line.arrived():
            number = int(packet.payload)
            assert packet.packet_id not in self.flying
            assert packet.qos == 1
            expected = [one for one in self.owed if one not in self.flying.values()]
            assert number == expected[0]
            self.flying[packet.packet_id] = number

    @rule()
    def publish(self) -> None:
        self.number += 1
        room = len(self.session.queue) < 6 or (self.line is not None and not self.line.congested)
        if self.session.send(Parcel("t", b"%d" % self.number, 1), 0.0, self.number):
            self.owed.append(self.number)
        else:
            assert not room or len(self.session.queue) == 6
        if self.line is not None:
            self._arrive()

    @precondition(lambda self: self.line is None)
    @rule()
    def connect(self) -> None:
        self.line = Line()
        self.session.link = self.line
        self.session.pump(0.0)
        self._arrive()

    @precondition(lambda self: self.line is not None)
    @rule()
    def disconnect(self) -> None:
        self.session.offline()
        self.line = None
        self.flying.clear()

    @precondition(lambda self: self.line is not None)
    @rule()
    def stall(self) -> None:
        assert self.line is not None
        self.line.congested = True

    @precondition(lambda self: self.line is not None)
    @rule()
    def drain(self) -> None:
        assert self.line is not None
        self.line.congested = False
        self.session.pump(0.0)
        self._arrive()

    @precondition(lambda self: bool(self.flying))
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        packet_id = data.draw(st.sampled_from(sorted(self.flying)))
        number = self.flying.pop(packet_id)
        self.owed.remove(number)
        self.settled.append(number)
        assert self.session.acked(packet_id, 0.0)
        self._arrive()

    @precondition(lambda self: self.line is not None)
    @rule(packet_id=st.integers(60_000, 65_535))
    def acknowledge_what_was_never_sent(self, packet_id: int) -> None:
        assert not self.session.acked(packet_id, 0.0)

    @invariant()
    def no_more_than_the_window_is_in_flight(self) -> None:
        assert len(self.flying) == len(self.session.in_flight) <= 3

    @invariant()
    def everything_owed_is_somewhere(self) -> None:
        assert len(self.session.in_flight) + len(self.session.queue) == len(self.owed)

    @invariant()
    def what_was_acknowledged_is_settled(self) -> None:
        assert self.session.settled == self.settled


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=30, stateful_step_count=30)


class Twice(RuleBasedStateMachine):
    """A client of QoS 2 whose connection breaks at any time gets each message once, in order, and owes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session("c", MQTT_3_1_1, resends=True)
        self.line: Line | None = None
        self.sent = 0
        self.had: list[int] = []  # what the client has been given
        self.holding: set[int] = set()  # identifiers that the client has and that are not released
        self.disk: deque[int] = deque()  # identifiers on their way to the disk

    def _flush(self) -> None:
        self.disk.extend(identifier for identifier, _ in self.session.starting)
        self.session.starting.clear()

    @rule()
    def publish(self) -> None:
        self.sent += 1
        assert self.session.send(Parcel("t", b"%d" % self.sent, 2), 0.0, self.sent)
        self._flush()

    @precondition(lambda self: bool(self.disk))
    @rule()
    def write(self) -> None:
        self.session.launch(self.disk.popleft(), 0.0, noted=True)
        self._flush()

    @precondition(lambda self: self.line is None)
    @rule(window=st.integers(1, 4))
    def connect(self, window: int) -> None:
        self.line = self.session.link = Line()
        self.session.window = window
        self.session.resume(0.0)
        self._flush()

    @precondition(lambda self: self.line is not None)
    @rule(loses=st.booleans())
    def disconnect(self, loses: bool) -> None:
        if not loses:
            self.arrive()
        self.session.offline()
        self.line = None

    @precondition(lambda self: self.line is not None)
    @rule()
    def arrive(self) -> None:
        assert self.line is not None
        for packet in self.line.packets():
            if isinstance(packet, Publish):
                if packet.packet_id not in self.holding:
                    self.had.append(int(packet.payload))
                self.holding.add(packet.packet_id)
                self.session.release(packet.packet_id)
            elif isinstance(packet, Ack) and packet.kind is Kind.PUBREL:
                self.holding.discard(packet.packet_id)
                self.session.acked(packet.packet_id, 0.0)
                self._flush()

    @precondition(lambda self: self.line is not None)
    @rule()
    def release(self) -> None:
        for identifier in sorted(self.holding):
            self.holding.discard(identifier)
            assert self.session.acked(identifier, 0.0)
            self._flush()

    @invariant()
    def each_once_and_in_order(self) -> None:
        assert self.had == list(range(1, len(self.had) + 1))

    def teardown(self) -> None:
        for _ in range(self.sent * 4 + 4):
            if self.line is None:
                self.connect(4)
            while self.disk:
                self.write()
            self.arrive()
            self.release()
        assert self.had == list(range(1, self.sent + 1))
        assert not self.session.in_flight


TestTwice = Twice.TestCase
TestTwice.settings = settings(max_examples=60, stateful_step_count=40)


def test_packet_identifiers_wrap_and_skip_those_in_use() -> None:
    session = Session("c", MQTT_3_1_1)
    session._next_id = 65_534
    session.in_flight[1] = (0, Parcel("t", b""))

    assert [session.take_id() for _ in range(3)] == [65_535, 2, 3]


def test_a_queue_is_bounded_in_bytes_too() -> None:
    session = Session("c", MQTT_3_1_1, max_queued=100, max_queued_bytes=10)

    assert session.send(Parcel("t", b"x" * 8, 1), 0.0)
    assert not session.send(Parcel("t", b"x" * 3, 1), 0.0)

    assert session.statistics() == {"queued": 1, "in_flight": 0, "dropped": 1}


def test_what_expired_or_may_not_be_had_is_settled_unsent() -> None:
    session, line = Session("c", MQTT_3_1_1), Line()
    line.denied = {"secret"}
    session.send(Parcel("t", b"old", 1, expires_at=5.0), 0.0, 1)
    session.send(Parcel("secret", b"no", 1), 0.0, 2)
    session.send(Parcel("t", b"yes", 1), 0.0, 3)

    session.link = line
    session.pump(10.0)

    assert [packet.payload for packet in line.arrived()] == [b"yes"]
    assert session.settled == [1, 2]


def test_a_message_too_large_for_the_client_is_settled_unsent() -> None:
    session, line = Session("c", MQTT_3_1_1), Line(max_packet=20)
    session.link = line

    session.send(Parcel("t", b"x" * 30, 1), 0.0, 1)

    assert line.out == []
    assert session.settled == [1]
