"""One MQTT connection to the cloud: the socket around `core/mqtt`'s client session.

`opened()` answers an accepted Link or raises Trouble; `run()` pumps until the end. Every wait has a deadline.
Leaves to others: connecting again, spooling, who wants which message (`connection.py`).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from hedgerow.core.mqtt.client import Accepted, Acknowledged, Arrived, ClientSession, Ended, Event, Granted, Refused
from hedgerow.core.mqtt.packets import Connect, Publish
from hedgerow.core.mqtt.properties import NO_PROPERTIES, Properties
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.edge.configuration import Endpoint
from hedgerow.edge.trouble import CutOff, NotLetIn, TakenOver, Trouble, explained

_CHUNK = 65_536
MOST_WAITING_BYTES = 1024 * 1024
CLOSING_S = 0.5
_LASTING = frozenset(
    {Reason.BANNED, Reason.CLIENT_ID_NOT_VALID, Reason.NOT_AUTHORIZED, Reason.BAD_USER_NAME_OR_PASSWORD}
)
_ITS_OWN = frozenset({Reason.SERVER_SHUTTING_DOWN, Reason.SERVER_BUSY, Reason.USE_ANOTHER_SERVER, Reason.SERVER_MOVED})

OnMessage = Callable[[Publish], None]
OnAcknowledged = Callable[[Acknowledged], None]


class Link:
    """A connection that the cloud has accepted."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: ClientSession,
        *,
        on_message: OnMessage,
        operation_timeout_s: float,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._session = session
        self._on_message = on_message
        self._timeout = operation_timeout_s
        self._now = asyncio.get_running_loop().time
        self._waiting: dict[int, asyncio.Future[Granted | Acknowledged]] = {}
        self._over = False
        self._aborted = False
        self._acknowledged: dict[int, OnAcknowledged] = {}
        self._tied: set[asyncio.Future[Publish]] = set()

    @property
    def limits(self) -> Accepted:
        """What the server allows on this connection."""
        return self._session.limits

    @property
    def busy(self) -> bool:
        """More waits to be sent than should: the network is slower than what is said."""
        return self._writer.transport.get_write_buffer_size() > MOST_WAITING_BYTES

    def abort(self) -> None:
        """End it at once; whoever runs it hears that we did."""
        self._aborted = True
        self._writer.transport.abort()

    async def run(self) -> Trouble:
        """Pump until the connection ends; answer why it did. Whoever waits for an answer gets Trouble then, at once."""
        ended: Ended | None = None
        try:
            while ended is None:
                try:
                    events = await self._step()
                except OSError as error:
                    events = [Ended(code=None, text=error.strerror or str(error))]
                for event in events:
                    ended = self._take(event) or ended
                self._flush()
        finally:  # also when we end it: nobody reads answers any more
            self._over = True
            waiting: list[asyncio.Future[Any]] = [*self._waiting.values(), *self._tied]
            for future in waiting:
                if not future.done():
                    future.set_exception(Trouble("the connection ended before the answer came"))
        if self._aborted:
            return Trouble("the device ended the connection to come with another certificate")
        if ended.code == Reason.SESSION_TAKEN_OVER:
            return TakenOver("another client connected with this device's name, so the cloud ended this connection")
        if ended.by_server and ended.code not in _ITS_OWN:
            return CutOff(f"the cloud ended the connection: {ended.text}")
        return Trouble(f"connection lost: {ended.text}")

    def send(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: Properties = NO_PROPERTIES,
        done: OnAcknowledged | None = None,
    ) -> None:
        """Send a message without waiting; `done` is called when it is acknowledged, never when the link ends first."""
        packet_id = self._session.publish(
            topic, payload, now=self._now(), qos=qos, retain=retain, properties=properties
        )
        if done is not None and packet_id:
            self._acknowledged[packet_id] = done
        self._flush()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send a message with QoS 1 and wait for its acknowledgement; raise Trouble when there is none."""
        packet_id = self._session.publish(topic, payload, now=self._now(), qos=1)
        answer = await self._answered(packet_id, f"the message to {topic}")
        if isinstance(answer, Acknowledged) and answer.code >= 0x80:
            raise NotLetIn(f"the cloud refuses the message to {topic}: {answer.text or _reason(answer.code)}")

    async def subscribe(self, wanted: Iterable[tuple[str, int]]) -> None:
        """Subscribe; raise Trouble when one of the filters is refused."""
        filters = list(wanted)
        packet_id = self._session.subscribe(filters, now=self._now())
        answer = await self._answered(packet_id, f"the subscription to {filters[0][0]}")
        if isinstance(answer, Granted):
            for (topic_filter, _), code in zip(filters, answer.codes, strict=False):
                if code >= 0x80:
                    raise NotLetIn(
                        f"the cloud refuses the subscription to {topic_filter}: {answer.text or _reason(code)}"
                    )

    async def awaited(self, answer: "asyncio.Future[Publish]") -> Publish:
        """Wait for a message that somebody puts into this future; raise Trouble when the connection ends first."""
        if self._over:
            raise Trouble("the connection has ended")
        self._tied.add(answer)
        try:
            return await answer
        finally:
            self._tied.discard(answer)

    async def unsubscribe(self, filters: Iterable[str]) -> None:
        """Unsubscribe."""
        packet_id = self._session.unsubscribe(list(filters), now=self._now())
        await self._answered(packet_id, "the end of a subscription")

    async def aclose(self) -> None:
        """Say goodbye and close; may be called more than once."""
        self._session.disconnect(now=self._now())
        self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except OSError:  # it was broken before it was closed
            return

    async def greeted(self) -> None:
        """Wait for the answer to CONNECT; raise Trouble when it is a refusal."""
        self._flush()
        while True:
            for event in await self._step():
                match event:
                    case Accepted():
                        return
                    case Refused(code=code, text=text):
                        raise NotLetIn(f"the cloud refuses the connection: {text}", permanent=code in _LASTING)
                    case Ended(text=text):
                        raise NotLetIn(f"the cloud refuses the connection: {text}", permanent=False)
                    case _:
                        continue
            self._flush()

    async def _step(self) -> list[Event]:
        try:
            async with asyncio.timeout_at(self._session.deadline()):
                data = await self._reader.read(_CHUNK)
        except TimeoutError:
            return self._session.tick(now=self._now())
        return self._session.receive(data, now=self._now())

    def _take(self, event: Event) -> Ended | None:
        match event:
            case Arrived(message=message):
                self._on_message(message)
                if message.qos:
                    self._session.acknowledge(message.packet_id, now=self._now())
            case Acknowledged(packet_id=packet_id):
                done = self._acknowledged.pop(packet_id, None)
                if done is not None:
                    done(event)
                self._settle(packet_id, event)
            case Granted(packet_id=packet_id):
                self._settle(packet_id, event)
            case Ended():
                return event
            case Accepted() | Refused():
                pass
        return None

    def _settle(self, packet_id: int, event: Granted | Acknowledged) -> None:
        future = self._waiting.get(packet_id)
        if future is not None and not future.done():
            future.set_result(event)

    async def _answered(self, packet_id: int, what: str) -> Granted | Acknowledged:
        if self._over:
            raise Trouble(f"the connection has ended, so there is no answer to {what}")
        future: asyncio.Future[Granted | Acknowledged] = asyncio.get_running_loop().create_future()
        self._waiting[packet_id] = future
        self._flush()
        try:
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError:
            raise Trouble(f"no answer to {what} within {self._timeout:g} s") from None
        finally:
            self._waiting.pop(packet_id, None)

    def _flush(self) -> None:
        data = self._session.output()
        if data and not self._writer.is_closing():
            self._writer.write(data)


@asynccontextmanager
async def opened(
    endpoint: Endpoint,
    context: ssl.SSLContext,
    connect: Connect,
    *,
    on_message: OnMessage,
    root_ca: str,
    certificate: str,
    operation_timeout_s: float = 30.0,
) -> AsyncIterator[Link]:
    """Connect and wait until the cloud accepts; raise Trouble with the cause in words. Closes at the end."""
    try:
        async with asyncio.timeout(operation_timeout_s):
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise explained(error, endpoint, root_ca=root_ca, certificate=certificate) from error
    now = asyncio.get_running_loop().time()
    session = ClientSession(connect, now=now, answer_within_s=operation_timeout_s)
    link = Link(reader, writer, session, on_message=on_message, operation_timeout_s=operation_timeout_s)
    try:
        try:
            await link.greeted()
        except (OSError, ssl.SSLError) as error:  # with TLS 1.3 the refusal of a certificate comes with the first read
            raise explained(error, endpoint, root_ca=root_ca, certificate=certificate) from error
        yield link
    finally:
        await link.aclose()


def _reason(code: int) -> str:
    try:
        return Reason(code).name.lower().replace("_", " ")
    except ValueError:
        return f"code 0x{code:02x}"
