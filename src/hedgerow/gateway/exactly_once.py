"""QoS 2, both ways: what is acknowledged when, and what must be on disk before.

From the client: PUBREC means that the publication and its packet identifier are on disk, PUBCOMP that the identifier is
forgotten there. To the client: PUBREL goes out when the disk knows that the client has the message. Only for sessions
that are kept; the others live as long as their connection.
Spec: MQTT 5.0 section 4.3.3 (the receiver hands the message on at PUBLISH), MQTT 3.1.1 section 4.3.3.
"""

from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.codec import encode_ack
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.packets import MQTT_5, Ack, Kind
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.mqtt.records import InFlight, Landed, Record, Settled, Step
from hedgerow.core.mqtt.session import Session

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection
    from hedgerow.gateway.journal import Journal

REFUSED: Final = 0x80


def repeated(connection: "Connection", packet_id: int) -> bool:
    """Tell whether we have this publication already; it is acknowledged again, not handed on again. [MQTT-4.3.3-10]"""
    known = connection.session.received.get(packet_id)
    if known:
        connection.send(encode_ack(Kind.PUBREC, packet_id, connection.version))
    return known is not None


def begun(connection: "Connection", packet_id: int) -> tuple[Record, ...]:
    """The publication is being handed on: answer what must be on disk with it."""
    session = connection.session
    session.received[packet_id] = False
    if not session.persistent:
        return ()
    return (InFlight(connection.account.name, session.client_id, session.epoch, packet_id, Step.RECEIVED),)


def answered(connection: "Connection", journal: "Journal", packet_id: int, ok: bool, code: int) -> None:
    """The publication is on disk wherever it must be, or was refused; MQTT 3.1.1 has no way to say why."""
    session = connection.session
    if ok:
        session.received[packet_id] = True
        _say(session, Kind.PUBREC, packet_id)
        return
    session.received.pop(packet_id, None)
    if session.persistent:
        journal.append((Landed(connection.account.name, session.client_id, packet_id, True),))
    if session.link is not None and session.version == MQTT_5:
        connection.send(encode_ack(Kind.PUBREC, packet_id, MQTT_5, code))


def acknowledge(connection: "Connection", journal: "Journal", packet: Ack, now: float) -> None:
    """PUBREC, PUBREL or PUBCOMP from the client."""
    if packet.kind == Kind.PUBREL:
        _released(connection, journal, packet.packet_id)
    elif packet.kind == Kind.PUBREC and packet.code < REFUSED:
        _received(connection, journal, packet.packet_id)
    else:  # or the client will not have it: the exchange is over [MQTT-4.3.3-4]
        _completed(connection, journal, packet.packet_id, now)


def _received(connection: "Connection", journal: "Journal", identifier: int) -> None:
    session = connection.session
    number = session.release(identifier)
    if number is None:
        connection.send(encode_ack(Kind.PUBREL, identifier, connection.version, Reason.PACKET_ID_NOT_FOUND))
    elif number:
        account, client_id = connection.account.name, session.client_id
        flight = InFlight(account, client_id, session.epoch, identifier, Step.RELEASED)
        session.unnoted.add(identifier)

        def noted(ok: bool) -> None:
            session.unnoted.discard(identifier)
            if ok:
                _say(session, Kind.PUBREL, identifier)

        journal.append((flight, Settled(account, client_id, (number,))), noted)
    elif identifier not in session.unnoted:
        _say(session, Kind.PUBREL, identifier)


def _released(connection: "Connection", journal: "Journal", identifier: int) -> None:
    session = connection.session
    known = session.received.get(identifier)
    if known is False:
        raise BadPacket("a PUBREL before its PUBREC", Reason.PROTOCOL_ERROR)
    if known is None:
        connection.send(encode_ack(Kind.PUBCOMP, identifier, connection.version, Reason.PACKET_ID_NOT_FOUND))
        return

    def forgotten(ok: bool) -> None:
        if ok:  # else the client asks again
            session.received.pop(identifier, None)
            _say(session, Kind.PUBCOMP, identifier)

    if session.persistent:
        journal.append((Landed(connection.account.name, session.client_id, identifier, True),), forgotten)
    else:
        forgotten(True)


def _completed(connection: "Connection", journal: "Journal", identifier: int, now: float) -> None:
    session = connection.session
    if session.acked(identifier, now) and session.persistent:
        journal.append((Landed(connection.account.name, session.client_id, identifier, False),))


def _say(session: Session, kind: Kind, identifier: int) -> None:
    link = session.link
    if link is not None:
        link.send(encode_ack(kind, identifier, session.version))
