"""The edge's connection to the cloud, kept up for as long as the edge runs.

Connects with back-off and jitter, subscribes again after every connect, sends what waits in the spool in order with a
bounded number under way, and hands messages to whoever subscribed. Offline is normal. Leaves to others: the bytes of
one connection (`link.py`), the waiting messages (`spool.py`), what messages mean.
"""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final
from weakref import WeakValueDictionary

from hedgerow.base.clock import Clock
from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.client import Acknowledged
from hedgerow.core.mqtt.packets import MQTT_5, Connect, Publish
from hedgerow.core.mqtt.properties import NO_PROPERTIES, Properties, Property
from hedgerow.edge.backoff import Backoff
from hedgerow.edge.configuration import Endpoint, Mqtt
from hedgerow.edge.filters import matches
from hedgerow.edge.identity import Identity, expired_on
from hedgerow.edge.link import Link, opened
from hedgerow.edge.notice import Console
from hedgerow.edge.spool import Outgoing, Spool
from hedgerow.edge.trouble import CutOff, NotLetIn, TakenOver, Trouble, ungrouped

SESSION_EXPIRY_S: Final = 604_800
_RECEIVE_MAXIMUM: Final = 100
_TAKEN_OVER_WAIT_S: Final = 30.0  # two edges with one name must not throw each other out in turn
_STEADY_S: Final = 20.0  # a connection that lasted this long was a good one: the next wait is short again
_SOON_S: Final = 5.0
_MOST_CUTS: Final = 4
_log = get_logger("edge.connection")

OnMessage = Callable[[Publish], None]


class Offline(Unavailable):
    """There is no connection to the cloud, and this cannot wait for one."""


class Subscription:
    """Somebody's wish for a filter's messages; end it with `Connection.unsubscribe`."""

    __slots__ = ("on_message", "qos", "topic_filter")

    def __init__(self, topic_filter: str, qos: int, on_message: OnMessage) -> None:
        self.topic_filter = topic_filter
        self.qos = qos
        self.on_message = on_message


