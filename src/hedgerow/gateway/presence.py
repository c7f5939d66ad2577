"""Lifecycle events, as AWS words them: who connected, disconnected, could not connect, subscribed, unsubscribed."""

import json
from typing import Any, Final

from hedgerow.gateway.connection import Connection

PRESENCE: Final = "$aws/events/presence/"
SUBSCRIPTIONS: Final = "$aws/events/subscriptions/"


def _event(word: str, client_id: str, connection: Connection, now: float) -> dict[str, Any]:
    event: dict[str, Any] = {
        "clientId": client_id,
        "timestamp": int(now * 1000),
        "eventType": word,
        "sessionIdentifier": connection.session_id,
        "principalIdentifier": connection.admitted.principal,
    }
    if connection.announced:
        event["thingName"] = connection.announced
    return event


def connected(client_id: str, connection: Connection, now: float) -> tuple[str, bytes]:
    event = _event("connected", client_id, connection, now)
    event |= {"ipAddress": connection.peer.address, "versionNumber": connection.epoch}
    return _encoded(PRESENCE, event)


def connect_failed(client_id: str, connection: Connection, now: float) -> tuple[str, bytes]:
    event = _event("connect_failed", client_id, connection, now)
    event |= {"ipAddress": connection.peer.address, "connectFailureReason": "AUTHORIZATION_FAILED"}
    return _encoded(PRESENCE, event)


def subscribed(client_id: str, connection: Connection, filters: list[str], now: float) -> tuple[str, bytes]:
    return _encoded(SUBSCRIPTIONS, _event("subscribed", client_id, connection, now) | {"topics": filters})


def unsubscribed(client_id: str, connection: Connection, filters: list[str], now: float) -> tuple[str, bytes]:
    return _encoded(SUBSCRIPTIONS, _event("unsubscribed", client_id, connection, now) | {"topics": filters})


def disconnected(
    client_id: str,
    *,
    principal: str,
    thing: str,
    session_id: str,
    epoch: int,
    word: str,
    initiated: bool,
    now: float,
) -> tuple[str, bytes]:
    """Also for clients of a gateway that ended without a word, so it takes values."""
    event: dict[str, Any] = {
        "clientId": client_id,
        "timestamp": int(now * 1000),
        "eventType": "disconnected",
        "clientInitiatedDisconnect": initiated,
        "sessionIdentifier": session_id,
        "principalIdentifier": principal,
        "versionNumber": epoch,
        "disconnectReason": word,
    }
    if thing:
        event["thingName"] = thing
    return _encoded(PRESENCE, event)


def _encoded(prefix: str, event: dict[str, Any]) -> tuple[str, bytes]:
    return f"{prefix}{event['eventType']}/{event['clientId']}", json.dumps(event, separators=(",", ":")).encode()


def is_told(client_id: str) -> bool:
    """Tell whether there are events of this client: not when its id would be a wildcard."""
    return "+" not in client_id and "#" not in client_id
