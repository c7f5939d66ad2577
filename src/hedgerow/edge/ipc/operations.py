"""What the operations of the local IPC do. One table; everything that is not in it is refused by name.

Spec: Greengrass V2 IPC, the operations of PubSub, MQTT proxy, configuration and life cycle.
"""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.base.clock import Clock
from hedgerow.base.errors import HedgerowError, Unavailable
from hedgerow.core.mqtt.packets import Publish
from hedgerow.core.mqtt.properties import Property
from hedgerow.edge.components.local_bus import LocalBus, LocalMessage
from hedgerow.edge.components.supervisor import Supervisor
from hedgerow.edge.connection import Connection
from hedgerow.edge.ipc.authorization import MQTT_PROXY, PUBSUB, allowed
from hedgerow.edge.spool import Outgoing
from hedgerow.edge.trouble import NotLetIn, Trouble


class Failed(HedgerowError):
    """The operation failed; `error` is the name of the error shape."""

    def __init__(self, error: str, message: str, **members: Any) -> None:
        super().__init__(message)
        self.error = error
        self.members = members


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An operation's response; a subscription also says how it ends and is told when it has been answered."""

    body: Mapping[str, Any]
    end: Callable[[], Awaitable[None]] | None = None
    answered: Callable[[], None] | None = None


