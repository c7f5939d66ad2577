"""Messages to one connected client, whatever it subscribed to, with a receipt on request.

They are not kept: who is not there, or takes no more now, is told of by name. A message with a receipt is QoS 1 in the
session with a number below zero, which no journal knows; its acknowledgement comes back with what is settled.
Spec: AWS IoT SendDirectMessage.
"""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from hedgerow.core.mqtt.session import Parcel, Session, publish_parts
from hedgerow.gateway.connection import Connection, State

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

Receipt = Callable[[bool], None]


class Unsent(Enum):
    """Why a message did not leave: AWS's words."""

    UNKNOWN = "TARGET_CLIENT_ID_NOT_FOUND"
    OFFLINE = "TARGET_CLIENT_NOT_CONNECTED"
    DENIED = "RECEIVE_AUTHORIZATION_FAILURE"
    BUSY = "RECEIVER_MAX_UNACKED_QOS1_EXCEEDED"
    STUCK = "CLIENT_ENDPOINT_NOT_WRITABLE"
    TOO_LARGE = "PAYLOAD_LIMIT_EXCEEDED"


class Direct:
    """See the module. One per gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._receipts: dict[int, Receipt] = {}
        self._last = 0

    def send(self, account: str, client_id: str, parcel: Parcel, receipt: Receipt | None = None) -> Unsent | int:
        """Send the message, or answer why not.

        With a receipt it is called once: True when the client has acknowledged, False when it is gone before. Then the
        answer is a number for `forget`.
        """
        connection = self._connection(account, client_id)
        if isinstance(connection, Unsent):
            return connection
        if not connection.may_receive(parcel.topic):
            return Unsent.DENIED
        session, now = connection.session, self._gateway.clock.now()
        if connection.congested:
            return Unsent.STUCK
        if sum(map(len, publish_parts(parcel, session.version, parcel.qos, False, now))) + 2 > connection.max_packet:
            return Unsent.TOO_LARGE
        if receipt is None:
            self._gateway.router.hand(connection.account, session, parcel)
            return 0
        if session.queue or session.again or len(session.in_flight) >= session.window:
            return Unsent.BUSY
        self._last -= 1
        self._receipts[self._last] = receipt
        session.send(parcel, now, self._last)
        return self._last

    def _connection(self, account: str, client_id: str) -> Connection | Unsent:
        known = self._gateway.router.accounts.get(account)
        connection = None if known is None else known.connections.get(client_id)
        if connection is not None and connection.state is State.OPEN:
            return connection
        seen = known is not None and (client_id in known.sessions or client_id in known.past)
        return Unsent.OFFLINE if seen else Unsent.UNKNOWN

    def forget(self, number: int) -> None:
        """Nobody waits for this receipt any more; the message stays in flight until the client has acknowledged it."""
        self._receipts.pop(number, None)

    def settled(self, session: Session) -> None:
        """Hand out the receipts among what is settled, and leave the journal's numbers."""
        for number in [number for number in session.settled if number < 0]:
            session.settled.remove(number)
            self._answer(number, True)

    def left(self, session: Session) -> None:
        """The client is gone: what it has not acknowledged is not kept for it."""
        if not any(number < 0 for number, _ in session.in_flight.values()):
            return
        for identifier, (number, _) in tuple(session.in_flight.items()):
            if number < 0:
                del session.in_flight[identifier]
                self._answer(number, False)

    def _answer(self, number: int, ok: bool) -> None:
        receipt = self._receipts.pop(number, None)
        if receipt is not None:
            receipt(ok)
