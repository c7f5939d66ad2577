"""From one publication to everyone who gets it: sessions here, control and other gateways, the retained store.

`done` of a publication is called when everyone who needs it durably has it on disk: persistent sessions with a matching
subscription of QoS 1, control's rules, the retained store.
"""

# hot path

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from hedgerow.base.clock import Clock
from hedgerow.core.mqtt.limits import Limits
from hedgerow.core.mqtt.records import InFlight, Queued, Record, Retained, Settled, Step
from hedgerow.core.mqtt.session import (
    ALIAS_ROOM,
    NO_LOCAL,
    QOS,
    RETAIN_AS_PUBLISHED,
    Parcel,
    Session,
    identifier_of,
    publish_parts,
)
from hedgerow.core.mqtt.topics import BASIC_INGEST
from hedgerow.gateway.account import Account
from hedgerow.gateway.bus import Endpoint
from hedgerow.gateway.connection import Connection
from hedgerow.gateway.journal import Done, Journal
from hedgerow.gateway.ports import Message, Stored
from hedgerow.gateway.wire import encode_message, encode_retained

Receipted = Callable[[Session], None]
Frames = dict[tuple[int, bool, bytes], bytes]  # at QoS 0, by version, retain flag and properties


class _Parts:
    """Calls `done` once, when all parts have answered."""

    __slots__ = ("_done", "_left", "_ok")

    def __init__(self, done: Done, parts: int) -> None:
        self._done = done
        self._left = parts
        self._ok = True

    def answer(self, ok: bool) -> None:
        self._ok = self._ok and ok
        self._left -= 1
        if not self._left:
            self._done(self._ok)


def _with(parcel: Parcel, properties: bytes) -> Parcel:
    """Answer the message with the identifiers of a receiver's subscriptions."""
    if not properties:
        return parcel
    return Parcel(
        parcel.topic,
        parcel.payload,
        parcel.qos,
        parcel.retain,
        parcel.properties + properties,
        parcel.expires_at,
    )


