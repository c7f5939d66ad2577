"""One gateway: its connections from CONNECT to the end, commands from control, time.

Sockets are `listener`'s and `websocket`'s; who gets a message is `routing`'s. All of it runs on one loop and never
waits: what must be waited for (control's answers) is a task that `spawn` owns.
"""

import heapq
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.limits import AWS_SHAPES, Limits
from hedgerow.core.mqtt.packets import Connect, Disconnect, Packet, Subscribe, Unsubscribe
from hedgerow.core.mqtt.properties import Property
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.mqtt.records import Loaded, SessionEnded, SessionSaved
from hedgerow.core.mqtt.session import Parcel, Session
from hedgerow.gateway import admission, asking, presence, recovery, subscribing
from hedgerow.gateway.account import Account, Connectivity
from hedgerow.gateway.bus import Hub, Soon
from hedgerow.gateway.commands import Commands
from hedgerow.gateway.connection import Connection, Peer, State, Transport
from hedgerow.gateway.grants import CompileGrants
from hedgerow.gateway.journal import Done, Journal, StoredSession
from hedgerow.gateway.ports import Control, Message
from hedgerow.gateway.routing import Router
from hedgerow.gateway.wire import encode_session

log = get_logger("gateway")

CONNECT_WITHIN_S: Final = 20.0  # from the first byte of the transport to the CONNECT and its answer
REMEMBERED_S: Final = 1800.0  # how long connectivity of past connections is kept

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Gateway:
    """See the module.

    `soon(callback)` calls at the end of this turn of the loop; `spawn(coroutine)` runs a task that somebody owns. Call
    `start()` before the first connection, `sweep()` once a second, `stop()` at the end.
    """

    def __init__(
        self,
        *,
        name: str,
        region: str,
        control: Control,
        hub: Hub,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        compile_grants: CompileGrants,
        soon: Soon,
        spawn: Spawn,
        limits: Limits = AWS_SHAPES,
    ) -> None:
        self.name = name
        self.region = region
        self.control = control
        self.journal = journal
        self.clock = clock
        self.ids = ids
        self.compile_grants = compile_grants
        self.soon = soon
        self.spawn = spawn
        self.limits = limits
        self.now = clock.now()
        self.dirty: list[Connection] = []
        self.connections: set[Connection] = set()
        self.router = Router(limits=limits, clock=clock, journal=journal)
        self.commands = Commands(self)
        self.bus = hub.attach(name, self.router.on_message, self.commands.obey, self._changed)
        self.router.bus = self.bus
        self.account = self.router.account
        self.settle = self.router.settle
        self._expiries: list[tuple[float, str, str]] = []
        self._wills: dict[tuple[str, str], tuple[float, Message]] = {}
        self._swept = 0.0
        self.admitted = 0
        self.turned_away = 0
        self.refusals = 0

    def start(self) -> None:
        """Take up what the journal has; tell of the clients that were connected when the last run ended."""
        recovery.recover(self, self.journal.load(self.name))

    def stop(self) -> None:
        """End every connection: MQTT 5 is told that the server shuts down. Sessions that are kept stay kept."""
        for connection in tuple(self.connections):
            connection.fail(Reason.SERVER_SHUTTING_DOWN, "SERVER_INITIATED_DISCONNECT", "the gateway stops")
        self.flush()

    def _changed(self) -> None:
        for account in self.router.accounts.values():
            account.changed()

    # --- what connections call

    def opened(self, transport: Transport, peer: Peer) -> Connection:
        """A transport is ready for MQTT: answer what it shall pump bytes into."""
        connection = Connection(self, transport, peer)
        self.connections.add(connection)
        return connection

    def flush(self) -> None:
        """Write what was collected in this turn, once for each connection."""
        dirty, self.dirty = self.dirty, []
        for connection in dirty:
            connection.flush()

    def connect(self, connection: Connection, packet: Connect) -> None:
        self.spawn(admission.admit(self, connection, packet))

    def subscribe(self, connection: Connection, packet: Packet) -> None:
        if isinstance(packet, Subscribe):
            subscribing.subscribe(self, connection, packet)
        elif isinstance(packet, Unsubscribe):
            subscribing.unsubscribe(self, connection, packet)

    def disconnect(self, connection: Connection, packet: Disconnect) -> None:
        """The client says good-bye; MQTT 5 may keep the will and change how long the session is kept."""
        expiry = packet.properties.get(Property.SESSION_EXPIRY)
        session = connection.session
        if expiry is not None:
            if expiry and not session.expiry_s:
                connection.fail(Reason.PROTOCOL_ERROR, "CLIENT_ERROR", "a session that ends cannot be kept after all")
                return
            session.expiry_s = min(expiry, self.limits.session_expiry_max)
            session.persistent = session.expiry_s > 0
        if packet.code == Reason.SUCCESS:
            connection.will = None
        self.end(connection, "CLIENT_INITIATED_DISCONNECT", "", initiated=True)

    def message(self, connection: Connection, parcel: Parcel) -> Message:
        """Answer a connection's publication as the value that travels."""
        return Message(
            account=connection.account.name,
            topic=parcel.topic,
            payload=parcel.payload,
            qos=parcel.qos,
            retain=parcel.retain,
            properties=parcel.properties,
            expires_at=parcel.expires_at,
            client_id=connection.session.client_id,
            principal=connection.admitted.principal,
        )

    def publish_from(self, connection: Connection, parcel: Parcel, done: Done | None) -> None:
        self.router.publish(connection.account, self.message(connection, parcel), connection.session, done)

    def ask(self, connection: Connection, message: Message, packet_id: int) -> None:
        if connection.pending >= self.limits.receive_maximum:  # QoS 0 too: the excess is dropped
            self.router.dropped += 1
            return
        connection.pending += 1
        self.spawn(asking.ask(self, connection, message, packet_id))

    def hand(self, session: Session, parcel: Parcel, account: Account) -> None:
        self.router.hand(account, session, parcel)

    def refused(self, connection: Connection, code: Reason, why: str) -> None:
        """A right was missing or a topic is not for clients: say it in the log."""
        self.refusals += 1
        fields = {
            "account": connection.account.name,
            "client": connection.session.client_id,
            "principal": connection.admitted.principal,
            "reason": code.name,
            "detail": why,
            "policy": connection.permissions.last_refusal if code == Reason.NOT_AUTHORIZED else "",
        }
        log.warning("request refused", extra={"fields": fields})

    def not_admitted(self, connection: Connection, code: Reason, word: str, why: str) -> None:
        self.turned_away += 1
        fields = {"peer": connection.peer.address, "code": code.name, "reason": word, "detail": why}
        log.warning("connection not admitted", extra={"fields": fields})

    # --- the life of a connection

    def next_epoch(self, account: Account, client_id: str, given: int | None) -> int:
        """Answer the number of this connection of the client; it is what lifecycle events call versionNumber."""
        if given is not None:
            return given
        session = account.sessions.get(client_id)
        if session is not None:
            return session.epoch + 1
        past = account.past.get(client_id)
        return 0 if past is None else past.epoch + 1

    def save(self, connection: Connection, done: Done) -> None:
        """Have the session on disk, when it is one that is kept; else its connection is noted, without waiting."""
        session = connection.session
        if session.persistent:
            self.journal.append((self.saved(self.stored(connection, connected=True)),), done)
            return
        if connection.state is State.ADMITTING:
            self.journal.append((self.saved(self.stored(connection, connected=True)),))
        done(True)

    def stored(self, connection: Connection, *, connected: bool) -> StoredSession:
        session = connection.session
        return StoredSession(
            account=connection.account.name,
            client_id=session.client_id,
            epoch=session.epoch,
            version=session.version,
            persistent=session.persistent,
            connected=connected,
            expiry_s=session.expiry_s,
            expires_at=session.expires_at,
            subscriptions=tuple(session.subscriptions.items()) if session.persistent else (),
            will=connection.will,
            will_delay_s=connection.will_delay,
            principal=connection.admitted.principal,
            session_id=connection.session_id,
            thing=connection.admitted.thing or "",
        )

    def saved(self, session: StoredSession) -> SessionSaved:
        """Answer the session as the journal keeps it, held by this gateway."""
        return SessionSaved(session.account, session.client_id, session.epoch, self.name, encode_session(session))

    def entered(self, connection: Connection) -> None:
        """The client is in: tell the world."""
        self.admitted += 1
        client_id = connection.session.client_id
        connection.account.past.pop(client_id, None)
        self.announce(connection.account, client_id, *presence.connected(client_id, connection, self.clock.now()))

    def end(self, connection: Connection, word: str, why: str, *, initiated: bool = False) -> None:
        """The connection is over; `word` is AWS's disconnect reason."""
        was = connection.state
        self.close(connection)
        if was is State.ADMITTING or was is State.OPEN:
            self.leave(connection)
        if was is not State.OPEN:
            return
        account, client_id = connection.account, connection.session.client_id
        if why and not initiated:
            fields = {"account": account.name, "client": client_id, "reason": word, "detail": why}
            log.info("connection ended", extra={"fields": fields})
        now = self.clock.now()
        account.retire(self._connectivity(connection, disconnected_at=now, word=word, initiated=initiated))
        self._send_will(connection, now)
        event = presence.disconnected(
            client_id,
            principal=connection.admitted.principal,
            thing=connection.admitted.thing or "",
            session_id=connection.session_id,
            epoch=connection.epoch,
            word=word,
            initiated=initiated,
            now=now,
        )
        self.announce(account, client_id, *event)

    def close(self, connection: Connection) -> None:
        """Send what was collected, then close the transport."""
        connection.state = State.CLOSED
        connection.flush()
        self.connections.discard(connection)
        connection.transport.close()

    def leave(self, connection: Connection) -> None:
        """The session loses its connection: it is kept for its time, or ends."""
        session = getattr(connection, "session", None)
        if session is None or connection.account.connections.get(session.client_id) is not connection:
            return
        account = connection.account
        del account.connections[session.client_id]
        if session.subscriptions:
            account.changed()
        if not session.persistent:
            session.link = None
            self.end_session(account, session)
            return
        session.offline()
        session.expires_at = self.clock.now() + session.expiry_s
        heapq.heappush(self._expiries, (session.expires_at, account.name, session.client_id))
        self.journal.append((self.saved(self.stored(connection, connected=False)),))

    def end_session(self, account: Account, session: Session) -> None:
        """The session is over, with all that waits for it."""
        account.forget(session)
        self.journal.append((SessionEnded(account.name, session.client_id, session.epoch),))

    def adopt(self, loaded: Loaded) -> None:
        """Take up sessions from the journal: another gateway's, or our own after a restart."""
        recovery.adopt(self, loaded)

    def expire_at(self, at: float, account: str, client_id: str) -> None:
        heapq.heappush(self._expiries, (at, account, client_id))

    # --- wills and lifecycle events

    def _send_will(self, connection: Connection, now: float) -> None:
        will = connection.will
        if will is None:
            return
        connection.will = None
        if will.expires_at is not None:
            will = replace(will, expires_at=now + will.expires_at)
        delay = min(connection.will_delay, connection.session.expiry_s)
        if delay:
            self._wills[will.account, will.client_id] = (now + delay, will)
            return
        self.router.publish(connection.account, will, None, None)

    def cancel_will(self, account: Account, client_id: str) -> None:
        """The client is back before its will's delay was over. [MQTT-3.1.3-9]"""
        self._wills.pop((account.name, client_id), None)

    def announce(self, account: Account, client_id: str, topic: str, payload: bytes) -> None:
        if presence.is_told(client_id):
            message = Message(account=account.name, topic=topic, payload=payload, qos=1)
            self.router.publish(account, message, None, None)

    def tell(
        self,
        connection: Connection,
        event: Callable[[str, Connection, list[str], float], tuple[str, bytes]],
        filters: list[str],
    ) -> None:
        client_id = connection.session.client_id
        self.announce(connection.account, client_id, *event(client_id, connection, filters, self.clock.now()))

    # --- time

    def sweep(self) -> None:
        """Once a second: keep alive, deadlines, sessions and wills whose time has come."""
        now, ticks = self.clock.now(), self.clock.monotonic()
        self.now = now
        for connection in tuple(self.connections):
            if connection.state is State.OPEN:
                keep_alive = connection.keep_alive
                if keep_alive and ticks - connection.seen > keep_alive * 1.5:
                    connection.fail(Reason.KEEP_ALIVE_TIMEOUT, "MQTT_KEEP_ALIVE_TIMEOUT", "nothing was heard")
                elif connection.admitted.ends_at is not None and connection.admitted.ends_at <= now:
                    word = "WEBSOCKET_TTL_EXPIRATION" if connection.peer.signed_by else "CUSTOMAUTH_TTL_EXPIRATION"
                    connection.fail(Reason.MAXIMUM_CONNECT_TIME, word, "the admission has ended")
            elif ticks - connection.created > CONNECT_WITHIN_S:
                self.end(connection, "CONNECTION_LOST", "no CONNECT in time")
        while self._expiries and self._expiries[0][0] <= now:
            at, name, client_id = heapq.heappop(self._expiries)
            account = self.account(name)
            session = account.sessions.get(client_id)
            if session is not None and session.expires_at == at:
                self.end_session(account, session)
        for key in [key for key, (at, _) in self._wills.items() if at <= now]:
            _, will = self._wills.pop(key)
            self.router.publish(self.account(will.account), will, None, None)
        if now - self._swept >= 60:
            self._swept = now
            self._forget(now)

    def _forget(self, now: float) -> None:
        self.router.forget_expired()
        for account in self.router.accounts.values():
            past = account.past
            while past:
                client_id, first = next(iter(past.items()))
                if (first.disconnected_at or 0) + REMEMBERED_S > now:
                    break
                del past[client_id]

    # --- what control may ask

    def _connectivity(
        self,
        connection: Connection,
        *,
        disconnected_at: float | None = None,
        word: str = "NONE",
        initiated: bool = False,
    ) -> Connectivity:
        session = connection.session
        return Connectivity(
            client_id=session.client_id,
            connected=disconnected_at is None,
            since=connection.since,
            peer=connection.peer.address,
            port=connection.peer.port,
            principal=connection.admitted.principal,
            thing=connection.admitted.thing or "",
            clean_session=not session.persistent,
            keep_alive_s=connection.keep_alive,
            session_expiry_s=session.expiry_s,
            session_id=connection.session_id,
            epoch=connection.epoch,
            disconnected_at=disconnected_at,
            disconnect_reason=word,
            client_initiated=initiated,
        )

    def connectivity(self, account: str, client_id: str) -> Connectivity | None:
        """Answer how the client stands, None when nothing is known of it for half an hour."""
        known = self.router.accounts.get(account)
        if known is None:
            return None
        connection = known.connections.get(client_id)
        if connection is not None and connection.state is State.OPEN:
            return self._connectivity(connection)
        return known.past.get(client_id)

    def connected(self, account: str) -> list[Connectivity]:
        """Answer everyone who is connected."""
        known = self.router.accounts.get(account)
        if known is None:
            return []
        return [self._connectivity(one) for one in known.connections.values() if one.state is State.OPEN]

    def subscriptions(self, account: str, client_id: str) -> list[tuple[str, int]] | None:
        """Answer (filter, QoS) of a session, connected or kept; None when there is none."""
        known = self.router.accounts.get(account)
        session = None if known is None else known.sessions.get(client_id)
        return None if session is None else [(text, options & 3) for text, options in session.subscriptions.items()]

    def retained(self, account: str) -> list[tuple[Message, float]]:
        """Answer the retained messages with the time they were kept, in seconds since the epoch."""
        known = self.router.accounts.get(account)
        return [] if known is None else [(kept.message, kept.at) for kept in known.retained.values()]

    def statistics(self) -> dict[str, int]:
        """Answer counters since the start and the lengths of the queues."""
        accounts = self.router.accounts.values()
        sessions = [session for account in accounts for session in account.sessions.values()]
        figures = {
            "connections": len(self.connections),
            "admitted": self.admitted,
            "turned_away": self.turned_away,
            "refusals": self.refusals,
            "published": self.router.published,
            "delivered": self.router.delivered,
            "dropped": self.router.dropped,
            "sessions": len(sessions),
            "subscriptions": sum(account.tree.size for account in accounts),
            "retained": sum(len(account.retained) for account in accounts),
            "queued": sum(len(session.queue) for session in sessions),
            "in_flight": sum(len(session.in_flight) for session in sessions),
        }
        return figures | {f"journal_{name}": value for name, value in self.journal.statistics().items()}
