"""Listens to the sites' telemetry by MQTT, as an operator would."""

import json
import threading
import time
from collections import Counter
from typing import Any

from hedgerow.cli.mqtt import signed_client
from hedgerow.cli.target import Target


class Watch:
    """Counts messages by site and remembers the latest of each."""

    def __init__(self) -> None:
        self.latest: dict[str, dict[str, Any]] = {}
        self.heard: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.first_at: float | None = None
        self._client: Any = None
        self._subscribed = threading.Event()

    def start(self, cloud: Target) -> bool:
        """Connect and subscribe; answer whether the subscription was granted within ten seconds."""

        def on_connect(client: Any, *_: Any) -> None:
            client.subscribe("sites/+/telemetry", 0)

        self._client = signed_client(cloud, on_connect=on_connect)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.loop_start()
        return self._subscribed.wait(10)

    def stop(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def _on_message(self, _client: Any, _userdata: Any, message: Any) -> None:
        content = json.loads(message.payload)
        now = time.monotonic()
        if self.first_at is None:
            self.first_at = now
        self.latest[content["site"]] = content
        self.heard[content["site"]] = now
        self.counts[content["site"]] += 1
