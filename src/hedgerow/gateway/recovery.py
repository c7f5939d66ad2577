"""After a restart: sessions are offline, wills of those who were connected are sent, their disconnection is told."""

from dataclasses import replace
from typing import TYPE_CHECKING

from hedgerow.core.mqtt.records import InFlight, Loaded, SessionEnded, Step
from hedgerow.core.mqtt.session import RELEASED, Parcel, Session
from hedgerow.gateway import presence
from hedgerow.gateway.account import Kept
from hedgerow.gateway.journal import StoredSession
from hedgerow.gateway.ports import Message
from hedgerow.gateway.wire import decode_message, decode_retained, decode_session

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway


def recover(gateway: "Gateway", loaded: Loaded) -> None:
    """Take up everything, then tell the world of whom the crash cut off."""
    for kept in loaded.retained:
        gateway.account(kept.account).retained[kept.topic] = Kept(*decode_retained(kept.body))
    adopt(gateway, loaded)
    for stored in map(decode_session, loaded.sessions):
        if stored.connected:
            _tell(gateway, stored)


def adopt(gateway: "Gateway", loaded: Loaded) -> None:
    """Take up kept sessions with what waits for them, as offline."""
    now = gateway.clock.now()
    for stored in map(decode_session, loaded.sessions):
        if not stored.persistent:
            gateway.journal.append((SessionEnded(stored.account, stored.client_id, stored.epoch),))
            continue
        _adopt(gateway, stored, now)
    flying = {(one.account, one.client_id, one.number): one for one in loaded.in_flight if one.step is Step.SENT}
    for one in loaded.in_flight:
        _take_up(gateway, one)
    for queued in loaded.messages:
        session = gateway.account(queued.account).sessions.get(queued.client_id)
        if session is None:
            continue
        session.sequence = max(session.sequence, queued.number)
        parcel = parcel_of(decode_message(queued.body))
        flown = flying.get((queued.account, queued.client_id, queued.number))
        if flown is None:
            session.hold(queued.number, parcel)
        else:
            session.in_flight[flown.packet_id] = (queued.number, parcel)


def _take_up(gateway: "Gateway", one: InFlight) -> None:
    """Packet identifiers of QoS 2 that the client may have seen."""
    session = gateway.account(one.account).sessions.get(one.client_id)
    if session is None:
        return
    if one.step is Step.RECEIVED:
        session.received[one.packet_id] = True
    elif one.step is Step.RELEASED:
        session.in_flight[one.packet_id] = (0, RELEASED)


def _adopt(gateway: "Gateway", stored: StoredSession, now: float) -> None:
    account, limits = gateway.account(stored.account), gateway.limits
    session = Session(
        stored.client_id,
        stored.version,
        epoch=stored.epoch,
        max_queued=limits.queued,
        max_queued_bytes=limits.queued_bytes,
        resends=limits.resends,
    )
    session.persistent = True
    session.expiry_s = stored.expiry_s
    session.expires_at = stored.expires_at if stored.expires_at is not None else now + stored.expiry_s
    account.sessions[stored.client_id] = session
    for text, options in stored.subscriptions:
        account.subscribe(session, text, options)
    gateway.sessions.expire_at(session.expires_at, stored.account, stored.client_id)
    if stored.connected:
        offline = replace(stored, connected=False, expires_at=session.expires_at, will=None)
        gateway.journal.append((gateway.sessions.saved(offline),))


def _tell(gateway: "Gateway", stored: StoredSession) -> None:
    now = gateway.clock.now()
    account = gateway.account(stored.account)
    if stored.will is not None:
        lives = stored.will.expires_at  # counted from the disconnection, which is now
        will = replace(stored.will, expires_at=None if lives is None else now + lives)
        gateway.router.publish(account, will, None, None)
    event = presence.disconnected(
        stored.client_id,
        principal=stored.principal,
        thing=stored.thing,
        session_id=stored.session_id,
        epoch=stored.epoch,
        word="SERVER_ERROR",
        initiated=False,
        now=now,
    )
    gateway.lifecycle.announce(account, stored.client_id, *event)


def parcel_of(message: Message) -> Parcel:
    return Parcel(message.topic, message.payload, message.qos, False, message.properties, message.expires_at)