class Connection:
    """One device's connection, over all its single links."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        identity: Identity,
        root_ca: str,
        settings: Mqtt,
        context: Callable[[], Awaitable[ssl.SSLContext]],
        spool: Spool,
        clock: Clock,
        console: Console,
        backoff: Backoff | None = None,
        until_let_in: str = "",
    ) -> None:
        """`until_let_in` is what to think of a refusal as long as the cloud has never let this process in."""
        self._endpoint = endpoint
        self._identity = identity
        self._root_ca = root_ca
        self._settings = settings
        self._context = context
        self._spool = spool
        self._clock = clock
        self._console = console
        self._backoff = backoff or Backoff()
        self._subscriptions: list[Subscription] = []
        self._link: Link | None = None
        self._arrived = asyncio.Event()  # something is in the spool
        self._under_way: dict[int, float] = {}  # number in the spool -> when it was sent
        self._suspects: dict[int, int] = {}  # number in the spool -> how often we were cut off for it alone
        self._on_connected: list[Callable[[], None]] = []
        self._on_refused: list[Callable[[], None]] = []
        self._uses = 0  # counts identities
        self._requests: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._known = False  # the console knows that we are connected
        self._until_let_in = until_let_in

    @property
    def connected(self) -> bool:
        """A link is up and its subscriptions are made."""
        return self._link is not None

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Call this on the loop after every connect, when the subscriptions are made. It must not block."""
        self._on_connected.append(callback)

    def on_refused(self, callback: Callable[[], None]) -> None:
        """Call this on the loop whenever the cloud does not let the certificate in. It must not block."""
        self._on_refused.append(callback)

    def use(self, identity: Identity) -> None:
        """Connect anew, with this identity from now on; the context that is asked for must be its."""
        self._identity = identity
        self._uses += 1
        if self._link is not None:
            self._link.abort()

    def statistics(self) -> dict[str, int]:
        """Answer how full the queue is and how much is under way."""
        return {**self._spool.statistics(), "under way": len(self._under_way)}

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self._spool.load()
        while True:
            began = asyncio.get_running_loop().time()
            try:
                with ungrouped():
                    await self._once()
            except Trouble as trouble:
                now = asyncio.get_running_loop().time()
                self._suspect(now, by_cloud=isinstance(trouble, CutOff))
                if now - began > _STEADY_S:
                    self._backoff.reset()
                await self._wait(trouble)

    async def publish(self, message: Outgoing) -> None:
        """Send a message. QoS 1 is on disk when this returns, QoS 0 is under way. Raise Offline or SpoolFull if not."""
        if message.qos:
            await self._spool.add(message)
            self._arrived.set()
        elif self._link is not None:
            if self._link.busy:
                raise Offline("the network is too slow; a message of QoS 0 is not kept")
            self._link.send(message.topic, message.payload, retain=message.retain, properties=self._properties(message))
        elif self._settings.keep_qos0_when_offline:
            await self._spool.add(message)
        else:
            raise Offline("the device is offline; a message of QoS 0 is not kept")

    async def subscribe(self, topic_filter: str, on_message: OnMessage, *, qos: int = 1) -> Subscription:
        """Have a filter's messages handed over, now and after every connect; raise NotLetIn when it is refused."""
        subscription = Subscription(topic_filter, qos, on_message)
        known = any(one.topic_filter == topic_filter and one.qos >= qos for one in self._subscriptions)
        self._subscriptions.append(subscription)
        if self._link is not None and not known:
            try:
                await self._link.subscribe([(topic_filter, qos)])
            except NotLetIn:
                self._subscriptions.remove(subscription)
                raise
            except Trouble as trouble:  # it is made with the next connect
                _log.warning("a subscription waits", extra={"fields": {"filter": topic_filter, "cause": str(trouble)}})
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; when nobody else wants the filter the cloud is told."""
        if subscription not in self._subscriptions:
            return
        self._subscriptions.remove(subscription)
        wanted = any(one.topic_filter == subscription.topic_filter for one in self._subscriptions)
        if self._link is not None and not wanted:
            await self._link.unsubscribe([subscription.topic_filter])

    async def request(self, topic: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Ask on a `$aws` topic; answer whether it was accepted, and the answer. Raise Trouble without one.

        Requests on one topic go one after another, since their answers carry nothing else to tell them apart.
        """
        turn = self._requests.setdefault(topic, asyncio.Lock())
        async with turn:
            return await self._request(topic, body)

    async def _request(self, topic: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        link = self._link
        if link is None:
            raise Offline("the device is offline")
        answered: asyncio.Future[Publish] = asyncio.get_running_loop().create_future()

        def on_message(message: Publish) -> None:
            if not answered.done():
                answered.set_result(message)

        subscriptions = [
            await self.subscribe(f"{topic}/accepted", on_message),
            await self.subscribe(f"{topic}/rejected", on_message),
        ]
        try:
            async with asyncio.timeout(self._settings.operation_timeout_s):
                await link.publish(topic, json.dumps(body).encode())
                message = await link.awaited(answered)
        except TimeoutError:
            raise Trouble(f"the cloud did not answer on {topic}") from None
        finally:
            for subscription in subscriptions:
                with contextlib.suppress(Trouble):  # the link is gone, and the subscription with it
                    await self.unsubscribe(subscription)
        return message.topic == f"{topic}/accepted", _object(message.payload)

    async def _once(self) -> None:
        uses = self._uses
        async with (
            opened(
                self._endpoint,
                await self._context(),
                self._connect(),
                on_message=self._hand_over,
                root_ca=self._root_ca,
                certificate=str(self._identity.certificate),
                operation_timeout_s=self._settings.operation_timeout_s,
            ) as link,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(_until_end(link))
            await self._subscribe_again(link)
            if self._uses != uses:
                raise Trouble("the device has another certificate by now")
            self._link = link
            try:
                self._greet()
                await self._drain(link)
            finally:
                self._link = None

    async def _subscribe_again(self, link: Link) -> None:
        """Each by itself: one that the policy no longer allows must not cost us the others."""
        for topic_filter, qos in {one.topic_filter: one.qos for one in self._subscriptions}.items():
            try:
                await link.subscribe([(topic_filter, qos)])
            except NotLetIn as error:
                _log.warning(
                    "a subscription was refused", extra={"fields": {"filter": topic_filter, "cause": str(error)}}
                )

    def _greet(self) -> None:
        self._known = True
        self._until_let_in = ""
        self._console.say(f"connected to {self._endpoint} as {self._identity.thing_name}")
        _log.info("connected", extra={"fields": {"endpoint": str(self._endpoint), "thing": self._identity.thing_name}})
        for callback in self._on_connected:
            callback()

    def _connect(self) -> Connect:
        properties: Properties = NO_PROPERTIES
        if self._settings.version == MQTT_5:
            properties = {
                Property.SESSION_EXPIRY: SESSION_EXPIRY_S,
                Property.RECEIVE_MAXIMUM: _RECEIVE_MAXIMUM,
                Property.MAXIMUM_PACKET_SIZE: self._settings.max_message_bytes + 66_000,  # the topic and the rest
            }
        return Connect(
            self._identity.thing_name,
            clean_start=False,
            keep_alive=self._settings.keep_alive_s,
            version=self._settings.version,
            properties=properties,
        )

    def _hand_over(self, message: Publish) -> None:
        for subscription in list(self._subscriptions):
            if matches(subscription.topic_filter, message.topic):
                subscription.on_message(message)

    async def _drain(self, link: Link) -> None:
        """Send what is in the spool, in order, until the link ends."""
        self._under_way.clear()
        most = min(self._settings.max_in_flight, link.limits.receive_maximum)
        cursor = 0
        while True:
            self._arrived.clear()
            window = 1 if self._suspects else most  # one at a time shows which one it is
            messages = await self._spool.after(cursor, max(0, window - len(self._under_way)))
            for message in messages:
                cursor = message.seq
                self._send(link, message)
            if not messages:
                await self._spool.settle()
                await self._arrived.wait()

    def _send(self, link: Link, message: Outgoing) -> None:
        given_up = self._given_up(message)
        if given_up is None:
            try:
                link.send(
                    message.topic,
                    message.payload,
                    qos=message.qos,
                    retain=message.retain,
                    properties=self._properties(message),
                    done=self._acknowledged(message) if message.qos else None,
                )
            except ValueError as error:
                given_up = str(error)
        if given_up is not None or not message.qos:
            self._done(message)
        else:
            self._under_way[message.seq] = asyncio.get_running_loop().time()
        if given_up:
            fields = {"topic": message.topic, "reason": given_up}
            _log.warning("a message was given up", extra={"fields": fields})

    def _given_up(self, message: Outgoing) -> str | None:
        """Answer why a message is not to be sent any more ("" for one that has expired), None when it is."""
        if message.expires_at is not None and message.expires_at <= self._clock.now():
            return ""
        if self._suspects.get(message.seq, 0) >= _MOST_CUTS:
            return "the cloud ended the connection each time it was sent; the policy may not allow it"
        return None

    def _acknowledged(self, message: Outgoing) -> Callable[[Acknowledged], None]:
        def done(event: Acknowledged) -> None:
            self._done(message)
            if event.code >= 0x80:
                fields = {"topic": message.topic, "reason": event.text or hex(event.code)}
                _log.warning("the cloud refused a message", extra={"fields": fields})

        return done

    def _done(self, message: Outgoing) -> None:
        self._under_way.pop(message.seq, None)
        self._suspects.pop(message.seq, None)
        self._spool.done(message.seq)
        self._arrived.set()

    def _suspect(self, now: float, *, by_cloud: bool) -> None:
        """What was sent shortly before the end may be why: from now on one at a time, and who was alone is counted."""
        alone = len(self._under_way) == 1
        for seq, at in self._under_way.items():
            if now - at < _SOON_S:
                cuts = self._suspects.get(seq, 0)
                self._suspects[seq] = cuts + 1 if by_cloud and alone else cuts
        self._under_way.clear()

    def _properties(self, message: Outgoing) -> Properties:
        if not message.properties and message.expires_at is None:
            return NO_PROPERTIES
        found: dict[int, Any] = {int(number): value for number, value in message.properties.items()}
        if Property.CORRELATION_DATA in found:
            found[Property.CORRELATION_DATA] = base64.b64decode(found[Property.CORRELATION_DATA])
        if message.expires_at is not None:
            found[Property.MESSAGE_EXPIRY] = max(1, int(message.expires_at - self._clock.now()))
        return found

    async def _wait(self, trouble: Trouble) -> None:
        if isinstance(trouble, NotLetIn):
            for callback in self._on_refused:
                callback()
        wait = self._backoff.next(permanent=trouble.permanent)
        if isinstance(trouble, TakenOver):
            wait = max(wait, _TAKEN_OVER_WAIT_S)
        cause = str(trouble)
        if isinstance(trouble, NotLetIn) and self._until_let_in:
            cause = f"{cause} ({self._until_let_in})"
        if isinstance(trouble, NotLetIn):
            certificate = self._identity.certificate
            day = await asyncio.to_thread(expired_on, certificate, self._clock.now())
            cause += f"; the certificate {certificate} expired on {day}" if day else ""
        fields = {"cause": cause, "wait_s": round(wait, 1)}
        _log.warning("not connected" if not self._known else "connection lost", extra={"fields": fields})
        self._console.say(f"{cause}; trying again")
        self._known = False
        await asyncio.sleep(wait)


async def _until_end(link: Link) -> None:
    raise await link.run()


def _object(payload: bytes) -> dict[str, Any]:
    try:
        value = json.loads(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
