"""Crowds on the TLS port that say half of something, or nothing: others are served, and the crowd is cut in time."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hedgerow.core.mqtt import MQTT_3_1_1, TO_CLIENT, Connect, Decoder, Packet, Publish, Subscribe, encode
from hedgerow.gateway.tls import BUFFERED
from tests.unit.gateway.served import Served, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

WITHIN_S = 15.0
HALF_CONNECT = encode(Connect("somebody", True, 60), MQTT_3_1_1)[:9]
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # of a ClientHello of 512 bytes, the first eleven
AT_ONCE = 50


class Speaker:
    """A client with a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._decoder = Decoder(TO_CLIENT)

    def send(self, *packets: Packet) -> None:
        self.writer.write(b"".join(encode(packet, MQTT_3_1_1) for packet in packets))

    async def read(self) -> list[Packet]:
        """Answer at least one packet; nothing at the end."""
        async with asyncio.timeout(WITHIN_S):
            while data := await self.reader.read(65_536):
                if packets := self._decoder.feed(data):
                    return packets
        return []

    async def ended(self) -> bool:
        """Wait until the server has closed."""
        try:
            while await self.read():
                pass
        except ConnectionError:
            pass
        return True


@asynccontextmanager
async def speaker(cloud: Served, client_id: str = "") -> AsyncIterator[Speaker]:
    """A client after its TLS handshake, and after its CONNACK when it has a name."""
    context = ssl.create_default_context(cafile=cloud.pki.folder / "server-ca.pem")
    async with asyncio.timeout(WITHIN_S):
        made = Speaker(*await asyncio.open_connection("localhost", cloud.port, ssl=context))
    try:
        if client_id:
            made.send(Connect(client_id, True, 60))
            assert len(await made.read()) == 1
        yield made
    finally:
        made.writer.transport.abort()


async def served_still(cloud: Served) -> bool:
    """Tell whether a new client gets in and hears itself."""
    async with speaker(cloud, "witness") as witness:
        witness.send(Subscribe(1, (("witnessed", 1),)), Publish("witnessed", b"still"))
        packets: list[Packet] = []
        while not any(isinstance(packet, Publish) for packet in packets):
            packets = await witness.read()
            assert packets, "cut off"
    return True


async def until(seen: Callable[[], bool]) -> bool:
    async with asyncio.timeout(WITHIN_S):
        while not seen():
            await asyncio.sleep(0.01)
    return True


def small(end: socket.socket, which: int) -> None:
    """Let the kernel keep little for this end."""
    end.setsockopt(socket.SOL_SOCKET, which, 8192)


def test_five_hundred_that_send_half_a_connect_are_cut_and_nobody_else_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.gateway.deadlines.CONNECT_WITHIN_S", 4.0)

    async def half(cloud: Served, turn: asyncio.Semaphore, there: list[int]) -> bool:
        async with turn:
            waiting = speaker(cloud)
            one = await waiting.__aenter__()
        one.writer.write(HALF_CONNECT)
        there.append(1)
        try:
            return await one.ended()
        finally:
            await waiting.__aexit__(None, None, None)

    async def main() -> tuple[int, bool, list[bool], bool]:
        async with served(tmp_path) as cloud, speaker(cloud, "established") as established:
            turn, there = asyncio.Semaphore(AT_ONCE), list[int]()
            async with asyncio.TaskGroup() as group:
                crowd = [group.create_task(half(cloud, turn, there)) for _ in range(500)]
                await until(lambda: len(there) == 500)
                connections = cloud.gateway.statistics()["connections"]
                still = await served_still(cloud)
            established.send(Subscribe(1, (("t", 0),)))
            return connections, still, [one.result() for one in crowd], bool(await established.read())

    connections, still, ended, established = asyncio.run(main())

    assert connections > 250  # some were cut already
    assert still
    assert ended == [True] * 500
    assert established


