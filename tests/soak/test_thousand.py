"""Long by nature: a thousand clients on one cloud, which is killed while all of them publish."""

import asyncio
import json
from pathlib import Path

import pytest

from hedgerow.core.mqtt import (
    MQTT_3_1_1,
    TO_CLIENT,
    Ack,
    Connack,
    Connect,
    Decoder,
    Kind,
    Publish,
    Suback,
    Subscribe,
    encode,
)
from hedgerow.testing import Device
from tests.support.kills import ANYTHING
from tests.support.running import started

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

CLIENTS = 1_000
AT_ONCE = 50  # handshakes
BEFORE_KILL = 5  # publications of each that were acknowledged
DEADLINE_S = 120.0


class Crowd:
    """What all clients share."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.tls = device.tls()
        self.door = asyncio.Semaphore(AT_ONCE)
        self._far_enough = 0
        self.enough = asyncio.Event()

    def count(self) -> None:
        """One more client has had so many publications acknowledged."""
        self._far_enough += 1
        if self._far_enough == CLIENTS:
            self.enough.set()


class Client:
    """Has a kept session, publishes numbers to a topic of its own, one in flight, and hears them there."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self._crowd = crowd
        self.name = f"client-{number}"
        self.acknowledged: list[int] = []
        self.heard: list[int] = []
        self._next = 0

    async def talk(self) -> None:
        """Connect, subscribe, publish until the cloud is gone."""
        try:
            await self._session(publishing=True)
        except (OSError, EOFError):
            return

    async def listen(self) -> None:
        """Connect again and wait until all that was acknowledged has been heard."""
        await asyncio.wait_for(self._session(publishing=False), DEADLINE_S)

    async def _session(self, *, publishing: bool) -> None:
        host, port = self._crowd.device.host, self._crowd.device.mqtt_port
        async with self._crowd.door:
            reader, writer = await asyncio.open_connection(host, port, ssl=self._crowd.tls)
            writer.write(encode(Connect(client_id=self.name, clean_start=False, keep_alive=600), MQTT_3_1_1))
        decoder = Decoder(TO_CLIENT, version=MQTT_3_1_1)
        try:
            while publishing or not set(self.acknowledged) <= set(self.heard):
                data = await reader.read(65_536)
                if not data:
                    raise EOFError
                for packet in decoder.feed(data):
                    writer.write(self._answer(packet, publishing=publishing))
        finally:
            writer.transport.abort()

    def _answer(self, packet: object, *, publishing: bool) -> bytes:
        match packet:
            case Connack(session_present=present):
                assert packet.code == 0
                assert present is not publishing, f"{self.name} was to have a session: {not publishing}"
                return encode(Subscribe(1, ((self.name, 1),)), MQTT_3_1_1) if publishing else b""
            case Suback():
                return self._publish()
            case Ack(kind=Kind.PUBACK):
                self.acknowledged.append(self._next - 1)
                if len(self.acknowledged) == BEFORE_KILL:
                    self._crowd.count()
                return self._publish()
            case Publish(packet_id=ident, payload=payload):
                self.heard.append(json.loads(payload))
                return encode(Ack(Kind.PUBACK, ident), MQTT_3_1_1)
            case _:
                raise AssertionError(packet)

    def _publish(self) -> bytes:
        number, self._next = self._next, self._next + 1
        return encode(Publish(self.name, str(number).encode(), qos=1, packet_id=number % 60_000 + 1), MQTT_3_1_1)


@pytest.mark.spec("X-06")
def test_a_thousand_clients_lose_nothing_when_the_cloud_is_killed(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        device = process.new_account(tmp_path).device("crowd", ANYTHING)

        async def run() -> list[Client]:
            crowd = Crowd(device)
            clients = [Client(crowd, number) for number in range(CLIENTS)]
            talking = [asyncio.create_task(client.talk()) for client in clients]
            await asyncio.wait_for(crowd.enough.wait(), DEADLINE_S)
            await asyncio.to_thread(process.kill)
            await asyncio.gather(*talking)
            await asyncio.to_thread(process.start)
            await asyncio.gather(*[client.listen() for client in clients])
            return clients

        clients = asyncio.run(run())

    for client in clients:
        assert len(client.acknowledged) >= BEFORE_KILL
        assert list(dict.fromkeys(client.heard)) == sorted(set(client.heard)), f"{client.name}: not in order"
