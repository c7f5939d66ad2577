"""What must outlive the gateway: sessions, what waits for them, retained messages.

The store behind it is somebody else's (`hedgerow.store.journal` is the one on SQLite).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from hedgerow.core.mqtt.records import (
    InFlight,
    Landed,
    Loaded,
    Queued,
    Record,
    Retained,
    SessionEnded,
    SessionSaved,
    Settled,
    Step,
    SubscriptionsChanged,
)
from hedgerow.gateway.ports import Message

Done = Callable[[bool], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session as it stands. Clean ones are kept while connected, so that a crash can be told to the world.

    They are kept over a stop, too, for the number of their connection: that of the next one must be higher.
    """

    account: str
    client_id: str
    epoch: int
    version: int
    persistent: bool
    connected: bool
    expiry_s: int
    expires_at: float | None  # seconds since the epoch, while offline
    subscriptions: tuple[tuple[str, int], ...] = ()
    will: Message | None = None
    will_delay_s: int = 0
    principal: str = ""
    session_id: str = ""
    thing: str = ""
    keep_alive_s: int = 0
    ended_at: float | None = None  # seconds since the epoch, while offline
    reason: str = ""  # AWS's word for how it ended


class Journal(Protocol):
    """Keeps records. `append` is called on the gateway's loop and never blocks; what is full refuses."""

    def append(self, records: Sequence[Record], done: Done | None = None) -> None:
        """Keep the records, in order, all or none. `done` is called on the gateway's loop.

        True when they are on the medium. False when they were refused: the journal is full or broken, or a record is of
        an older epoch than the session's.
        """
        ...

    def load(self, gateway: str) -> Loaded:
        """Answer the sessions that this gateway held, and all retained messages. Blocks."""
        ...

    async def take(self, account: str, client_id: str, *, epoch: int, gateway: str) -> Loaded:
        """Give a session to this gateway, if another has it. Its epoch is raised: the old holder's writes are refused.

        Answers the session, empty when there is none or it is this gateway's already.
        """
        ...

    def statistics(self) -> dict[str, int]:
        """Answer the length of the queue and what was written and refused."""
        ...


class MemoryJournal:
    """A journal that forgets when the process ends: the local broker's, and the tests'."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], SessionSaved] = {}
        self._changes: dict[tuple[str, str], list[SubscriptionsChanged]] = {}
        self._messages: dict[tuple[str, str], dict[int, Queued]] = {}
        self._flying: dict[tuple[str, str], dict[tuple[int, bool], InFlight]] = {}
        self._retained: dict[tuple[str, str], Retained] = {}
        self.written = 0
        self.refused = 0
        self.broken = False

    def append(self, records: Sequence[Record], done: Done | None = None) -> None:
        kept = not self.broken and not any(self._is_old(record) for record in records)
        if kept:
            for record in records:
                self._keep(record)
            self.written += len(records)
        else:
            self.refused += len(records)
        if done is not None:
            done(kept)

    def _is_old(self, record: Record) -> bool:
        if not isinstance(record, SessionSaved | SubscriptionsChanged | SessionEnded | Queued | InFlight):
            return False
        known = self._sessions.get((record.account, record.client_id))
        return known is not None and record.epoch < known.epoch

    def _keep(self, record: Record) -> None:  # noqa: C901  # one case for each record
        match record:
            case SessionSaved(account, client_id):
                self._sessions[account, client_id] = record
                self._changes.pop((account, client_id), None)
            case SubscriptionsChanged(account, client_id):
                self._changes.setdefault((account, client_id), []).append(record)
            case SessionEnded(account, client_id):
                self._sessions.pop((account, client_id), None)
                self._changes.pop((account, client_id), None)
                self._messages.pop((account, client_id), None)
                self._flying.pop((account, client_id), None)
            case Queued(account, client_id, _, number):
                self._messages.setdefault((account, client_id), {})[number] = record
            case Settled(account, client_id, numbers):
                waiting = self._messages.get((account, client_id), {})
                for number in numbers:
                    waiting.pop(number, None)
            case InFlight(account, client_id, _, packet_id, step):
                flying = self._flying.setdefault((account, client_id), {})
                flying[packet_id, step is Step.RECEIVED] = record
            case Landed(account, client_id, packet_id, inbound):
                self._flying.get((account, client_id), {}).pop((packet_id, inbound), None)
            case Retained(account, topic, body):
                self._retained.pop((account, topic), None)
                if body:
                    self._retained[account, topic] = record

    def load(self, gateway: str) -> Loaded:
        sessions = tuple(one for one in self._sessions.values() if one.gateway == gateway)
        return Loaded(
            sessions,
            tuple(self._waiting(sessions)),
            tuple(self._retained.values()),
            self._in_flight(sessions),
            self._changed(sessions),
        )

    def _changed(self, sessions: Sequence[SessionSaved]) -> tuple[SubscriptionsChanged, ...]:
        return tuple(one for session in sessions for one in self._changes.get(session[:2], ()))

    def _in_flight(self, sessions: Sequence[SessionSaved]) -> tuple[InFlight, ...]:
        return tuple(one for session in sessions for one in self._flying.get(session[:2], {}).values())

    def _waiting(self, sessions: Sequence[SessionSaved]) -> Iterator[Queued]:
        for session in sessions:
            yield from self._messages.get((session.account, session.client_id), {}).values()

    async def take(self, account: str, client_id: str, *, epoch: int, gateway: str) -> Loaded:
        known = self._sessions.get((account, client_id))
        if known is None or known.gateway == gateway:
            return Loaded()
        self._sessions[account, client_id] = known._replace(epoch=max(epoch, known.epoch), gateway=gateway)
        waiting, flying = tuple(self._waiting((known,))), self._in_flight((known,))
        return Loaded((known,), waiting, in_flight=flying, changes=self._changed((known,)))

    def statistics(self) -> dict[str, int]:
        return {"waiting": 0, "waiting_bytes": 0, "written": self.written, "refused": self.refused}
