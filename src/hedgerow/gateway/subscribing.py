"""SUBSCRIBE and UNSUBSCRIBE: what a client may subscribe to, and what it is told.

Spec: MQTT 5.0 sections 3.8 to 3.11; AWS's deviations (8 filters, no retained messages for wildcards, `$` filters).
"""

from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.codec import encode_suback, encode_unsuback
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.packets import MQTT_3_1_1, MQTT_5, Subscribe, Unsubscribe
from hedgerow.core.mqtt.properties import NO_PROPERTIES, Properties, Property
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.mqtt.session import IDENTIFIER, NO_LOCAL, QOS, RETAIN_HANDLING
from hedgerow.core.mqtt.topics import BASIC_INGEST, is_filter, split_share
from hedgerow.gateway import presence
from hedgerow.gateway.connection import Connection
from hedgerow.gateway.explaining import reason

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

REFUSED: Final = 0x80


def subscribe(gateway: "Gateway", connection: Connection, packet: Subscribe) -> None:
    """Decide each filter, remember those granted, answer, then send what is retained."""
    identifier = _check(gateway, connection, packet)
    codes = _codes(gateway, connection, packet)
    closes = gateway.limits.refused_filter_closes and connection.version == MQTT_3_1_1
    if closes and Reason.NOT_AUTHORIZED in codes:
        connection.fail(Reason.NOT_AUTHORIZED, "AUTH_ERROR", connection.permissions.last_refusal)
        return
    account, session = connection.account, connection.session
    granted = []
    for (text, options), code in zip(packet.subscriptions, codes, strict=True):
        if code < REFUSED:
            options |= identifier << IDENTIFIER
            granted.append((text, options, account.subscribe(session, text, options)))
    wire = encode_suback(packet.packet_id, codes, connection.version, _reason(connection, packet, codes))

    def answer(kept: bool) -> None:
        if not kept:
            refused = [code if code >= REFUSED else int(Reason.UNSPECIFIED) for code in codes]
            connection.send(encode_suback(packet.packet_id, refused, connection.version))
            return
        connection.send(wire)
        for text, options, first in granted:
            _send_retained(gateway, connection, text, options, first)

    gateway.sessions.changed(connection, [(text, options) for text, options, _ in granted], answer)
    for text, _, _ in granted:
        gateway.activity.say(connection, "Subscribe", topicName=text)
    if granted:
        gateway.lifecycle.tell(connection, presence.subscribed, [text for text, _, _ in granted])


def _reason(connection: Connection, packet: Subscribe, codes: list[int]) -> Properties:
    """Answer which filter is refused first, and why, for a client that wants to know."""
    refused = next((at for at, code in enumerate(codes) if code >= REFUSED), None)
    if refused is None or connection.version != MQTT_5 or not connection.explains:
        return NO_PROPERTIES
    return reason(f"{Reason(codes[refused]).name}: {packet.subscriptions[refused][0]}", connection.max_packet)


def unsubscribe(gateway: "Gateway", connection: Connection, packet: Unsubscribe) -> None:
    if len(packet.filters) > gateway.limits.filters_per_packet:
        raise BadPacket(f"{len(packet.filters)} filters in one packet", Reason.QUOTA_EXCEEDED)
    codes = []
    for text in packet.filters:
        there = connection.account.unsubscribe(connection.session, text)
        codes.append(Reason.SUCCESS if there else Reason.NO_SUBSCRIPTION_EXISTED)
    wire = encode_unsuback(packet.packet_id, codes, connection.version)
    changes = [(text, None) for text in packet.filters]
    gateway.sessions.changed(connection, changes, lambda _kept: connection.send(wire))
    for text in packet.filters:
        gateway.activity.say(connection, "Unsubscribe", topicName=text)
    gateway.lifecycle.tell(connection, presence.unsubscribed, list(packet.filters))


def _check(gateway: "Gateway", connection: Connection, packet: Subscribe) -> int:
    """Raise BadPacket for what nobody may ask; answer the subscription identifier, 0 for none."""
    if len(packet.subscriptions) > gateway.limits.filters_per_packet:
        raise BadPacket(f"{len(packet.subscriptions)} filters in one packet", Reason.QUOTA_EXCEEDED)
    identifiers: list[int] = packet.properties.get(Property.SUBSCRIPTION_ID, [])
    if identifiers and not gateway.limits.subscription_ids:
        raise BadPacket("subscription identifiers are not supported", Reason.SUBSCRIPTION_IDS_NOT_SUPPORTED)
    if len(identifiers) > 1 or 0 in identifiers:
        raise BadPacket("a subscription has one identifier, above 0", Reason.PROTOCOL_ERROR)
    for text, options in packet.subscriptions:
        if options & QOS > gateway.limits.maximum_qos and connection.version == MQTT_5:
            raise BadPacket("QoS 2 is not supported", Reason.QOS_NOT_SUPPORTED)
        if options & NO_LOCAL and text.startswith("$share/"):
            raise BadPacket("no local on a shared subscription", Reason.PROTOCOL_ERROR)  # [MQTT-3.8.3-4]
    return identifiers[0] if identifiers else 0


def _codes(gateway: "Gateway", connection: Connection, packet: Subscribe) -> list[int]:
    there = connection.session.subscriptions
    new: set[str] = set()
    codes = []
    for text, options in packet.subscriptions:
        room = text in there or text in new or len(there) + len(new) < gateway.limits.subscriptions
        codes.append(_decide(gateway, connection, text, options, room=room))
        if codes[-1] < REFUSED and text not in there:
            new.add(text)
    return codes


def _decide(gateway: "Gateway", connection: Connection, text: str, options: int, *, room: bool) -> int:
    if options & QOS > gateway.limits.maximum_qos or not is_filter(text, gateway.limits):
        return Reason.TOPIC_FILTER_INVALID  # in MQTT 3.1.1 this is said as 0x80
    split = split_share(text)
    plain = text if split is None else split[1]
    if plain.startswith("$") and (not plain.startswith("$aws/") or plain.startswith(BASIC_INGEST)):
        return Reason.TOPIC_FILTER_INVALID
    if not connection.permissions.may("iot:Subscribe", "topicfilter/" + text):
        gateway.lifecycle.refused(connection, Reason.NOT_AUTHORIZED, f"may not subscribe to {text}")
        gateway.refusals.tell(connection, f"may not subscribe to {text}", plain)
        why = connection.permissions.last_refusal
        gateway.activity.denied(connection, "Subscribe", text, Reason.NOT_AUTHORIZED, why)
        return Reason.NOT_AUTHORIZED
    return options & QOS if room else Reason.QUOTA_EXCEEDED


def _send_retained(gateway: "Gateway", connection: Connection, text: str, options: int, new: bool) -> None:
    handling = (options & RETAIN_HANDLING) >> 4
    if not text.startswith("$share/") and handling != 2 and (new or handling != 1):
        gateway.retrievals.begin(connection, text, options)
