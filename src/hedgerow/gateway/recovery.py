"""After a restart: sessions are offline, wills of those who were connected are sent, their disconnection is told."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.records import InFlight, Loaded, SessionEnded, Step
from hedgerow.core.mqtt.session import RELEASED, Parcel, Session
from hedgerow.gateway import presence
from hedgerow.gateway.account import Connectivity
from hedgerow.gateway.journal import StoredSession
from hedgerow.gateway.ports import Message
from hedgerow.gateway.wire import decode_changes, decode_message, decode_retained, decode_session

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

REMEMBERED_S: Final = 1800.0  # how long connectivity of past connections is kept
CRASHED: Final = "SERVER_ERROR"


def recover(gateway: "Gateway", loaded: Loaded) -> None:
    """Take up everything, then tell the world of whom the crash cut off."""
    for kept in loaded.retained:
        gateway.account(kept.account).retained.keep(*decode_retained(kept.body))
    adopt(gateway, loaded)
    for stored in _sessions(loaded):
        _remember(gateway, stored)
        if stored.connected:
            _tell(gateway, stored)
        elif stored.persistent and stored.will_delay_s and stored.expires_at is not None:
            left = stored.expires_at - stored.expiry_s  # when the connection ended
            gateway.lifecycle.let_wait(left + _delay(stored), stored)


def _remember(gateway: "Gateway", stored: StoredSession) -> None:
    """What is known of a client that is not there, and which number its next connection has."""
    now = gateway.clock.now()
    ended_at = now if stored.ended_at is None else stored.ended_at
    if ended_at + REMEMBERED_S <= now:
        return
    gateway.account(stored.account).retire(
        Connectivity(
            client_id=stored.client_id,
            connected=False,
            since=ended_at,  # it was connected before; since when is not kept
            peer="",
            port=0,
            target="",
            target_port=0,
            principal=stored.principal,
            thing=stored.thing,
            clean_session=not stored.persistent,
            keep_alive_s=stored.keep_alive_s,
            session_expiry_s=stored.expiry_s,
            session_id=stored.session_id,
            epoch=stored.epoch,
            disconnected_at=ended_at,
            disconnect_reason=CRASHED if stored.connected else stored.reason or "UNKNOWN",
            client_initiated=stored.reason == "CLIENT_INITIATED_DISCONNECT",
        )
    )


def adopt(gateway: "Gateway", loaded: Loaded) -> None:
    """Take up kept sessions with what waits for them, as offline."""
    now = gateway.clock.now()
    for stored in _sessions(loaded):
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


def _sessions(loaded: Loaded) -> Iterator[StoredSession]:
    """Answer the sessions with what became of their subscriptions since they were saved."""
    changes: dict[tuple[str, str], list[tuple[str, int | None]]] = {}
    for one in loaded.changes:
        changes.setdefault(one[:2], []).extend(decode_changes(one.body))
    for stored in map(decode_session, loaded.sessions):
        changed = changes.get((stored.account, stored.client_id))
        if changed is None:
            yield stored
            continue
        subscriptions = dict(stored.subscriptions)
        for text, options in changed:
            subscriptions.pop(text, None)
            if options is not None:
                subscriptions[text] = options
        yield replace(stored, subscriptions=tuple(subscriptions.items()))


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
        gateway.journal.append((gateway.sessions.saved(_offline(stored, now)),))


def _tell(gateway: "Gateway", stored: StoredSession) -> None:
    now = gateway.clock.now()
    account = gateway.account(stored.account)
    if stored.will is not None and _delay(stored):
        gateway.lifecycle.let_wait(now + _delay(stored), _offline(stored, now))
    elif stored.will is not None:
        gateway.lifecycle.send_will(stored.will)
    event = presence.disconnected(
        stored.client_id,
        principal=stored.principal,
        thing=stored.thing,
        session_id=stored.session_id,
        epoch=stored.epoch,
        word=CRASHED,
        initiated=False,
        now=now,
    )
    gateway.lifecycle.announce(account, stored.client_id, *event)


def _delay(stored: StoredSession) -> int:
    """How long the will waits after the connection has ended."""
    return min(stored.will_delay_s, stored.expiry_s) if stored.persistent else 0


def _offline(stored: StoredSession, now: float) -> StoredSession:
    """Answer a session that was connected as it is after the crash; its will stays with it only while it waits."""
    will = stored.will if _delay(stored) else None
    expires_at = now + stored.expiry_s
    return replace(stored, connected=False, expires_at=expires_at, will=will, ended_at=now, reason=CRASHED)


def parcel_of(message: Message) -> Parcel:
    return Parcel(message.topic, message.payload, message.qos, message.retain, message.properties, message.expires_at)
