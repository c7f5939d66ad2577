"""Topic aliases towards a client that allows some: a topic is said with its alias once, and then the alias alone.

The first topics get them; none is taken back, so that what a client knows is never in doubt. Whoever asks must send
what is answered, in the order in which it asked.
Spec: MQTT 5.0 section 3.3.2.3.4, [MQTT-3.1.2-26].
"""

# hot path


class Aliases:
    """Of one connection."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, bytes] = {}

    def short(self, topic: str) -> tuple[bytes, bytes] | None:
        """Answer the topic's bytes and the property that go into the next PUBLISH, None when it has no alias."""
        known = self._known.get(topic)
        if known is not None:
            return b"", known
        if len(self._known) >= self._most:
            return None
        alias = self._known[topic] = b"\x23" + (len(self._known) + 1).to_bytes(2, "big")
        return topic.encode(), alias
