"""Reasons in words, for clients of MQTT 5. Spec: MQTT 5.0 sections 3.1.2.11.7 and 3.14.2.2.3."""

from typing import Final

from hedgerow.core.mqtt.properties import NO_PROPERTIES, Properties, Property

EXPLAINED: Final = frozenset({"CLIENT_ERROR", "AUTH_ERROR"})  # ends of connections that are told in words, too
LONGEST: Final = 256  # characters


def reason(why: str, max_packet: int, *, wanted: bool = True) -> Properties:
    """Answer a reason string; none where it is not wanted or makes too large a packet. [MQTT-3.14.2-3]"""
    text = why[:LONGEST].replace("\0", " ")
    fits = wanted and text and len(text.encode("utf-8", "replace")) + 16 <= max_packet
    return {Property.REASON_STRING: text} if fits else NO_PROPERTIES
