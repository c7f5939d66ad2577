"""What of MQTT must outlive a process, as values for a journal. Bodies are bytes that only the gateway reads."""

from enum import IntEnum
from typing import NamedTuple


class SessionSaved(NamedTuple):
    """A session as it stands. `gateway` holds it."""

    account: str
    client_id: str
    epoch: int
    gateway: str
    body: bytes


class SubscriptionsChanged(NamedTuple):
    """Of a session, since it was saved. They are applied in order; saving it again takes their place."""

    account: str
    client_id: str
    epoch: int
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


class Step(IntEnum):
    """Where a message of QoS 2 stands. Values are stored."""

    SENT = 0  # to the client, which may have it
    RELEASED = 1  # the client has it; its PUBCOMP is missing
    RECEIVED = 2  # from the client, whose PUBREL is missing


class InFlight(NamedTuple):
    """A packet identifier of QoS 2 is in use. `number` is the queued message's, 0 when it is not needed any more."""

    account: str
    client_id: str
    epoch: int
    packet_id: int
    step: Step
    number: int = 0


class Landed(NamedTuple):
    """The packet identifier is free again. Both sides number theirs by themselves: `inbound` are the client's."""

    account: str
    client_id: str
    packet_id: int
    inbound: bool


class Retained(NamedTuple):
    """A topic's retained message; an empty body takes it away."""

    account: str
    topic: str
    body: bytes


Record = SessionSaved | SubscriptionsChanged | SessionEnded | Queued | Settled | InFlight | Landed | Retained


class Loaded(NamedTuple):
    """What a journal holds for a gateway."""

    sessions: tuple[SessionSaved, ...] = ()
    messages: tuple[Queued, ...] = ()  # in the order of their numbers
    retained: tuple[Retained, ...] = ()
    in_flight: tuple[InFlight, ...] = ()  # in the order in which they were sent
    changes: tuple[SubscriptionsChanged, ...] = ()  # in the order in which they were made
