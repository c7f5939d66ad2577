"""A gateway's figures for metrics: summed some at a time, so that nobody waits while thousands are looked at."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from hedgerow.core.mqtt.packets import Kind
from hedgerow.core.mqtt.session import Session
from hedgerow.gateway.traffic import Totals

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

T = TypeVar("T")

PER_TURN: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counters since the start, and how things are."""

    published: int
    queued: int
    in_flight: int
    received: dict[str, int]  # packets by type
    sent: dict[str, int]
    bytes_in: int
    bytes_out: int


async def slices(items: Iterable[T]) -> AsyncIterator[list[T]]:
    """Answer the items some at a time; others have their turn between. What is added meanwhile is not seen."""
    rest = iter(list(items))
    while part := list(islice(rest, PER_TURN)):
        yield part
        await asyncio.sleep(0)


async def summary(gateway: "Gateway") -> Summary:
    """Add up what connections and sessions count."""
    traffic = gateway.traffic
    live = Totals()
    past = traffic.past.copy()  # first: who ends meanwhile is counted once, as it was, or not yet
    async for connections in slices(gateway.connections):
        for connection in connections:
            live.add(connection)
    total = past.plus(live)
    queued = in_flight = 0
    async for sessions in slices(_sessions(gateway)):
        queued += sum(len(session.queue) for session in sessions)
        in_flight += sum(len(session.in_flight) for session in sessions)
    received, sent = list(traffic.received), list(traffic.sent)
    received[Kind.PUBLISH] += total.published + total.published_1
    received[Kind.PUBACK] += total.acked
    sent[Kind.PUBACK] += total.published_1
    sent[Kind.PUBLISH] = max(0, total.packets_out - sum(sent))
    return Summary(
        published=gateway.router.published + total.published + total.published_1,
        queued=queued,
        in_flight=in_flight,
        received={kind.name: received[kind] for kind in Kind if received[kind]},
        sent={kind.name: sent[kind] for kind in Kind if sent[kind]},
        bytes_in=total.bytes_in,
        bytes_out=total.bytes_out,
    )


def _sessions(gateway: "Gateway") -> Iterable[Session]:
    for account in gateway.router.accounts.values():
        yield from account.sessions.values()
