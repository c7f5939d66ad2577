"""A client's PUBLISH that takes the long way: what it may say, where it goes, how it is acknowledged or refused.

`Connection` lets the usual ones take the short way, once a publication to the same topic went through here.
Spec: MQTT 5.0 section 3.3 and 4.3, MQTT 3.1.1 section 3.3; AWS's deviations.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.codec import encode_ack
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.forwarding import forwarded
from hedgerow.core.mqtt.packets import MQTT_3_1_1, MQTT_5, Kind, Publish
from hedgerow.core.mqtt.properties import Property
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.mqtt.session import Parcel
from hedgerow.core.mqtt.topics import BASIC_INGEST, is_name
from hedgerow.gateway import exactly_once
from hedgerow.gateway.explaining import reason

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection
    from hedgerow.gateway.gateway import Gateway

ROUTES: Final = 256  # topics whose route and permission a connection remembers


def publish(gateway: "Gateway", connection: "Connection", packet: Publish) -> None:
    """Check it, then hand it on or refuse it. Raises BadPacket where the connection must end."""
    limits = gateway.limits
    if packet.qos > limits.maximum_qos:
        raise BadPacket("QoS 2 is not supported", Reason.QOS_NOT_SUPPORTED)
    topic = packet.topic if connection.version == MQTT_3_1_1 else _aliased(gateway, connection, packet)
    if not is_name(topic, limits):
        raise BadPacket("the topic is not valid", Reason.TOPIC_NAME_INVALID)
    if len(packet.payload) > limits.payload:
        raise BadPacket(f"a payload of {len(packet.payload)} bytes", Reason.PACKET_TOO_LARGE)
    if packet.qos == 2 and exactly_once.repeated(connection, packet.packet_id):
        return
    under_way = connection.pending + len(connection.session.received)
    if packet.qos and connection.version == MQTT_5 and under_way >= limits.receive_maximum:
        raise BadPacket("more publications under way than allowed", Reason.RECEIVE_MAXIMUM_EXCEEDED)
    if limits.publishes_per_s and not _within_rate(connection, limits.publishes_per_s):
        return  # AWS discards these without an answer
    refused = _refusal(connection, topic, retain=packet.retain)
    if refused is not None:
        _refuse(gateway, connection, topic, packet, *refused)
    elif topic.startswith("$") and not topic.startswith(BASIC_INGEST):
        _ask(gateway, connection, topic, packet)
    else:
        _hand_on(gateway, connection, topic, packet)
    connection.wait_if_full()


def _aliased(gateway: "Gateway", connection: "Connection", packet: Publish) -> str:
    alias = packet.properties.get(Property.TOPIC_ALIAS)
    if Property.SUBSCRIPTION_ID in packet.properties:
        raise BadPacket("a subscription identifier in a PUBLISH to a server", Reason.PROTOCOL_ERROR)
    if alias is None:
        if not packet.topic:
            raise BadPacket("neither topic nor topic alias", Reason.PROTOCOL_ERROR)
        return packet.topic
    if alias > gateway.limits.topic_alias_maximum:
        raise BadPacket(f"topic alias {alias}", Reason.TOPIC_ALIAS_INVALID)
    if connection.heard is None:
        connection.heard = {}
    if packet.topic:
        connection.heard[alias] = packet.topic
        return packet.topic
    known = connection.heard.get(alias)
    if known is None:
        raise BadPacket(f"topic alias {alias} stands for nothing", Reason.TOPIC_ALIAS_INVALID)
    return known


def _within_rate(connection: "Connection", limit: int) -> bool:
    second, count = connection.rate
    now = int(connection.seen)
    count = count + 1 if second == now else 1
    connection.rate = (now, count)
    return count <= limit


def _refusal(connection: "Connection", topic: str, *, retain: bool) -> tuple[Reason, str] | None:
    """Answer why the publication is refused, None when it is not."""
    may, resource = connection.permissions.may, "topic/" + topic
    if not may("iot:Publish", resource):
        return Reason.NOT_AUTHORIZED, f"may not publish to {topic}"
    if retain and not may("iot:RetainPublish", resource):
        return Reason.NOT_AUTHORIZED, f"may not retain on {topic}"
    if retain and topic.startswith("$"):
        return Reason.TOPIC_NAME_INVALID, f"may not retain on {topic}"
    return None


def _refuse(gateway: "Gateway", connection: "Connection", topic: str, packet: Publish, code: Reason, why: str) -> None:
    """A refused publication: MQTT 5 says so in its PUBACK; where there is none, the connection is cut. [DR-10]"""
    gateway.lifecycle.refused(connection, code, why)
    gateway.refusals.tell(connection, why, topic, packet.payload)
    if connection.wanted is not None:
        more = connection.permissions.last_refusal if code == Reason.NOT_AUTHORIZED else why
        gateway.activity.denied(connection, "Publish-In", topic, code, more)
    if connection.version == MQTT_5 and packet.qos:
        kind = Kind.PUBACK if packet.qos == 1 else Kind.PUBREC
        said = reason(why, connection.max_packet, wanted=connection.explains)
        connection.send(encode_ack(kind, packet.packet_id, MQTT_5, code, said))
    else:
        word = "AUTH_ERROR" if code == Reason.NOT_AUTHORIZED else "CLIENT_ERROR"
        connection.fail(code, word, why)


def _ask(gateway: "Gateway", connection: "Connection", topic: str, packet: Publish) -> None:
    """A request to a reserved topic goes to control, which answers."""
    properties, expires_at = _properties(gateway, connection, packet)
    parcel = Parcel(topic, packet.payload, packet.qos, False, properties, expires_at)
    message = gateway.router.message(connection, parcel)
    if not gateway.control.wants(message):
        why = f"nothing takes publications to {topic}"
        _refuse(gateway, connection, topic, packet, Reason.TOPIC_NAME_INVALID, why)
        return
    if connection.wanted is not None:
        message = replace(message, trace=gateway.activity.published(connection, topic))
    gateway.ask(connection, message, packet.packet_id)
    if "/shadow/" in topic:  # others may watch what is asked of a shadow
        gateway.router.publish(connection.account, message, connection.session, None)


def _hand_on(gateway: "Gateway", connection: "Connection", topic: str, packet: Publish) -> None:
    """To subscribers, other gateways and rules; answered when everyone who needs it has it."""
    properties, expires_at = _properties(gateway, connection, packet)
    parcel = Parcel(topic, packet.payload, packet.qos, packet.retain, properties, expires_at)
    trace = "" if connection.wanted is None else gateway.activity.published(connection, topic)
    ident = packet.packet_id
    if not packet.qos:
        gateway.router.publish_from(connection, parcel, None, trace=trace)
    else:
        also = exactly_once.begun(connection, ident) if packet.qos == 2 else ()
        size = len(packet.payload)
        connection.begun(packet.qos, size)
        done = partial(connection.answer, ident, packet.qos, size)
        gateway.router.publish_from(connection, parcel, done, also, trace)
    _remember(gateway, connection, topic, packet)


def _properties(gateway: "Gateway", connection: "Connection", packet: Publish) -> tuple[bytes, float | None]:
    """Answer the properties that go on, encoded, and when the message expires."""
    properties, expires_at = b"", None
    if packet.properties:
        properties, expires_at = forwarded(packet.properties, gateway.limits, gateway.clock.now())
    return properties + connection.enrichment, expires_at


def _remember(gateway: "Gateway", connection: "Connection", topic: str, packet: Publish) -> None:
    """Let the next publication to this topic take the short way, when that is the same."""
    if connection.wanted is not None or connection.enrichment or gateway.limits.publishes_per_s:
        return
    route = connection.account.routes.get(topic)
    if route is None or route.remote or route.uniform not in (-1, connection.version) or not packet.topic:
        return
    if not connection.permissions.decide("iot:Publish", "topic/" + topic)[1]:
        return
    if len(connection.routes) >= ROUTES:
        connection.routes.clear()
    connection.routes[topic.encode()] = route