@pytest.mark.parametrize("said", [b"", HELLO, b"GET / HTTP/1.1\r\n\r\n"], ids=["nothing", "half", "HTTP"])
def test_three_hundred_half_open_handshakes_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("hedgerow.gateway.listener.HANDSHAKE_WITHIN_S", 1.5)
    monkeypatch.setattr("hedgerow.gateway.listener.CROWDED_WITHIN_S", 0.5)

    async def main() -> tuple[bool, bool]:
        async with served(tmp_path) as cloud:
            crowd = [await asyncio.open_connection("localhost", cloud.port) for _ in range(300)]
            for _, writer in crowd:
                writer.write(said)
            still = await served_still(cloud)
            over = await until(lambda: cloud.listener.statistics()["handshakes"] == 0)
            for _, writer in crowd:
                writer.transport.abort()
            return still, over

    assert asyncio.run(main()) == (True, True)


def test_a_client_that_never_reads_is_held_back_and_cut_and_others_get_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.gateway.deadlines.TAKE_WITHIN_S", 1.5)
    payload = b"x" * 100_000

    async def main() -> tuple[int, int, int, list[bytes]]:
        async with served(tmp_path) as cloud, speaker(cloud, "deaf") as deaf, speaker(cloud, "keen") as keen:
            for one in (deaf, keen):
                one.send(Subscribe(1, (("t", 0),)))
            await keen.read()
            deaf.reader._transport.pause_reading()  # type: ignore[attr-defined]  # as a client that hangs
            most = got = 0
            async with speaker(cloud, "talker") as talker:
                for _ in range(200):
                    talker.send(Publish("t", payload))
                    got += sum(isinstance(packet, Publish) for packet in await keen.read())
                    most = max([most, *(one.transport.unsent() for one in cloud.gateway.connections)])
                while got < 200:
                    got += sum(isinstance(packet, Publish) for packet in await keen.read())
            dropped = cloud.gateway.statistics()["dropped"]
            await until(lambda: any("disconnected/deaf" in message.topic for message in cloud.control.heard))
            told = [message.payload for message in cloud.control.heard if "disconnected/deaf" in message.topic]
            return got, most, dropped, told

    got, most, dropped, told = asyncio.run(main())

    assert got == 200
    assert dropped > 50
    assert most <= BUFFERED + 2 * len(payload)
    assert [b'"disconnectReason":"CONNECTION_LOST"' in one for one in told] == [True]


def test_a_client_that_publishes_and_never_reads_its_acknowledgements_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.gateway.tls.BUFFERED", 20_000)
    asked = encode(Publish("t", b"x", 1, packet_id=1), MQTT_3_1_1) * 2000

    async def main() -> tuple[int, bool]:
        async with served(tmp_path) as cloud, speaker(cloud, "rude") as rude:
            cloud.control.hear_nothing = True
            (ours,) = cloud.gateway.connections
            small(rude.writer.get_extra_info("socket"), socket.SO_RCVBUF)
            small(ours.transport._transport._socket, socket.SO_SNDBUF)  # type: ignore[attr-defined]  # the kernel's
            rude.reader._transport.pause_reading()  # type: ignore[attr-defined]  # as a client that hangs
            most = 0
            async with asyncio.timeout(WITHIN_S):
                while rude.writer.transport.get_write_buffer_size() < 10_000_000:  # until nobody takes it any more
                    rude.writer.write(asked)
                    await asyncio.sleep(0)
                    most = max(most, ours.transport.unsent())
            await until(lambda: cloud.gateway.statistics()["congested"] == 1)
            return most, await served_still(cloud)

    most, still = asyncio.run(main())

    assert most < 1_000_000
    assert still


def test_a_storm_of_clients_that_come_back_all_at_once_is_served(tmp_path: Path) -> None:
    async def main() -> int:
        async with served(tmp_path) as cloud:

            async def come(number: int) -> None:
                async with speaker(cloud, f"c{number}") as one:
                    one.send(Subscribe(1, (("t", 0),)))
                    assert await one.read()

            for _ in range(2):
                async with asyncio.TaskGroup() as group:
                    for number in range(100):
                        group.create_task(come(number))
            await until(lambda: cloud.gateway.statistics()["connections"] == 0)
            return cloud.gateway.lifecycle.admitted

    assert asyncio.run(main()) == 200
