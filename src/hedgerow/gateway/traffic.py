"""What went in and out: packets by type, bytes. Counted by reads and writes, not by packets, where that is enough.

A connection counts for itself what takes the short way; what it counted is added here when it ends. PUBLISH packets
that went out are all that went out less those of other types.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.packets import Kind

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection

KINDS: Final = 16


class Traffic:
    """See the module. One per gateway."""

    def __init__(self) -> None:
        self.received = [0] * KINDS  # by type, what took the long way
        self.sent = [0] * KINDS  # by type, all but PUBLISH and the short way's PUBACK
        self._past: Counter[str] = Counter()

    def ended(self, connection: "Connection") -> None:
        """Add what a connection counted."""
        self._past.update(_counted(connection))

    def totals(self, live: Iterable["Connection"]) -> Counter[str]:
        """Answer what connections counted, those that ended and those that live."""
        totals = Counter(self._past)
        for connection in live:
            totals.update(_counted(connection))
        return totals

    def statistics(self, live: Iterable["Connection"]) -> dict[str, dict[str, int]]:
        """Answer packets by direction and type, and bytes by direction."""
        totals, received, sent = self.totals(live), list(self.received), list(self.sent)
        received[Kind.PUBLISH] += totals["published"] + totals["published_1"]
        received[Kind.PUBACK] += totals["acked"]
        sent[Kind.PUBACK] += totals["published_1"]
        sent[Kind.PUBLISH] = max(0, totals["packets_out"] - sum(sent))
        return {
            "received": {kind.name: received[kind] for kind in Kind if received[kind]},
            "sent": {kind.name: sent[kind] for kind in Kind if sent[kind]},
            "bytes": {"in": totals["bytes_in"], "out": totals["bytes_out"]},
        }


def _counted(connection: "Connection") -> dict[str, int]:
    return {
        "published": connection.published,
        "published_1": connection.published_1,
        "acked": connection.acked,
        "packets_out": connection.packets_out,
        "bytes_in": connection.bytes_in,
        "bytes_out": connection.bytes_out,
    }
