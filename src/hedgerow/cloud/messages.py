"""The operations of iot-data that hand messages to the gateway: Publish and SendDirectMessage.

What a message must be is the same as by MQTT. A publication to a `$aws/things/…` topic that Hedgerow answers is asked
of control, as a device's; there is no connection that an answer could go to, but about shadows everyone is told.
Source: AWS IoT API reference; direct messaging.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.errors import NotImplementedYet, ServiceError
from hedgerow.cloud.publishing import STORED_WITHIN_S, publish_stored
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.mqtt.errors import BadPacket
from hedgerow.core.mqtt.forwarding import forwarded
from hedgerow.core.mqtt.limits import Limits
from hedgerow.core.mqtt.packets import Kind as Packet
from hedgerow.core.mqtt.properties import Property, read_properties, with_length, write_properties
from hedgerow.core.mqtt.session import Parcel
from hedgerow.core.mqtt.topics import BASIC_INGEST, is_name
from hedgerow.core.request import Request
from hedgerow.gateway.direct import Unsent
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.ports import Asked, Bus, Control, Message

CONFIRMED_WITHIN_S: Final = range(1, 16)
DEFAULT_CONFIRMATION_S: Final = 5
LONGEST_EXPIRY_S: Final = 0xFFFFFFFF  # what a packet can say


class InvalidRequest(ServiceError):
    """The request cannot be honoured as it stands."""

    code = "InvalidRequestException"


class NotFound(ServiceError):
    """There is no such client or retained message."""

    code = "ResourceNotFoundException"


class Forbidden(ServiceError):
    """The receiver's policies do not allow it."""

    code = "ForbiddenException"
    status = 403


class Throttled(ServiceError):
    """The receiver takes no more now."""

    code = "ThrottlingException"
    status = 429


class TooLarge(ServiceError):
    """Larger than a message may be, or than the receiver takes."""

    code = "RequestEntityTooLargeException"
    status = 413


class NotConfirmed(ServiceError):
    """The receiver did not acknowledge the message."""

    code = "GatewayTimeoutException"
    status = 504


