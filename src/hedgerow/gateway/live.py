"""Live connections as values, for operators: who is there, and what went in and out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hedgerow.core.mqtt.packets import MQTT_5
from hedgerow.gateway.connection import Connection, State
from hedgerow.gateway.ports import Way
from hedgerow.gateway.summary import slices

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway


class Client(NamedTuple):
    """One connected client."""

    client_id: str
    principal: str
    thing: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """One connection. Times in seconds since the epoch."""

    client: Client
    port: int
    protocol: str
    transport: str
    since: float
    keep_alive_s: int
    persistent: bool
    session_expiry_s: int
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    subscriptions: int
    queued: int
    queue_bound: int
    in_flight: int
    dropped: int


async def clients(gateway: "Gateway", account: str) -> AsyncIterator[list[Client]]:
    """Answer everyone who is connected, in no order, some at a time."""
    known = gateway.router.accounts.get(account)
    if known is not None:
        async for some in slices(known.connections.values()):
            yield [_client(one) for one in some if one.state is State.OPEN]


def maybe_live(gateway: "Gateway", account: str, client_id: str) -> Live | None:
    """Answer a client's connection, None when it is not connected."""
    known = gateway.router.accounts.get(account)
    one = None if known is None else known.connections.get(client_id)
    if one is None or one.state is not State.OPEN:
        return None
    session = one.session
    return Live(
        client=_client(one),
        port=one.peer.port,
        protocol="MQTT 5" if one.version == MQTT_5 else "MQTT 3.1.1",
        transport="WEBSOCKET" if one.peer.way is Way.WEBSOCKET else "TLS",
        since=one.since,
        keep_alive_s=one.keep_alive,
        persistent=session.persistent,
        session_expiry_s=session.expiry_s,
        packets_in=one.packets_in,
        packets_out=one.packets_out,
        bytes_in=one.bytes_in,
        bytes_out=one.bytes_out,
        subscriptions=len(session.subscriptions),
        queued=len(session.queue),
        queue_bound=session.max_queued,
        in_flight=len(session.in_flight),
        dropped=session.dropped,
    )


def _client(one: Connection) -> Client:
    return Client(one.session.client_id, one.admitted.principal, one.thing, one.peer.address)
