"""One gateway: its connections from CONNECT to the end, commands from control, time.

Sockets are `listener`'s and `websocket`'s; who gets a message is `routing`'s. All of it runs on one loop and never
waits: what must be waited for (control's answers) is a task that `spawn` owns.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from hedgerow.base.clock import Clock
from hedgerow.base.ids import Ids
from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.limits import AWS_SHAPES, Limits
from hedgerow.core.mqtt.packets import Connect, Disconnect, Packet, Subscribe, Unsubscribe
from hedgerow.core.mqtt.properties import Property
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway import admission, asking, deadlines, exactly_once, recovery, subscribing
from hedgerow.gateway.account import Connectivity
from hedgerow.gateway.activity import Activity
from hedgerow.gateway.bus import Hub, Soon
from hedgerow.gateway.commands import Commands
from hedgerow.gateway.connection import Connection, Peer, State, Transport
from hedgerow.gateway.direct import Direct
from hedgerow.gateway.grants import CompileGrants
from hedgerow.gateway.journal import Journal
from hedgerow.gateway.keeping import Sessions
from hedgerow.gateway.lifecycle import Lifecycle
from hedgerow.gateway.outbox import Outbox
from hedgerow.gateway.ports import Control, Message
from hedgerow.gateway.refusals import Refusals
from hedgerow.gateway.regranting import Regranting
from hedgerow.gateway.retained import Retrievals
from hedgerow.gateway.routing import Router
from hedgerow.gateway.traffic import Traffic

log = get_logger("gateway")


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
        self.spawn = spawn
        self.limits = limits
        self.now = clock.now()
        self.ticks = clock.monotonic
        self.outbox = Outbox(soon)
        self.connections: set[Connection] = set()
        self.traffic = Traffic()
        self.router = Router(limits=limits, clock=clock, journal=journal)
        self.sessions = Sessions(self)
        self.activity = Activity(self, soon)
        self.lifecycle = Lifecycle(self)
        self.refusals = Refusals(self)
        self.regranting = Regranting(self)
        self.commands = Commands(self)
        self.direct = Direct(self)
        self.retrievals = Retrievals(self)
        self.router.receipted = self.direct.settled
        self.bus = hub.attach(name, self.router.on_message, self.commands.obey, self._changed)
        self.router.bus = self.bus
        self.account = self.router.account
        self._swept = 0.0

    def start(self) -> None:
        """Take up what the journal has; tell of the clients that were connected when the last run ended."""
        recovery.recover(self, self.journal.load(self.name))

    def stop(self) -> None:
        """End every connection: MQTT 5 is told that the server shuts down. Sessions that are kept stay kept."""
        for connection in tuple(self.connections):
            connection.fail(Reason.SERVER_SHUTTING_DOWN, "SERVER_INITIATED_DISCONNECT", "the gateway stops")
        self.sessions.remember()
        self.outbox.flush()
        self.activity.flush()

    def _changed(self) -> None:
        for account in self.router.accounts.values():
            account.changed()

    # --- what connections call

    def opened(self, transport: Transport, peer: Peer) -> Connection:
        """A transport is ready for MQTT: answer what it shall pump bytes into."""
        connection = Connection(self, transport, peer)
        self.connections.add(connection)
        return connection

    def serve(self, connection: Connection, packet: Packet) -> None:
        """Answer what is not on the hot path: CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT."""
        match packet:
            case Connect():
                self.spawn(admission.admit(self, connection, packet))
            case Subscribe():
                subscribing.subscribe(self, connection, packet)
            case Unsubscribe():
                subscribing.unsubscribe(self, connection, packet)
            case Disconnect():
                self._disconnect(connection, packet)
            case _:
                raise ValueError(f"{type(packet).__name__} is not served here")

    def _disconnect(self, connection: Connection, packet: Disconnect) -> None:
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

    def ask(self, connection: Connection, message: Message, packet_id: int) -> None:
        """Have control answer a publication to a `$aws/…` topic."""
        if not message.qos and connection.asking_0 >= self.limits.receive_maximum:  # the excess is dropped
            self.router.dropped += 1
            return
        if message.qos == 2:
            kept = exactly_once.begun(connection, packet_id)
            if kept:
                self.journal.append(kept)
        connection.begun(message.qos, len(message.payload))
        self.spawn(asking.ask(self, connection, message, packet_id))

    def end(self, connection: Connection, word: str, why: str, *, initiated: bool = False) -> None:
        """The connection is over; `word` is AWS's disconnect reason."""
        was = connection.state
        connection.close()
        if was is State.ADMITTING or was is State.OPEN:
            self.sessions.leave(connection, word)
        if was is State.OPEN:
            now = self.clock.now()
            connection.account.retire(
                self._connectivity(connection, disconnected_at=now, word=word, initiated=initiated)
            )
            self.lifecycle.ended(connection, word, why, initiated=initiated)

    # --- time

    def sweep(self) -> None:
        """Once a second: keep alive, deadlines, sessions and wills whose time has come."""
        now, ticks = self.clock.now(), self.clock.monotonic()
        self.now = now
        for connection in tuple(self.connections):
            deadlines.check(self, connection, now, ticks)
        self.sessions.expire(now)
        self.lifecycle.send_due(now)
        if now - self._swept >= 60:
            self._swept = now
            self._forget(now)

    def _forget(self, now: float) -> None:
        self.router.forget_expired()
        for account in self.router.accounts.values():
            past = account.past
            while past:
                client_id, first = next(iter(past.items()))
                if (first.disconnected_at or 0) + recovery.REMEMBERED_S > now:
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
            target=connection.peer.target,
            target_port=connection.peer.target_port,
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

    def holder(self, account: str, client_id: str) -> str | None:
        """Answer whose the client id is: the principal of the live or stored session, "" when that is not known.

        None when there is no such session.
        """
        known = self.router.accounts.get(account)
        if known is None or client_id not in known.sessions:
            return None
        found = self.connectivity(account, client_id)
        return "" if found is None else found.principal

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
        return [] if known is None else [(kept.message, kept.at) for kept in known.retained.all()]

    def statistics(self) -> dict[str, int]:
        """Answer counters since the start and how many there are now; what connections count is in `summary`."""
        accounts = self.router.accounts.values()
        figures = {
            "connections": len(self.connections),
            "congested": sum(connection.congested for connection in self.connections),
            "admitted": self.lifecycle.admitted,
            "turned_away": self.lifecycle.turned_away,
            "refusals": self.lifecycle.refusals,
            "dropped": self.router.dropped,
            "sessions": sum(len(account.sessions) for account in accounts),
            "subscriptions": sum(account.tree.size for account in accounts),
            "retained": sum(len(account.retained) for account in accounts),
            "retrievals": self.retrievals.statistics()["waiting"],
            "regrants": self.regranting.waiting,
            "refusals_waiting": self.refusals.waiting,
            "refusals_untold": self.refusals.untold,
        }
        return figures | {f"journal_{name}": value for name, value in self.journal.statistics().items()}
