"""What the world is told of connections: lifecycle events, wills, and in the log what was refused."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from hedgerow.base.log import get_logger
from hedgerow.core.iotlog import Level
from hedgerow.core.mqtt.packets import MQTT_5
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway import presence
from hedgerow.gateway.account import Account
from hedgerow.gateway.activity import UNAUTHORIZED
from hedgerow.gateway.connection import Connection
from hedgerow.gateway.journal import StoredSession
from hedgerow.gateway.keeping import stored_of
from hedgerow.gateway.ports import Message

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

log = get_logger("gateway")

SAID: Final = 16  # refusals of one connection that are each in the log


def _who(connection: Connection) -> dict[str, str]:
    """Answer the fields of a log line that say whose connection it is."""
    return {
        "account": connection.account.name,
        "client": connection.session.client_id,
        "thing": connection.thing,
        "certificate": connection.admitted.principal,
    }


class _Waiting(NamedTuple):
    """A will whose delay is not over."""

    at: float
    offline: StoredSession
    will: Message


class Lifecycle:
    """See the module. One per gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._wills: dict[tuple[str, str], _Waiting] = {}
        self.admitted = 0
        self.turned_away = 0
        self.refusals = 0

    def entered(self, connection: Connection) -> None:
        """The client is in."""
        self.admitted += 1
        client_id = connection.session.client_id
        connection.account.past.pop(client_id, None)
        now = self._gateway.clock.now()
        peer = connection.peer
        fields = {
            **_who(connection),
            "peer": peer.address,
            "port": peer.port,
            "version": 5 if connection.version == MQTT_5 else 3,
            "way": peer.way.value,
            "session": connection.session_id,
        }
        log.info("client connected", extra={"fields": fields})
        self._gateway.activity.say(connection, "Connect")
        self.announce(connection.account, client_id, *presence.connected(client_id, connection, now))

    def ended(self, connection: Connection, word: str, why: str, *, initiated: bool) -> None:
        """The client is gone; its will follows, unless it was taken back."""
        account, client_id = connection.account, connection.session.client_id
        now = self._gateway.clock.now()
        fields = {
            **_who(connection),
            "reason": word,
            "detail": "" if initiated else why,
            "session": connection.session_id,
            "seconds": round(now - connection.since, 3),
            "packets_in": connection.packets_in,
            "packets_out": connection.packets_out,
        }
        log.info("client disconnected", extra={"fields": fields})
        details = why if why and not initiated else None
        self._gateway.activity.say(connection, "Disconnect", disconnectReason=word, details=details)
        self._send_will(connection, now)
        event = presence.disconnected(
            client_id,
            principal=connection.admitted.principal,
            thing=connection.announced,
            session_id=connection.session_id,
            epoch=connection.epoch,
            word=word,
            initiated=initiated,
            now=now,
        )
        self.announce(account, client_id, *event)

    def _send_will(self, connection: Connection, now: float) -> None:
        will = connection.will
        if will is None:
            return
        delay = min(connection.will_delay, connection.session.expiry_s)
        if delay:
            self.let_wait(now + delay, stored_of(connection, connected=False))
        else:
            self.send_will(will)
        connection.will = None

    def let_wait(self, at: float, offline: StoredSession) -> None:
        """A session that is kept has a will with a delay; `offline` is what the journal has of the session."""
        if offline.will is not None:
            self._wills[offline.account, offline.client_id] = _Waiting(at, offline, offline.will)

    def send_will(self, will: Message) -> None:
        """Publish a will. Until now its expiry was an interval: it begins here."""
        lives = will.expires_at
        if lives is not None:
            will = replace(will, expires_at=self._gateway.clock.now() + lives)
        self._gateway.router.publish(self._gateway.account(will.account), will, None, None)

    def cancel_will(self, account: Account, client_id: str) -> None:
        """The client is back before its will's delay was over. [MQTT-3.1.3-9]"""
        self._wills.pop((account.name, client_id), None)

    def release_will(self, account: Account, client_id: str) -> None:
        """The session ends before its will's delay is over: the will is sent now. Section 3.1.3.2.2."""
        waiting = self._wills.pop((account.name, client_id), None)
        if waiting is not None:
            self.send_will(waiting.will)

    def send_due(self, now: float) -> None:
        """Send the wills whose delay is over; a crash afterwards does not send them again."""
        for key in [key for key, waiting in self._wills.items() if waiting.at <= now]:
            waiting = self._wills.pop(key)
            self.send_will(waiting.will)
            sent = self._gateway.sessions.saved(replace(waiting.offline, will=None))
            self._gateway.journal.append((sent,))

    def announce(self, account: Account, client_id: str, topic: str, payload: bytes) -> None:
        """Publish an event about a client."""
        if presence.is_told(client_id):
            message = Message(account=account.name, topic=topic, payload=payload, qos=1)
            self._gateway.router.publish(account, message, None, None)

    def tell(
        self,
        connection: Connection,
        event: Callable[[str, Connection, list[str], float], tuple[str, bytes]],
        filters: list[str],
    ) -> None:
        """Publish an event about these filters of a connected client."""
        client_id = connection.session.client_id
        now = self._gateway.clock.now()
        self.announce(connection.account, client_id, *event(client_id, connection, filters, now))

    def refused(self, connection: Connection, code: Reason, why: str) -> None:
        """A right was missing or a topic is not for clients: say it in the log, of many of one connection only some."""
        self.refusals += 1
        connection.refusals = count = connection.refusals + 1
        if count > SAID and count & (count - 1):  # then every time that it has doubled
            return
        fields = {
            **_who(connection),
            "reason": code.name,
            "count": count,
            "detail": why,
            "policy": connection.permissions.last_refusal if code == Reason.NOT_AUTHORIZED else "",
        }
        log.warning("request refused", extra={"fields": fields})

    def not_admitted(self, connection: Connection, code: Reason, word: str, why: str) -> None:
        """Somebody was not let in: say it in the log."""
        self.turned_away += 1
        peer, question = connection.peer, getattr(connection, "question", None)
        shown = sha256(peer.certificate).hexdigest() if peer.certificate is not None else peer.signed_by or ""
        fields = {
            "client": "" if question is None else question.client_id,
            "certificate": shown,
            "peer": peer.address,
            "code": code.name,
            "reason": word,
            "detail": why,
        }
        log.warning("connection not admitted", extra={"fields": fields})
        if connection.wanted is not None:
            code_word = UNAUTHORIZED if code == Reason.NOT_AUTHORIZED else word
            self._gateway.activity.say(connection, "Connect", Level.ERROR, failed=True, reason=code_word, details=why)
