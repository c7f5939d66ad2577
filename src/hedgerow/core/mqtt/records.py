"""What of MQTT must outlive a process, as values for a journal. Bodies are bytes that only the gateway reads."""

from typing import NamedTuple


class SessionSaved(NamedTuple):
    """A session as it stands. `gateway` holds it."""

    account: str
    client_id: str
    epoch: int
    gateway: str
    body: bytes


class SessionEnded(NamedTuple):
    """The session and all that waits for it are gone."""

    account: str
    client_id: str
    epoch: int


class Queued(NamedTuple):
    """A message waits for a session; numbers grow per session."""

    account: str
    client_id: str
    epoch: int
    number: int
    body: bytes


class Settled(NamedTuple):
    """These messages of a session are delivered, expired or refused."""

    account: str
    client_id: str
    numbers: tuple[int, ...]


class Retained(NamedTuple):
    """A topic's retained message; an empty body takes it away."""

    account: str
    topic: str
    body: bytes


Record = SessionSaved | SessionEnded | Queued | Settled | Retained


class Loaded(NamedTuple):
    """What a journal holds for a gateway."""

    sessions: tuple[SessionSaved, ...] = ()
    messages: tuple[Queued, ...] = ()  # in the order of their numbers
    retained: tuple[Retained, ...] = ()
