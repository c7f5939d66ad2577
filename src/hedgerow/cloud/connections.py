"""The operations of iot-data that the gateway itself answers: Publish, connections, subscriptions, retained messages.

They are flows, because what they touch is no database: live sessions, and the bus. Source: AWS IoT API reference.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.base.errors import NotImplementedYet, ServiceError, Unavailable
from hedgerow.core.caller import Caller
from hedgerow.core.mqtt.limits import Limits
from hedgerow.core.mqtt.properties import Property, write_properties
from hedgerow.core.mqtt.topics import is_name
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.ports import Asked, Bus, Control, Cut, Message

STORED_WITHIN_S: Final = 10.0
DEFAULT_PAGE: Final = 20
RULES: Final = "$aws/rules/"


class InvalidRequest(ServiceError):
    """The request cannot be honoured as it stands."""

    code = "InvalidRequestException"


class NotFound(ServiceError):
    """There is no such client or retained message."""

    code = "ResourceNotFoundException"


class ConnectionFlows:
    """What operators ask of live sessions."""

    def __init__(
        self, *, bus: Bus, gateway: Gateway, control: Control, clock: Clock, pager: Pager, limits: Limits
    ) -> None:
        self._bus = bus
        self._gateway = gateway
        self._control = control
        self._clock = clock
        self._pager = pager
        self._limits = limits

    async def publish(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """Publish a message; answered when it is stored wherever a receiver needs it."""
        message = self._message(request, caller)
        if message.topic.startswith("$") and not message.topic.startswith(RULES):
            await self._ask(message, caller)
            return {}
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def on_stored(ok: bool) -> None:
            if not stored.done():
                stored.set_result(ok)

        self._bus.publish(message, on_stored)
        async with asyncio.timeout(STORED_WITHIN_S):
            if not await stored:
                raise Unavailable(f"the message to {message.topic} could not be stored")
        return {}

    async def _ask(self, message: Message, caller: Caller) -> None:
        """Have a shadow asked or changed; who subscribed sees the request and its answers, as by MQTT."""
        if "/shadow/" not in message.topic or not self._control.wants(message):
            raise NotImplementedYet(
                f"publishing to {message.topic} by HTTP is not there; use MQTT, or the operation for it"
            )
        if message.retain:
            raise InvalidRequest(f"a message to {message.topic} cannot be retained")
        question = Asked(message=message, peer=caller.source_ip or "", by_certificate=caller.certificate_id is not None)
        self._bus.publish(message)
        await self._control.ask(question, deadline_s=STORED_WITHIN_S)  # shadows answer by messages alone

    async def get_connection(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        client_id, with_socket = request["clientId"], request.get("includeSocketInformation", False)
        found = self._gateway.connectivity(caller.account, client_id)
        if found is None:
            raise NotFound(
                f"nothing is known of a client {client_id}: it is not connected and was not for half an hour"
            )
        answer: dict[str, Any] = {
            "clientId": found.client_id,
            "connected": found.connected,
            "cleanSession": found.clean_session,
            "keepAliveDuration": found.keep_alive_s,
            "sessionExpiry": found.session_expiry_s,
        }
        if found.thing:
            answer["thingName"] = found.thing
        if found.connected:
            answer["connectedSince"] = int(found.since * 1000)
        else:
            answer["disconnectedSince"] = int((found.disconnected_at or 0) * 1000)
            answer["disconnectReason"] = found.disconnect_reason
        if with_socket:
            answer |= {"sourceIp": found.peer, "sourcePort": found.port}
            if found.target:
                answer |= {"targetIp": found.target, "targetPort": found.target_port}
        return answer

    async def delete_connection(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        client_id = request["clientId"]
        clean, quiet = request.get("cleanSession", False), request.get("preventWillMessage", False)
        found = self._gateway.connectivity(caller.account, client_id)
        if (found is None or not found.connected) and self._gateway.subscriptions(caller.account, client_id) is None:
            raise NotFound(f"there is no client {client_id}, connected or with a kept session")
        self._bus.tell(
            "*",
            Cut(
                account=caller.account,
                client_id=client_id,
                reason="API_INITIATED_DISCONNECT",
                clean_session=clean,
                prevent_will=quiet,
            ),
        )
        return {}

    async def list_subscriptions(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        client_id, count = request["clientId"], request.get("maxResults", DEFAULT_PAGE)
        scope = f"ListSubscriptions/{caller.account}/{client_id}"
        after = self._pager.position(scope, request.get("nextToken")) or ""
        found = self._gateway.subscriptions(caller.account, client_id)
        if found is None:
            raise NotFound(f"there is no client {client_id}, connected or with a kept session")
        rest = sorted(each for each in found if each[0] > after)
        answer: dict[str, Any] = {"subscriptions": [{"topicFilter": text, "qos": qos} for text, qos in rest[:count]]}
        if len(rest) > count:
            answer["nextToken"] = self._pager.token(scope, rest[count - 1][0])
        return answer

    async def get_retained_message(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        topic = request["topic"]
        for message, kept_at in self._gateway.retained(caller.account):
            if message.topic == topic:
                return {
                    "topic": topic,
                    "payload": message.payload,
                    "qos": message.qos,
                    "lastModifiedTime": int(kept_at * 1000),
                }
        raise NotFound(f"there is no retained message on {topic}")

    async def list_retained_messages(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        count, scope = request.get("maxResults", 200), f"ListRetainedMessages/{caller.account}"
        after = self._pager.position(scope, request.get("nextToken")) or ""
        rest = sorted(
            (message.topic, len(message.payload), message.qos, kept_at)
            for message, kept_at in self._gateway.retained(caller.account)
            if message.topic > after
        )
        answer: dict[str, Any] = {
            "retainedTopics": [
                {"topic": topic, "payloadSize": size, "qos": qos, "lastModifiedTime": int(kept_at * 1000)}
                for topic, size, qos, kept_at in rest[:count]
            ]
        }
        if len(rest) > count:
            answer["nextToken"] = self._pager.token(scope, rest[count - 1][0])
        return answer

    def _message(self, request: Request, caller: Caller) -> Message:
        topic, payload, qos = request["topic"], request.get("payload", b""), request.get("qos", 0)
        retain, expiry = request.get("retain", False), request.get("messageExpiry")
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
            properties=_properties(request),
            expires_at=None if expiry is None else self._clock.now() + expiry,
            principal=caller.certificate_id or caller.principal,
        )


def _properties(request: Request) -> bytes:
    """Answer the MQTT 5 properties that the request sets, encoded."""
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
    try:
        return write_properties(found)
    except ValueError as error:  # a field that is longer than MQTT can say
        raise InvalidRequest(f"The properties of the message do not fit: {error}") from error


def _pairs(given: Any) -> list[tuple[str, str]]:
    """Answer the user properties in `[{"name": "value"}, …]`, as JSON or as the shell has read it."""
    try:
        entries = json.loads(given) if isinstance(given, str) else given
        return [(key, str(value)) for entry in entries for key, value in entry.items()]
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidRequest('userProperties must have the form [{"name": "value"}]') from error
