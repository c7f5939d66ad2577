"""Publications to `$aws/…` topics that control answers: ask, hand the replies to the asking connection, acknowledge."""

from typing import TYPE_CHECKING, Final

from hedgerow.base.errors import Unavailable
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.core.mqtt.session import QOS, Parcel
from hedgerow.core.mqtt.topics import matches, split_share
from hedgerow.gateway.connection import Connection, State
from hedgerow.gateway.ports import Asked, Message, Replied

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

DEADLINE_S: Final = 10.0


async def ask(gateway: "Gateway", connection: Connection, message: Message, packet_id: int) -> None:
    """Runs as a task of its own; the connection goes on meanwhile."""
    question = Asked(
        message=message,
        server_name=connection.peer.server_name,
        peer=connection.peer.address,
        by_certificate=connection.peer.certificate is not None,
        variables=connection.admitted.variables,
    )
    ok = False
    try:
        reply = await gateway.control.ask(question, deadline_s=DEADLINE_S)
        ok = isinstance(reply, Replied)
        if isinstance(reply, Replied) and connection.state is State.OPEN:
            for topic, payload in reply.replies:
                _reply(gateway, connection, topic, payload, message.qos)
    except Unavailable as error:
        gateway.lifecycle.refused(connection, Reason.UNSPECIFIED, f"no answer to {message.topic}: {error}")
    finally:
        code = Reason.SUCCESS if ok else Reason.UNSPECIFIED
        connection.answer(packet_id, message.qos, len(message.payload), ok, code)


def _reply(gateway: "Gateway", connection: Connection, topic: str, payload: bytes, qos: int) -> None:
    """Straight to the asking client. Answers about shadows come only to who subscribed, all others always."""
    subscribed = _subscribed_qos(connection, topic)
    if subscribed is None and "/shadow/" in topic:
        return
    if not connection.may_receive(topic):
        return
    granted = qos if subscribed is None else min(qos, subscribed)
    gateway.router.hand(connection.account, connection.session, Parcel(topic, payload, granted))


def _subscribed_qos(connection: Connection, topic: str) -> int | None:
    best = None
    for text, options in connection.session.subscriptions.items():
        split = split_share(text)
        if split is not None and matches(split[1], topic, parent_of_hash=False):
            best = max(best or 0, options & QOS)
    return best