class PublishingFlows:
    """What is sent by HTTP."""

    def __init__(self, *, bus: Bus, gateway: Gateway, control: Control, clock: Clock, limits: Limits) -> None:
        self._bus = bus
        self._gateway = gateway
        self._control = control
        self._clock = clock
        self._limits = limits

    async def publish(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """Publish a message; answered when it is stored wherever a receiver needs it."""
        message = self._message(request, caller)
        if message.topic.startswith("$") and message.retain:
            raise InvalidRequest(f"a message to {message.topic} cannot be retained")
        if message.topic.startswith("$") and not message.topic.startswith(BASIC_INGEST):
            await self._ask(message, caller)
            return {}
        await publish_stored(self._bus, message)
        return {}

    async def _ask(self, message: Message, caller: Caller) -> None:
        if not self._control.wants(message):
            raise InvalidRequest(f"nothing takes publications to {message.topic}")
        if not message.topic.startswith("$aws/things/"):
            raise NotImplementedYet(f"publishing to {message.topic} by HTTP is not there: only MQTT gets its answers")
        question = Asked(message=message, peer=caller.source_ip or "", by_certificate=caller.kind is Kind.CERTIFICATE)
        if "/shadow/" in message.topic:
            self._bus.publish(message)  # others may watch what is asked of a shadow
        await self._control.ask(question, deadline_s=STORED_WITHIN_S)

    async def send_direct_message(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """Send a message to one client, whatever it subscribed to."""
        client_id, confirmed = request["clientId"], request.get("confirmation", False)
        within_s = request.get("timeout", DEFAULT_CONFIRMATION_S)
        topic, payload = request["topic"], request.get("payload", b"")
        properties, _ = self._properties(request)
        if not is_name(topic, self._limits) or topic.startswith("$"):
            raise InvalidRequest(f"INVALID_TOPIC: {topic!r} is not a topic for direct messages")
        if confirmed and within_s not in CONFIRMED_WITHIN_S:
            raise InvalidRequest("INVALID_TIMEOUT_PARAMETER: timeout must be 1 to 15 seconds")
        if len(payload) > self._limits.payload:
            raise TooLarge(f"the payload is longer than {self._limits.payload} bytes")
        parcel = Parcel(topic, payload, int(confirmed), False, properties)
        if confirmed:
            await self._confirmed(caller.account, client_id, parcel, within_s)
        else:
            _check(self._gateway.direct.send(caller.account, client_id, parcel), client_id)
        return {"message": "OK", "traceId": caller.request_id}

    async def _confirmed(self, account: str, client_id: str, parcel: Parcel, within_s: int) -> None:
        acknowledged: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def receipt(ok: bool) -> None:
            if not acknowledged.done():
                acknowledged.set_result(ok)

        direct = self._gateway.direct
        number = _check(direct.send(account, client_id, parcel, receipt), client_id)
        try:
            async with asyncio.timeout(within_s):
                ok = await acknowledged
        except TimeoutError as error:
            raise NotConfirmed(
                f"DELIVERY_CONFIRMATION_TIMEOUT: {client_id} did not acknowledge within {within_s} s"
            ) from error
        finally:
            direct.forget(number)
        if not ok:
            raise NotConfirmed(f"TARGET_CLIENT_NOT_CONNECTED: {client_id} went away before it acknowledged")

    def _message(self, request: Request, caller: Caller) -> Message:
        topic, payload, qos = request["topic"], request.get("payload", b""), request.get("qos", 0)
        retain = request.get("retain", False)
        properties, expires_at = self._properties(request, expiry=request.get("messageExpiry"))
        if not is_name(topic, self._limits):
            raise InvalidRequest(f"{topic!r} is not a topic that can be published to")
        if qos not in (0, 1):
            raise InvalidRequest(f"qos must be 0 or 1, not {qos}")
        if len(payload) > self._limits.payload:
            raise InvalidRequest(f"the payload is longer than {self._limits.payload} bytes")
        return Message(
            account=caller.account,
            topic=topic,
            payload=payload,
            qos=qos,
            retain=retain,
            properties=properties,
            expires_at=expires_at,
            principal=caller.certificate_id or caller.principal,
        )

    def _properties(self, request: Request, *, expiry: int | None = None) -> tuple[bytes, float | None]:
        """Answer the MQTT 5 properties that the request sets, encoded, and when the message expires."""
        found = _given(request)
        if expiry is not None:
            if not 0 <= expiry <= LONGEST_EXPIRY_S:
                raise InvalidRequest(f"messageExpiry must be 0 to {LONGEST_EXPIRY_S} seconds")
            found[Property.MESSAGE_EXPIRY] = expiry
        try:
            whole = with_length(write_properties(found))
            properties, _ = read_properties(whole, 0, len(whole), Packet.PUBLISH)  # which is strict about text
            return forwarded(properties, self._limits, self._clock.now())
        except (BadPacket, ValueError) as error:
            raise InvalidRequest(f"The properties of the message are not valid: {error}") from error


def _check(sent: Unsent | int, client_id: str) -> int:
    match sent:
        case Unsent.UNKNOWN:
            raise NotFound(f"{sent.value}: there is no client {client_id}")
        case Unsent.OFFLINE:
            raise NotFound(f"{sent.value}: {client_id} is not connected")
        case Unsent.DENIED:
            raise Forbidden(f"{sent.value}: the policies of {client_id} do not let it receive this topic")
        case Unsent.BUSY | Unsent.STUCK:
            raise Throttled(f"{sent.value}: {client_id} takes no more messages now")
        case Unsent.TOO_LARGE:
            raise TooLarge(f"{sent.value}: {client_id} does not take messages of this size")
        case int():
            return sent


def _given(request: Request) -> dict[int, Any]:
    found: dict[int, Any] = {}
    if "contentType" in request:
        found[Property.CONTENT_TYPE] = request["contentType"]
    if "responseTopic" in request:
        found[Property.RESPONSE_TOPIC] = request["responseTopic"]
    if "payloadFormatIndicator" in request:
        found[Property.PAYLOAD_FORMAT] = int(request["payloadFormatIndicator"] == "UTF8_DATA")
    if "correlationData" in request:
        try:
            found[Property.CORRELATION_DATA] = base64.b64decode(request["correlationData"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidRequest("correlationData is not base64") from error
    if "userProperties" in request:
        found[Property.USER_PROPERTY] = _pairs(request.take_all("userProperties"))
    return found


def _pairs(given: Any) -> list[tuple[str, str]]:
    """Answer the user properties in `[{"name": "value"}, …]`, as JSON or as the shell has read it."""
    try:
        entries = json.loads(given) if isinstance(given, str) else given
        return [
            (key, value if isinstance(value, str) else json.dumps(value))
            for entry in entries
            for key, value in entry.items()
        ]
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidRequest('userProperties must have the form [{"name": "value"}]') from error
