"""What was acknowledged survives SIGKILL of the gateway's process. (A power cut is another matter: the disk's.)"""

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, TO_CLIENT, Ack, Connect, Decoder, Kind, Packet, Publish, Subscribe, encode
from tests.unit.gateway.certificates import Pki


class Blocking:
    """A client that waits."""

    def __init__(self, folder: Path, port: int, client_id: str, *, clean: bool) -> None:
        context = ssl.create_default_context(cafile=folder / "server-ca.pem")
        context.load_cert_chain(folder / "device.crt", folder / "device.key")
        self.socket = context.wrap_socket(
            socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname="localhost"
        )
        self._decoder = Decoder(TO_CLIENT)
        self.send(Connect(client_id, clean, 60))
        self.greeting = self.read()

    def send(self, *packets: Packet) -> None:
        self.socket.sendall(b"".join(encode(packet, MQTT_3_1_1) for packet in packets))

    def read(self) -> list[Packet]:
        """Answer at least one packet; nothing when the server is gone."""
        while True:
            try:
                data = self.socket.recv(65_536)
            except (ConnectionError, ssl.SSLError):
                return []
            if not data:
                return []
            packets = self._decoder.feed(data)
            if packets:
                return packets

    def close(self) -> None:
        self.socket.close()


@contextmanager
def gateway(folder: Path, limits: str = "aws-shapes") -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.gateway.server", str(folder), limits],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.mark.slow
def test_every_acknowledged_message_is_delivered_after_a_kill(tmp_path: Path) -> None:
    Pki(tmp_path).make("device")
    acked: set[int] = set()
    with gateway(tmp_path) as (port, process):
        receiver = Blocking(tmp_path, port, "receiver", clean=False)
        receiver.send(Subscribe(1, (("t/#", 1),)))
        receiver.read()
        receiver.close()
        sender = Blocking(tmp_path, port, "sender", clean=True)
        sender.send(*[Publish("t/x", b"%d" % number, 1, packet_id=number) for number in range(1, 91)])
        following = 91
        while len(acked) < 2000:
            got = [packet.packet_id for packet in sender.read() if isinstance(packet, Ack)]
            acked.update(got)
            more = range(following, following + len(got))
            sender.send(*[Publish("t/x", b"%d" % number, 1, packet_id=number) for number in more])
            following += len(got)
        process.kill()
        sender.close()

    delivered: list[int] = []
    with gateway(tmp_path) as (port, _):
        receiver = Blocking(tmp_path, port, "receiver", clean=False)
        packets = receiver.greeting
        while not acked <= set(delivered):
            for packet in packets:
                if isinstance(packet, Publish):
                    delivered.append(int(packet.payload))
                    receiver.send(Ack(Kind.PUBACK, packet.packet_id))
            if acked <= set(delivered):
                break
            packets = receiver.read()
            assert packets, f"{len(acked - set(delivered))} acknowledged messages are lost"
        receiver.close()

    assert delivered == sorted(delivered)
    assert acked <= set(delivered)


class Twice(Blocking):
    """A client of QoS 2 that keeps its own side of each exchange, as MQTT asks of it."""

    def __init__(self, folder: Path, port: int, name: str, before: "Twice | None" = None) -> None:
        self.sending: dict[int, bytes] = {} if before is None else before.sending  # until PUBREC
        self.releasing: set[int] = set() if before is None else before.releasing  # until PUBCOMP
        self.holding: set[int] = set() if before is None else before.holding  # until PUBREL
        self.had: list[bytes] = [] if before is None else before.had
        super().__init__(folder, port, name, clean=False)
        for identifier, payload in self.sending.items():
            self.send(Publish("t", payload, 2, False, True, identifier))
        self.send(*[Ack(Kind.PUBREL, identifier) for identifier in sorted(self.releasing)])
        self.take(self.greeting)

    def publish(self, identifier: int, payload: bytes) -> None:
        self.sending[identifier] = payload
        self.send(Publish("t", payload, 2, packet_id=identifier))

    def take(self, packets: list[Packet]) -> bool:
        for packet in packets:
            if isinstance(packet, Publish):
                if packet.packet_id not in self.holding:
                    self.had.append(packet.payload)
                    self.holding.add(packet.packet_id)
                self.send(Ack(Kind.PUBREC, packet.packet_id))
            elif isinstance(packet, Ack) and packet.kind is Kind.PUBREC:
                if self.sending.pop(packet.packet_id, None) is not None:
                    self.releasing.add(packet.packet_id)
                self.send(Ack(Kind.PUBREL, packet.packet_id))
            elif isinstance(packet, Ack) and packet.kind is Kind.PUBREL:
                self.holding.discard(packet.packet_id)
                self.send(Ack(Kind.PUBCOMP, packet.packet_id))
            elif isinstance(packet, Ack) and packet.kind is Kind.PUBCOMP:
                self.releasing.discard(packet.packet_id)
        return bool(packets)


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 40, 77, 120])
def test_quality_2_is_exactly_once_across_a_kill(tmp_path: Path, after: int) -> None:
    messages = [b"%d" % number for number in range(1, 151)]
    Pki(tmp_path).make("device")
    with gateway(tmp_path, "own") as (port, process):
        one = Twice(tmp_path, port, "one")
        one.send(Subscribe(1, (("t", 2),)))
        one.read()
        for identifier, payload in enumerate(messages[:90], 1):
            one.publish(identifier, payload)
        while len(one.had) < min(after, 90) and one.take(one.read()):
            pass
        process.kill()
        one.close()

    with gateway(tmp_path, "own") as (port, _):
        again = Twice(tmp_path, port, "one", before=one)
        more = dict(enumerate(messages[90:], 91))
        while (more or again.sending or again.releasing or again.holding) and again.take(again.read()):
            while more and len(again.sending) + len(again.releasing) < 90:
                again.publish(*more.popitem())
        again.close()

    assert sorted(again.had, key=int) == messages


@pytest.mark.slow
def test_a_session_that_was_granted_is_there_after_a_kill(tmp_path: Path) -> None:
    Pki(tmp_path).make("device")
    with gateway(tmp_path) as (port, process):
        client = Blocking(tmp_path, port, "c", clean=False)
        client.send(Subscribe(1, (("t", 1),)))
        client.read()
        process.kill()
        client.close()

    with gateway(tmp_path) as (port, _):
        client = Blocking(tmp_path, port, "c", clean=False)
        present = client.greeting[0]
        client.send(Publish("t", b"x", 1, packet_id=1))
        got: list[Packet] = []
        while not any(isinstance(packet, Publish) for packet in got):
            got += client.read()
        client.close()

    assert getattr(present, "session_present", False) is True
