"""Which properties of a PUBLISH go on to its receivers, and within which limits. Spec: MQTT 5.0 section 3.3.2.3."""

from typing import Final

from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.limits import Limits
from hedgerow.core.mqtt.properties import Properties, Property, write_properties
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.mqtt.topics import is_name

FORWARDED: Final = frozenset(
    {
        Property.PAYLOAD_FORMAT,
        Property.CONTENT_TYPE,
        Property.RESPONSE_TOPIC,
        Property.CORRELATION_DATA,
        Property.USER_PROPERTY,
    }
)


def kept(properties: Properties) -> bytes:
    """Answer those that go on, encoded, without their length."""
    return write_properties({name: value for name, value in properties.items() if name in FORWARDED})


def forwarded(properties: Properties, limits: Limits, now: float) -> tuple[bytes, float | None]:
    """Answer those that go on and when the message expires; raise BadPacket for what is not allowed."""
    expires_at = None
    seconds = properties.get(Property.MESSAGE_EXPIRY)
    if seconds is not None:
        expires_at = now + min(max(seconds, limits.message_expiry_min), limits.message_expiry_max)
    response = properties.get(Property.RESPONSE_TOPIC)
    if response is not None and not is_name(response, limits):
        raise BadPacket("the response topic is not valid", Reason.TOPIC_NAME_INVALID)
    users = sum(len(name.encode()) + len(value.encode()) for name, value in properties.get(Property.USER_PROPERTY, ()))
    if (
        len(properties.get(Property.CONTENT_TYPE, "").encode()) > limits.content_type
        or len(properties.get(Property.CORRELATION_DATA, b"")) > limits.correlation_data
        or users > limits.user_properties
    ):
        raise BadPacket("a property is larger than allowed", Reason.QUOTA_EXCEEDED)
    return kept(properties), expires_at