class Router:
    """See the module. One per gateway."""

    def __init__(self, *, limits: Limits, clock: Clock, journal: Journal) -> None:
        self._limits = limits
        self._clock = clock
        self._journal = journal
        self.bus: Endpoint
        self.receipted: Receipted  # takes the numbers below zero out of what is settled
        self.accounts: dict[str, Account] = {}
        self._encoded: Message | None = None
        self._as_retained = False
        self._body = b""
        self._starting: list[tuple[Account, Session]] = []
        self.published = 0
        self.delivered = 0
        self.dropped = 0

    def account(self, name: str) -> Account:
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = Account(name, self._limits)
        return account

    def publish(
        self,
        account: Account,
        message: Message,
        origin: Session | None,
        done: Done | None,
        also: tuple[Record, ...] = (),
    ) -> None:
        """Give a client's or the gateway's own publication to everyone. `done` may be called before this returns.

        `also` is kept together with what must be kept of the message.
        """
        self.published += 1
        records: list[Record] = list(also)
        if not self._keep_retained(account, message, records):
            if done is not None:
                done(False)
            return
        remote = True
        if not message.topic.startswith(BASIC_INGEST):
            remote = self._deliver(account, message, origin, records)
        if done is None:
            if records:
                self._journal.append(records)
            self._start()
            if remote:
                self.bus.publish(message)
            return
        parts = (1 if records else 0) + (1 if remote else 0)
        if not parts:
            done(True)
            return
        answer = _Parts(done, parts).answer
        if records:
            self._journal.append(records, answer)
        self._start()
        if remote:
            self.bus.publish(message, answer)

    def message(self, connection: Connection, parcel: Parcel, trace: str = "") -> Message:
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
            trace=trace,
        )

    def publish_from(
        self,
        connection: Connection,
        parcel: Parcel,
        done: Done | None,
        also: tuple[Record, ...] = (),
        trace: str = "",
    ) -> None:
        """Publish for a connected client."""
        self.publish(connection.account, self.message(connection, parcel, trace), connection.session, done, also)

    def on_message(self, message: Message, stored: Stored | None) -> None:
        """A publication from control or another gateway. It may come twice."""
        if message.topic.startswith(BASIC_INGEST):
            if stored is not None:
                stored(True)
            return
        account = self.account(message.account)
        records: list[Record] = []
        if not self._keep_retained(account, message, records):
            if stored is not None:
                stored(False)
            return
        self._deliver(account, message, None, records)
        if records:
            self._journal.append(records, stored)
        elif stored is not None:
            stored(True)
        self._start()

    def _keep_retained(self, account: Account, message: Message, records: list[Record]) -> bool:
        """Answer False when there is no room for one more: the publication is refused, deleting still works."""
        if not message.retain:
            return True
        now = self._clock.now()
        body = b""
        if message.payload:
            if message.topic not in account.retained and len(account.retained) >= self._limits.retained:
                self.dropped += 1
                return False
            account.retained.keep(message, now)
            body = encode_retained(message, now)
        else:
            account.retained.drop(message.topic)
        records.append(Retained(account.name, message.topic, body))
        return True

    def _deliver(self, account: Account, message: Message, origin: Session | None, records: list[Record]) -> bool:
        """Answer whether somebody beyond this gateway may want it."""
        topic = message.topic
        route = account.routes.get(topic)
        if route is None or route.version != account.tree.version:
            route = account.route(topic, self.bus.wants(account.name, topic))
        if not (route.targets or route.checked or route.groups):
            return route.remote
        now = self._clock.now()
        qos = message.qos
        parcel = Parcel(topic, message.payload, qos, False, message.properties, message.expires_at)
        as_published = (
            Parcel(topic, message.payload, qos, True, message.properties, message.expires_at)
            if message.retain
            else parcel
        )
        frames: Frames = {}
        named = route.named
        for session, options in route.targets:
            if options & NO_LOCAL and session is origin:
                continue
            one = as_published if options & RETAIN_AS_PUBLISHED else parcel
            if named and session in named:
                one = _with(one, named[session])
            self._give(account, session, options, one, message, records, frames, now)
        for session, options in route.checked:
            link = session.link
            if link is None or (link.may_receive(topic) and not (options & NO_LOCAL and session is origin)):
                one = as_published if options & RETAIN_AS_PUBLISHED else parcel
                if named and session in named:
                    one = _with(one, named[session])
                self._give(account, session, options, one, message, records, frames, now)
        for group in route.groups:
            chosen = group.choose(topic, qos)
            if chosen is not None:
                one = as_published if chosen[1] & RETAIN_AS_PUBLISHED else parcel
                one = _with(one, identifier_of(chosen[1]))
                self._give(account, chosen[0], chosen[1], one, message, records, frames, now)
        return route.remote

    def _give(
        self,
        account: Account,
        session: Session,
        options: int,
        parcel: Parcel,
        message: Message,
        records: list[Record],
        frames: Frames,
        now: float,
    ) -> None:
        if not (parcel.qos and options & QOS):
            link = session.link
            if link is None:
                return
            if link.congested:
                session.dropped += 1
                self.dropped += 1
                return
            key = (session.version, parcel.retain, parcel.properties)
            frame = frames.get(key)
            if frame is None:
                frame = frames[key] = b"".join(publish_parts(parcel, session.version, 0, parcel.retain, now))
            if len(frame) > link.max_packet:
                session.dropped += 1
                return
            if link.aliases is not None and len(frame) + ALIAS_ROOM <= link.max_packet:
                alias = link.aliases.short(parcel.topic)
                if alias is not None:
                    frame = b"".join(publish_parts(parcel, session.version, 0, parcel.retain, now, alias))
            self.delivered += 1
            link.out.append(frame)
            link.wake()
            if link.watched:
                link.sent(parcel.topic)
            return
        if parcel.qos > options & QOS:
            parcel = Parcel(parcel.topic, parcel.payload, 1, parcel.retain, parcel.properties, parcel.expires_at)
        self._give_surely(account, session, parcel, message, records, now)

    def _give_surely(
        self, account: Account, session: Session, parcel: Parcel, message: Message, records: list[Record], now: float
    ) -> None:
        """At QoS 1 or 2."""
        number = 0
        if session.persistent:
            session.sequence += 1
            number = session.sequence
        if not session.send(parcel, now, number):
            self.dropped += 1
            return
        self.delivered += 1
        if number:
            records.append(Queued(account.name, session.client_id, session.epoch, number, self._kept(message, parcel)))
            if session.starting:
                self._starting.append((account, session))

    def _kept(self, message: Message, parcel: Parcel) -> bytes:
        """Answer the message as the journal keeps it: once for all sessions that get it as it is."""
        if parcel.qos != message.qos or parcel.properties != message.properties:
            return encode_message(replace(message, qos=parcel.qos, properties=parcel.properties, retain=parcel.retain))
        if self._encoded is not message or self._as_retained is not parcel.retain:
            same = message.retain is parcel.retain
            self._body = encode_message(message if same else replace(message, retain=parcel.retain))
            self._encoded = message
            self._as_retained = parcel.retain
        return self._body

    def _start(self) -> None:
        """What of QoS 2 was sent to kept sessions leaves when its identifier is on disk, after the message itself."""
        if self._starting:
            starting, self._starting = self._starting, []
            for account, session in starting:
                self.settle(account, session)

    def hand(self, account: Account, session: Session, parcel: Parcel) -> None:
        """Give a message to one session, whatever it subscribed to."""
        message = Message(
            account=account.name,
            topic=parcel.topic,
            payload=parcel.payload,
            qos=parcel.qos,
            retain=parcel.retain,
            properties=parcel.properties,
            expires_at=parcel.expires_at,
        )
        records: list[Record] = []
        self._give(account, session, parcel.qos, parcel, message, records, {}, self._clock.now())
        if records:
            self._journal.append(records)
        self._start()

    def settle(self, account: Account, session: Session) -> None:
        """Tell the journal what a session needs no longer, and which identifiers it is about to use for QoS 2."""
        if session.settled and min(session.settled) < 0:
            self.receipted(session)
        if session.settled:
            self._journal.append((Settled(account.name, session.client_id, tuple(session.settled)),))
            session.settled.clear()
        starting, session.starting = session.starting, []
        for identifier, number in starting:
            flight = InFlight(account.name, session.client_id, session.epoch, identifier, Step.SENT, number)
            self._journal.append((flight,), partial(self._launch, account, session, identifier))

    def _launch(self, account: Account, session: Session, identifier: int, noted: bool) -> None:
        session.launch(identifier, self._clock.now(), noted=noted)
        self.settle(account, session)

    def forget_expired(self) -> None:
        """Take retained messages away whose time is over."""
        now = self._clock.now()
        for account in self.accounts.values():
            for topic in account.retained.expired(now):
                account.retained.drop(topic)
                self._journal.append((Retained(account.name, topic, b""),))