class Stream(Protocol):
    """Where a subscription's messages go. Never blocks; what finds no room is dropped and counted."""

    def __call__(self, shape: str, body: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: who calls, what it says, where its stream's messages go."""

    component: str
    operation: str
    body: Mapping[str, Any]
    send: Stream

    def text(self, name: str) -> str:
        value = self.body.get(name)
        if not isinstance(value, str) or not value:
            raise Failed("InvalidArgumentsError", f"{self.operation} needs {name}")
        return value


UpdateState = Callable[[str, str], None]


class Operations:
    """The operations of one core's IPC."""

    def __init__(
        self,
        *,
        connection: Connection,
        bus: LocalBus,
        supervisor: Supervisor,
        clock: Clock,
        component_of: Callable[[str], str | None],
        update_state: UpdateState,
    ) -> None:
        self._connection = connection
        self._bus = bus
        self._supervisor = supervisor
        self._clock = clock
        self._component_of = component_of
        self._update_state = update_state
        self._table: Final[Mapping[str, Callable[[Call], Awaitable[Answer]]]] = {
            "PublishToIoTCore": self._publish_to_iot_core,
            "SubscribeToIoTCore": self._subscribe_to_iot_core,
            "PublishToTopic": self._publish_to_topic,
            "SubscribeToTopic": self._subscribe_to_topic,
            "GetConfiguration": self._get_configuration,
            "UpdateState": self._report_state,
            "ValidateAuthorizationToken": self._validate_authorization_token,
        }

    async def perform(self, call: Call) -> Answer:
        """Carry the call out; raise Failed with the error to answer."""
        method = self._table.get(call.operation)
        if method is None:
            raise Failed("ServiceError", f"{call.operation} is not supported by this edge")
        return await method(call)

    async def _publish_to_iot_core(self, call: Call) -> Answer:
        topic = call.text("topicName")
        _plain_topic(topic)
        self._authorise(call, MQTT_PROXY, topic)
        expiry = call.body.get("messageExpiryIntervalSeconds")
        message = Outgoing(
            topic=topic,
            payload=_bytes(call.body.get("payload"), "payload"),
            qos=_qos(call),
            retain=bool(call.body.get("retain")),
            properties=_properties(call.body),
            expires_at=self._clock.now() + float(expiry) if expiry else None,
        )
        try:
            await self._connection.publish(message)
        except Unavailable as error:
            raise Failed("ServiceError", str(error)) from error
        return Answer(body={})

    async def _subscribe_to_iot_core(self, call: Call) -> Answer:
        topic_filter = call.text("topicName")
        self._authorise(call, MQTT_PROXY, topic_filter)
        gate = _Gate(call.send)

        def on_message(message: Publish) -> None:
            gate("IoTCoreMessage", {"message": _from_cloud(message)})

        try:
            subscription = await self._connection.subscribe(topic_filter, on_message, qos=_qos(call))
        except NotLetIn as error:
            raise Failed("UnauthorizedError", str(error)) from error
        except Trouble as error:
            raise Failed("ServiceError", str(error)) from error

        async def end() -> None:
            await self._connection.unsubscribe(subscription)

        return Answer(body={}, end=end, answered=gate.open)

    async def _publish_to_topic(self, call: Call) -> Answer:
        topic = call.text("topic")
        _plain_topic(topic)
        self._authorise(call, PUBSUB, topic)
        message = call.body.get("publishMessage")
        said = message if isinstance(message, Mapping) else {}
        plain, binary = said.get("jsonMessage"), said.get("binaryMessage")
        if isinstance(plain, Mapping):
            payload, is_json = json.dumps(plain.get("message")).encode(), True
        elif isinstance(binary, Mapping):
            payload, is_json = _bytes(binary.get("message"), "message"), False
        else:
            raise Failed("InvalidArgumentsError", "publishMessage has neither a jsonMessage nor a binaryMessage")
        self._bus.publish(LocalMessage(topic=topic, payload=payload, json=is_json, publisher=call.component))
        return Answer(body={})

    async def _subscribe_to_topic(self, call: Call) -> Answer:
        topic = call.text("topic")
        self._authorise(call, PUBSUB, topic)
        wild = any(character in topic for character in "+#")
        others_only = call.body.get("receiveMode", "") == "RECEIVE_MESSAGES_FROM_OTHERS" or (
            wild and "receiveMode" not in call.body
        )
        gate = _Gate(call.send)

        def on_message(message: LocalMessage) -> None:
            if not (others_only and message.publisher == call.component):
                gate("SubscriptionResponseMessage", _local(message))

        stop = self._bus.subscribe(topic, on_message)

        async def end() -> None:
            stop()

        return Answer(body={"topicName": topic}, end=end, answered=gate.open)

    async def _get_configuration(self, call: Call) -> Answer:
        name = str(call.body.get("componentName") or call.component)
        component = self._supervisor.component(name)
        if component is None:
            raise Failed("ResourceNotFoundError", f"there is no component {name} on this core")
        value: Any = component.configuration
        path = [str(key) for key in call.body.get("keyPath") or ()]
        for key in path:
            if not isinstance(value, Mapping) or key not in value:
                raise Failed("ResourceNotFoundError", "Key not found")
            value = value[key]
        if not isinstance(value, Mapping):
            value = {path[-1]: value} if path else {}
        return Answer(body={"componentName": name, "value": value})

    async def _report_state(self, call: Call) -> Answer:
        state = call.text("state")
        if state not in ("RUNNING", "ERRORED"):
            raise Failed("InvalidArgumentsError", f"the state is RUNNING or ERRORED, not {state}")
        self._update_state(call.component, state)
        return Answer(body={})

    async def _validate_authorization_token(self, call: Call) -> Answer:
        if self._component_of(call.text("token")) is None:
            raise Failed("InvalidTokenError", "no component has this token")
        return Answer(body={"isValid": True})

    def _authorise(self, call: Call, service: str, resource: str) -> None:
        component = self._supervisor.component(call.component)
        configuration = component.configuration if component is not None else {}
        if not allowed(configuration, service, call.operation, resource):
            raise Failed(
                "UnauthorizedError",
                f"{call.component} may not {call.operation} on {resource}: no policy of {service} in its accessControl",
            )


class _Gate:
    """Holds a subscription's messages back until it has been answered: what comes before is dropped."""

    def __init__(self, send: Stream) -> None:
        self._send = send
        self._open = False

    def open(self) -> None:
        self._open = True

    def __call__(self, shape: str, body: Mapping[str, Any]) -> None:
        if self._open:
            self._send(shape, body)


def _plain_topic(topic: str) -> None:
    if any(character in topic for character in "+#*"):
        raise Failed("InvalidArgumentsError", f"the topic {topic} must have no wildcard")


def _qos(call: Call) -> int:
    qos = str(call.body.get("qos", "0"))
    if qos not in ("0", "1"):
        raise Failed("InvalidArgumentsError", f"qos is 0 or 1, not {qos}")
    return int(qos)


def _bytes(value: Any, name: str) -> bytes:
    if value is None:
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise Failed("InvalidArgumentsError", f"{name} is not base64") from error


def _properties(body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the MQTT 5 properties of a message as the spool keeps them."""
    found: dict[int, Any] = {
        Property.PAYLOAD_FORMAT: int(body["payloadFormat"]) if body.get("payloadFormat") in ("0", "1") else None,
        Property.CONTENT_TYPE: body.get("contentType"),
        Property.RESPONSE_TOPIC: body.get("responseTopic"),
        Property.CORRELATION_DATA: body.get("correlationData"),
    }
    pairs = [[str(one.get("key", "")), str(one.get("value", ""))] for one in body.get("userProperties") or ()]
    if pairs:
        found[Property.USER_PROPERTY] = pairs
    return {str(int(number)): value for number, value in found.items() if value is not None}


def _from_cloud(message: Publish) -> dict[str, Any]:
    properties = message.properties
    said: dict[str, Any] = {"topicName": message.topic, "payload": base64.b64encode(message.payload).decode()}
    if message.retain:
        said["retain"] = True
    if Property.USER_PROPERTY in properties:
        said["userProperties"] = [{"key": key, "value": value} for key, value in properties[Property.USER_PROPERTY]]
    if Property.MESSAGE_EXPIRY in properties:
        said["messageExpiryIntervalSeconds"] = properties[Property.MESSAGE_EXPIRY]
    if Property.CORRELATION_DATA in properties:
        said["correlationData"] = base64.b64encode(properties[Property.CORRELATION_DATA]).decode()
    if Property.RESPONSE_TOPIC in properties:
        said["responseTopic"] = properties[Property.RESPONSE_TOPIC]
    if Property.PAYLOAD_FORMAT in properties:
        said["payloadFormat"] = str(properties[Property.PAYLOAD_FORMAT])
    if Property.CONTENT_TYPE in properties:
        said["contentType"] = properties[Property.CONTENT_TYPE]
    return said


def _local(message: LocalMessage) -> dict[str, Any]:
    context = {"topic": message.topic}
    if message.json:
        return {"jsonMessage": {"message": json.loads(message.payload), "context": context}}
    return {"binaryMessage": {"message": base64.b64encode(message.payload).decode(), "context": context}}
