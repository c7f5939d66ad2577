"""How sessions are kept: on disk while they must be, offline for their time, then ended."""

import heapq
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.packets import MQTT_3_1_1
from hedgerow.core.mqtt.records import SessionEnded, SessionSaved, SubscriptionsChanged
from hedgerow.core.mqtt.session import Session
from hedgerow.gateway.account import Account, Connectivity
from hedgerow.gateway.connection import Connection, State
from hedgerow.gateway.journal import Done, StoredSession
from hedgerow.gateway.wire import encode_changes, encode_session

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway


CHANGES: Final = 100  # of subscriptions, beyond as many as there are, until the whole is written again
NEVER_WRITTEN: Final = 1 << 30  # the journal lacks some: the next time the whole is written
NOTES: Final = 1000  # in one append
EXPIRIES: Final = 1000  # remembered before those that no longer count are sought


class Sessions:
    """See the module. One per gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._expiries: list[tuple[float, str, str]] = []
        self._most = EXPIRIES

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
        journal = self._gateway.journal
        if connection.session.persistent:
            journal.append((self.saved(stored_of(connection, connected=True)),), done)
            return
        if connection.state is State.ADMITTING:
            journal.append((self.saved(stored_of(connection, connected=True)),))
        done(True)

    def changed(self, connection: Connection, changes: Sequence[tuple[str, int | None]], done: Done) -> None:
        """Have what became of the session's subscriptions on disk, when it is one that is kept.

        Only the changes, as long as they are not more than what there is: a client may subscribe to thousands of
        filters one by one.
        """
        session = connection.session
        session.changes += len(changes)
        if not session.persistent or session.changes > len(session.subscriptions) + CHANGES:
            self.save(connection, done)
            return

        def written(ok: bool) -> None:
            if not ok:
                session.changes = NEVER_WRITTEN
            done(ok)

        body = encode_changes(changes)
        record = SubscriptionsChanged(connection.account.name, session.client_id, session.epoch, body)
        self._gateway.journal.append((record,), written)

    def saved(self, session: StoredSession) -> SessionSaved:
        """Answer the session as the journal keeps it, held by this gateway."""
        body = encode_session(session)
        return SessionSaved(session.account, session.client_id, session.epoch, self._gateway.name, body)

    def leave(self, connection: Connection, word: str = "") -> None:
        """The session loses its connection: it is kept for its time, or ends. `word` says why."""
        session = getattr(connection, "session", None)
        if session is None or connection.account.connections.get(session.client_id) is not connection:
            return
        account = connection.account
        self._gateway.direct.left(session)
        account.leave(session.client_id)
        if session.subscriptions:
            account.changed()
        if not session.persistent:
            session.link = None
            self.end(account, session)
            return
        session.offline()
        session.expires_at = self._gateway.clock.now() + session.expiry_s
        self.expire_at(session.expires_at, account.name, session.client_id)
        self._gateway.journal.append((self.saved(stored_of(connection, connected=False, word=word)),))

    def remember(self) -> None:
        """The gateway stops: note how those stood who left no session, for the numbers of their next connections."""
        for account in self._gateway.router.accounts.values():
            gone = (past for past in account.past.values() if past.client_id not in account.sessions)
            notes = (self.saved(_past(account.name, past)) for past in gone)
            while some := tuple(islice(notes, NOTES)):
                self._gateway.journal.append(some)

    def end(self, account: Account, session: Session) -> None:
        """The session is over, with all that waits for it; a will that waits is sent."""
        self._gateway.lifecycle.release_will(account, session.client_id)
        account.forget(session)
        self._gateway.journal.append((SessionEnded(account.name, session.client_id, session.epoch),))

    def expire_at(self, at: float, account: str, client_id: str) -> None:
        """End the session then, unless its client was back."""
        heapq.heappush(self._expiries, (at, account, client_id))
        if len(self._expiries) > self._most:
            self._tidy()

    def _tidy(self) -> None:
        """Forget times that no longer count: of a client that comes and goes, each visit leaves one behind."""
        accounts = self._gateway.router.accounts
        self._expiries = list({one for one in self._expiries if _is_due(accounts, *one)})
        heapq.heapify(self._expiries)
        self._most = 2 * len(self._expiries) + EXPIRIES

    def expire(self, now: float) -> None:
        """End the sessions whose time is over."""
        while self._expiries and self._expiries[0][0] <= now:
            at, name, client_id = heapq.heappop(self._expiries)
            if _is_due(self._gateway.router.accounts, at, name, client_id):
                account = self._gateway.account(name)
                self.end(account, account.sessions[client_id])


def _is_due(accounts: Mapping[str, Account], at: float, name: str, client_id: str) -> bool:
    """Tell whether it is the time at which the session as it is now ends."""
    account = accounts.get(name)
    session = None if account is None else account.sessions.get(client_id)
    return session is not None and session.expires_at == at


def _past(account: str, past: Connectivity) -> StoredSession:
    return StoredSession(
        account=account,
        client_id=past.client_id,
        epoch=past.epoch,
        version=MQTT_3_1_1,
        persistent=False,
        connected=False,
        expiry_s=0,
        expires_at=past.disconnected_at,
        principal=past.principal,
        session_id=past.session_id,
        thing=past.thing,
        keep_alive_s=past.keep_alive_s,
        ended_at=past.disconnected_at,
        reason=past.disconnect_reason,
    )


def stored_of(connection: Connection, *, connected: bool, word: str = "") -> StoredSession:
    """Answer the connection's session as the journal keeps it."""
    session = connection.session
    session.changes = 0
    expires_at = session.expires_at
    return StoredSession(
        account=connection.account.name,
        client_id=session.client_id,
        epoch=session.epoch,
        version=session.version,
        persistent=session.persistent,
        connected=connected,
        expiry_s=session.expiry_s,
        expires_at=expires_at,
        subscriptions=tuple(session.subscriptions.items()) if session.persistent else (),
        will=connection.will,
        will_delay_s=connection.will_delay,
        principal=connection.admitted.principal,
        session_id=connection.session_id,
        thing=connection.announced,
        keep_alive_s=connection.keep_alive,
        ended_at=None if expires_at is None else expires_at - session.expiry_s,
        reason=word,
    )
