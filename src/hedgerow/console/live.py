"""What the cloud tells by itself: MQTT over WebSocket, on paho's own thread.

Telemetry is kept as the latest payload of each topic, everything else in order; both are bounded. At the bound new
topics are left out until the next `take`, and other messages are dropped and counted, so that the reader asks the API.
"""

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from hedgerow.console.model import Credentials
from hedgerow.console.signing import signed_path

MAX_TOPICS: Final = 50_000
MAX_WAITING: Final = 5_000
MAX_PAYLOAD: Final = 128 * 1024
RETRY_S: Final = (1, 15)
FILTERS_A_PACKET: Final = 8  # what AWS IoT takes


class Live(Protocol):
    """A connection that hears messages. `take` may be called on any thread."""

    connected: bool
    trouble: str

    def start(self) -> None:
        """Connect in the background and stay connected until stopped."""
        ...

    def listen(self, filters: Iterable[str], coalesced: Iterable[str]) -> None:
        """Hear these filters, and no others; of the coalesced ones only the latest message of each topic counts."""
        ...

    def take(self) -> tuple[dict[str, bytes], list[tuple[str, bytes]], bool]:
        """Answer the latest by topic, the others in order, and whether some were lost."""
        ...

    def stop(self) -> None:
        """End the connection."""
        ...


class MqttLive:
    """The connection of one signed-in person."""

    def __init__(self, *, api_url: str, region: str, ca_file: str | None, credentials: Credentials) -> None:
        self.connected = False
        self.trouble = ""
        self._api_url, self._region, self._ca_file = api_url, region, ca_file
        self._credentials = credentials
        self._lock = threading.Lock()
        self._wanted: dict[str, bool] = {}
        self._latest: dict[str, bytes] = {}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._lost = False
        self._client: Any = None

    def start(self) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"console-{secrets.token_hex(8)}", transport="websockets"
        )
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.reconnect_delay_set(*RETRY_S)
        client.connect_timeout = 5.0
        parts = urlsplit(self._api_url)
        if parts.scheme == "https":
            client.tls_set(ca_certs=self._ca_file)
        self._client = client
        client.connect_async(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), keepalive=30)
        client.loop_start()

    def stop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def listen(self, filters: Iterable[str], coalesced: Iterable[str]) -> None:
        wanted = dict.fromkeys(filters, False) | dict.fromkeys(coalesced, True)
        with self._lock:
            old, self._wanted = self._wanted, wanted
        if self._client is None or not self.connected:
            return
        self._subscribe([each for each in wanted if each not in old])
        if gone := [each for each in old if each not in wanted]:
            self._client.unsubscribe(gone)

    def take(self) -> tuple[dict[str, bytes], list[tuple[str, bytes]], bool]:
        with self._lock:
            latest, self._latest = self._latest, {}
            waiting, self._waiting = list(self._waiting), deque()
            lost, self._lost = self._lost, False
        return latest, waiting, lost

    def _subscribe(self, filters: list[str]) -> None:
        for first in range(0, len(filters), FILTERS_A_PACKET):
            self._client.subscribe([(each, 0) for each in filters[first : first + FILTERS_A_PACKET]])

    def _on_pre_connect(self, client: Any, _: Any) -> None:
        client.ws_set_options(path=signed_path(self._api_url, self._region, self._credentials))

    def _on_connect(self, client: Any, _: Any, __: Any, code: Any, ___: Any) -> None:
        if code.is_failure:
            self.trouble = f"The cloud refused the live connection: {code}."
            return
        self.connected, self.trouble = True, ""
        with self._lock:
            self._lost = True  # whatever happened while it was away was not heard
            wanted = list(self._wanted)
        self._subscribe(wanted)

    def _on_disconnect(self, _: Any, __: Any, ___: Any, code: Any, ____: Any) -> None:
        self.connected = False
        self.trouble = "The live connection was lost; trying again."

    def _on_connect_fail(self, _: Any, __: Any) -> None:
        self.connected = False
        self.trouble = "No live connection: the cloud does not answer or refuses it; trying again."

    def _on_subscribe(self, _: Any, __: Any, ___: Any, codes: Any, ____: Any) -> None:
        if any(code.is_failure for code in codes):
            self.trouble = "You may not subscribe to all that this page shows; some of it comes late or not at all."

    def _on_message(self, _: Any, __: Any, message: Any) -> None:
        topic, payload = message.topic, message.payload
        if len(payload) > MAX_PAYLOAD:
            return
        with self._lock:
            if self._is_coalesced(topic):
                if topic in self._latest or len(self._latest) < MAX_TOPICS:
                    self._latest[topic] = payload
            elif len(self._waiting) < MAX_WAITING:
                self._waiting.append((topic, payload))
            else:
                self._lost = True

    def _is_coalesced(self, topic: str) -> bool:
        from paho.mqtt.client import topic_matches_sub

        matching = [coalesced for each, coalesced in self._wanted.items() if topic_matches_sub(each, topic)]
        return bool(matching) and all(matching)


MakeLive = Callable[[Credentials], Live]
