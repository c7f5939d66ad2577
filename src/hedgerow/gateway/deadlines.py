"""Once a second for each connection: has it said CONNECT, is it alive, does it take what it is sent, may it stay?"""

from typing import TYPE_CHECKING, Final

from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway.connection import Connection, Peer, State

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

CONNECT_WITHIN_S: Final = 20.0  # from the first byte of the transport to the CONNECT and its answer
TAKE_WITHIN_S: Final = 30.0  # something, however little, of what waits for a slow reader


def check(gateway: "Gateway", connection: Connection, now: float, ticks: float) -> None:
    """End the connection when a deadline is over; refresh its admission when that is due."""
    admitted = getattr(connection, "admitted", None)
    if connection.state is not State.OPEN or admitted is None:
        if ticks - connection.created > CONNECT_WITHIN_S:
            gateway.end(connection, "CONNECTION_LOST", "no CONNECT in time")
    elif connection.congested and not _takes(connection, ticks):
        connection.fail(Reason.QUOTA_EXCEEDED, "CONNECTION_LOST", "it takes nothing of what it is sent")
    elif connection.keep_alive and ticks - connection.seen > connection.keep_alive * 1.5:
        connection.fail(Reason.KEEP_ALIVE_TIMEOUT, "MQTT_KEEP_ALIVE_TIMEOUT", "nothing was heard")
    elif admitted.ends_at is not None and admitted.ends_at <= now:
        connection.fail(Reason.MAXIMUM_CONNECT_TIME, _ending(connection.peer), "the admission has ended")
    elif admitted.refresh_at is not None and admitted.refresh_at <= now:
        gateway.regranting.refresh(connection)


def _takes(connection: Connection, ticks: float) -> bool:
    """Whoever takes something is alive: we do not read from it meanwhile, so it cannot say so."""
    left = connection.transport.unsent()
    if left < connection.left:
        connection.left = left
        connection.seen = ticks
    return ticks - connection.seen <= TAKE_WITHIN_S


def _ending(peer: Peer) -> str:
    """AWS's word for the end of an admission: of a certificate, of a signed URL, of a custom authorizer's answer."""
    if peer.certificate is not None:
        return "FORBIDDEN_ACCESS"
    return "WEBSOCKET_TTL_EXPIRATION" if peer.signed_by else "CUSTOMAUTH_TTL_EXPIRATION"
