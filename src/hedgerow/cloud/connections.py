"""The operations of iot-data about what the gateway has: connections, subscriptions, retained messages.

They are flows, because what they touch is no database: live sessions. Source: AWS IoT API reference.
"""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from heapq import nsmallest
from typing import Any, Final

from hedgerow.base.clock import Clock
from hedgerow.cloud.messages import NotFound
from hedgerow.core.caller import Caller
from hedgerow.core.mqtt.packets import Kind
from hedgerow.core.mqtt.properties import Property, read_properties, with_length
from hedgerow.core.paging import Pager
from hedgerow.core.request import Request
from hedgerow.gateway.gateway import Gateway
from hedgerow.gateway.ports import Bus, Cut
from hedgerow.gateway.retained import Kept

DEFAULT_PAGE: Final = 20


class ConnectionFlows:
    """What operators ask of live sessions."""

    def __init__(self, *, bus: Bus, gateway: Gateway, clock: Clock, pager: Pager) -> None:
        self._bus = bus
        self._gateway = gateway
        self._clock = clock
        self._pager = pager

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
        account = self._gateway.router.accounts.get(caller.account)
        kept = None if account is None else account.retained.get(topic)
        expires_at = None if kept is None else kept.message.expires_at
        if kept is None or (expires_at is not None and expires_at <= self._clock.now()):
            raise NotFound(f"there is no retained message on {topic}")
        message = kept.message
        answer = {
            "topic": topic,
            "payload": message.payload,
            "qos": message.qos,
            "lastModifiedTime": int(kept.at * 1000),
        }
        if users := _user_properties(message.properties):
            answer["userProperties"] = json.dumps([{name: value} for name, value in users]).encode()
        return answer

    async def list_retained_messages(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        count, scope = request.get("maxResults", 200), f"ListRetainedMessages/{caller.account}"
        now = self._clock.now()
        after = self._pager.position(scope, request.get("nextToken")) or ""
        account = self._gateway.router.accounts.get(caller.account)
        if account is None:
            return {"retainedTopics": []}
        retained = account.retained
        gone, topics = frozenset(retained.expired(now)), retained.topics()
        rest = await asyncio.to_thread(_first, topics, after, gone, count + 1)  # of half a million it takes a while
        found = [kept for topic in rest[:count] if (kept := retained.get(topic)) is not None]
        answer: dict[str, Any] = {"retainedTopics": [_shown(kept) for kept in found]}
        if len(rest) > count:
            answer["nextToken"] = self._pager.token(scope, rest[count - 1])
        return answer


def _first(topics: Sequence[str], after: str, gone: Collection[str], count: int) -> list[str]:
    return nsmallest(count, (topic for topic in topics if topic > after and topic not in gone))


def _shown(kept: Kept) -> Mapping[str, Any]:
    message = kept.message
    return {
        "topic": message.topic,
        "payloadSize": len(message.payload),
        "qos": message.qos,
        "lastModifiedTime": int(kept.at * 1000),
    }


def _user_properties(encoded: bytes) -> list[tuple[str, str]]:
    whole = with_length(encoded)
    properties, _ = read_properties(whole, 0, len(whole), Kind.PUBLISH)
    found: list[tuple[str, str]] = properties.get(Property.USER_PROPERTY, [])
    return found
