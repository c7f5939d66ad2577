"""A device's MQTT connection for system tests: paho, with what it got kept in order, and waits with deadlines."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hedgerow.testing import Device
from tests.support.waiting import until

DEADLINE_S = 15.0


class Connected:
    """One connection."""

    def __init__(self, client: paho.Client) -> None:
        self.client = client
        self.messages: list[paho.MQTTMessage] = []
        self.ended: list[Any] = []
        self.session_present = False
        self._up = threading.Event()
        self._granted: dict[int | None, list[int]] = {}
        client.on_connect = self._on_connect
        client.on_message = lambda _client, _data, message: self.messages.append(message)
        client.on_subscribe = lambda _c, _d, mid, codes, _p: self._granted.update({mid: [c.value for c in codes]})
        client.on_disconnect = lambda _c, _d, _flags, reason, _p: self.ended.append(reason)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            self.session_present = flags.session_present
            self._up.set()

    def wait_connected(self) -> None:
        assert self._up.wait(DEADLINE_S), "not connected"

    def subscribe(self, topic_filter: str, qos: int = 1) -> list[int]:
        """Subscribe and answer the granted codes."""
        _, mid = self.client.subscribe(topic_filter, qos)
        return until(f"the answer to the subscription to {topic_filter}", lambda: self._granted.get(mid))

    def publish(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> None:
        """Publish and wait until it is acknowledged."""
        sent = self.client.publish(topic, payload, qos, retain)
        sent.wait_for_publish(DEADLINE_S)
        assert sent.is_published(), f"the publication to {topic} was not acknowledged"

    def payloads(self, count: int) -> list[bytes]:
        """Wait for so many messages and answer the payloads of all that came."""
        until(f"{count} messages", lambda: len(self.messages) >= count)
        return [bytes(message.payload) for message in self.messages]


@contextmanager
def connected(
    device: Device,
    *,
    client_id: str | None = None,
    clean: bool = True,
    port: int | None = None,
    **callbacks: Callable[..., Any],
) -> Iterator[Connected]:
    """Connect as this device (MQTT 3.1.1) and be connected when the block begins."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id or device.name,
        clean_session=clean,
        protocol=paho.MQTTv311,
    )
    client.tls_set_context(device.tls())
    for name, callback in callbacks.items():
        setattr(client, name, callback)
    connection = Connected(client)
    client.connect(device.host, port or device.mqtt_port, keepalive=60)
    client.loop_start()
    try:
        connection.wait_connected()
        yield connection
    finally:
        client.disconnect()
        client.loop_stop()


def ask(device: Connected, topic: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask on a `$aws` topic and answer what came back."""
    for answer in ("accepted", "rejected"):
        device.subscribe(f"{topic}/{answer}")
    device.messages.clear()
    device.publish(topic, json.dumps(body))
    found: dict[str, Any] = json.loads(device.payloads(1)[0])
    return found
