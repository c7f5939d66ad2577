"""What went in and out: packets by type, bytes. Counted by reads and writes, not by packets, where that is enough.

A connection counts for itself what takes the short way; what it counted is added here when it ends. PUBLISH packets
that went out are all that went out less those of other types. `summary` adds it all up.
"""

from copy import copy
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hedgerow.gateway.connection import Connection

KINDS: Final = 16


class Totals:
    """Sums of what connections count."""

    __slots__ = ("acked", "bytes_in", "bytes_out", "packets_out", "published", "published_1")

    def __init__(self) -> None:
        self.published = self.published_1 = self.acked = 0
        self.packets_out = self.bytes_in = self.bytes_out = 0

    def add(self, other: "Connection | Totals") -> None:
        """Add what a connection counted, or what was added before."""
        self.published += other.published
        self.published_1 += other.published_1
        self.acked += other.acked
        self.packets_out += other.packets_out
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out

    def copy(self) -> "Totals":
        return copy(self)

    def plus(self, other: "Totals") -> "Totals":
        """Answer both."""
        both = self.copy()
        both.add(other)
        return both


class Traffic:
    """See the module. One per gateway."""

    def __init__(self) -> None:
        self.received = [0] * KINDS  # by type, what took the long way
        self.sent = [0] * KINDS  # by type, all but PUBLISH and the short way's PUBACK
        self.past = Totals()

    def ended(self, connection: "Connection") -> None:
        """Add what a connection counted."""
        self.past.add(connection)
