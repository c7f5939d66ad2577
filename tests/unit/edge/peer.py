"""A scripted cloud: an MQTT server over mutual TLS that answers as a test tells it to, with fault knobs."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from hedgerow.core.mqtt import (
    MQTT_5,
    TO_SERVER,
    Ack,
    Connack,
    Connect,
    Decoder,
    Disconnect,
    Kind,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    encode,
)
from hedgerow.edge.filters import matches

Answer = Callable[[str, dict[str, Any]], list[tuple[str, dict[str, Any]]]]


class Client:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.connect = Connect("")
        self.filters: set[str] = set()
        self._next = 0

    def send(self, packet: Packet) -> None:
        self.writer.write(encode(packet, self.connect.version))

    def deliver(self, topic: str, payload: bytes) -> None:
        if any(matches(one, topic) for one in self.filters):
            self._next += 1
            self.send(Publish(topic, payload, 1, packet_id=self._next))


class Peer:
    """The scripted cloud. `answers` maps a topic filter to what is published, in turn, when a message comes there."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.clients: list[Client] = []
        self.connects: list[Connect] = []
        self.messages: list[tuple[str, bytes]] = []
        self.refuse_with = 0  # CONNACK code
        self.cut_ids: set[str] = set()  # clients that are cut without a word
        self.cut_connects = 0  # so many are cut without a word, as the first of a new device is
        self.acknowledge = True
        self.cut_on: str | None = None  # a topic whose publisher is cut off
        self.deny: set[str] = set()  # filters that are not granted
        self.port = 0
        self.serving = 0

    async def until(self, condition: Callable[[], object], *, within_s: float = 5.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.002)

    def publish(self, topic: str, body: dict[str, Any] | bytes) -> None:
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        for client in self.clients:
            client.deliver(topic, payload)

    def cut(self, code: int | None = None) -> None:
        for client in list(self.clients):
            if code is not None:
                client.send(Disconnect(code))
            client.writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client, decoder = Client(writer), Decoder(TO_SERVER)
        self.serving += 1
        try:
            while data := await reader.read(65536):
                for packet in decoder.feed(data):
                    self._take(client, packet)
        except (ConnectionError, ssl.SSLError):
            pass
        finally:
            if client in self.clients:
                self.clients.remove(client)
            writer.close()
            self.serving -= 1

    def _take(self, client: Client, packet: Packet) -> None:
        match packet:
            case Connect():
                client.connect = packet
                self.connects.append(packet)
                if self.cut_connects or packet.client_id in self.cut_ids:
                    self.cut_connects = max(0, self.cut_connects - 1)
                    client.writer.close()
                    return
                client.send(Connack(False, self.refuse_with))
                if self.refuse_with:
                    client.writer.close()
                else:
                    self.clients.append(client)
            case Subscribe(packet_id, subscriptions):
                granted = [name for name, _ in subscriptions if name not in self.deny]
                client.filters.update(granted)
                client.send(Suback(packet_id, tuple(1 if name in granted else 0x87 for name, _ in subscriptions)))
            case Unsubscribe(packet_id, filters):
                client.filters.difference_update(filters)
                client.send(Unsuback(packet_id, tuple(0 for _ in filters)))
            case Publish():
                self._published(client, packet)
            case Pingreq():
                client.send(Pingresp())
            case Disconnect():
                client.writer.close()
            case _:
                pass

    def _published(self, client: Client, packet: Publish) -> None:
        if packet.topic == self.cut_on:
            client.writer.close()
            return
        self.messages.append((packet.topic, packet.payload))
        if packet.qos and self.acknowledge:
            client.send(Ack(Kind.PUBACK, packet.packet_id))
        for topic_filter, answer in self.answers.items():
            if matches(topic_filter, packet.topic):
                for topic, body in answer(packet.topic, json.loads(packet.payload)):
                    client.deliver(topic, json.dumps(body).encode())


@asynccontextmanager
async def running(context: ssl.SSLContext, peer: Peer | None = None) -> AsyncIterator[Peer]:
    peer = peer or Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", peer.port, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        peer.cut()
        with suppress(TimeoutError):
            await peer.until(lambda: not peer.serving, within_s=2)


def version(client: Client) -> int:
    return 5 if client.connect.version == MQTT_5 else 3
