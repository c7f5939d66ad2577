"""What a device hears when an answer on a `$aws` topic failed by our fault: `rejected`, in the words of that topic.

Operations answer what is wrong with a request themselves; this is for what they did not see coming, so that no device
waits for an answer that never comes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import cbor2

from hedgerow.core.topics import TopicRequest

WHY: Final = "Internal service failure"

Body = Callable[[TopicRequest, int], Mapping[str, Any]]
Replies = tuple[tuple[str, bytes], ...]


def rejected(request: TopicRequest, *, now: float) -> Replies:
    """Answer the reply, none for a topic that has no answers."""
    topic, form = request.topic, ""
    for ending in ("/json", "/cbor"):
        if topic.endswith(ending):
            topic, form = topic.removesuffix(ending), ending
    body = next((found for part, found in _BODIES.items() if part in topic), None)
    if body is None:
        return ()
    said = body(request, int(now))
    payload = cbor2.dumps(said) if form == "/cbor" else json.dumps(said, separators=(",", ":")).encode()
    where = f"{topic}/rejected{form}" if body is _of_a_command else f"{request.topic}/rejected"
    return ((where, payload),)


def _of_a_shadow(request: TopicRequest, now: int) -> Mapping[str, Any]:
    return {"code": 500, "message": WHY, "timestamp": now, **_token(request)}


def _of_a_job(request: TopicRequest, now: int) -> Mapping[str, Any]:
    return {"code": "InternalError", "message": WHY, "timestamp": now, **_token(request)}


def _of_provisioning(request: TopicRequest, now: int) -> Mapping[str, Any]:
    return {"statusCode": 500, "errorCode": "InternalFailure", "errorMessage": WHY}


def _of_a_command(request: TopicRequest, now: int) -> Mapping[str, Any]:
    return {"error": "InternalError", "errorMessage": WHY, "executionId": request.parts[-1] if request.parts else ""}


_BODIES: Final[Mapping[str, Body]] = {  # found by a part of the topic
    "/shadow/": _of_a_shadow,
    "/jobs/": _of_a_job,
    "$aws/certificates/": _of_provisioning,
    "$aws/provisioning-templates/": _of_provisioning,
    "$aws/commands/": _of_a_command,
}


def _token(request: TopicRequest) -> Mapping[str, str]:
    """Answer the request's client token, where it can be told."""
    try:
        body = json.loads(request.payload)
        token = body.get("clientToken") if isinstance(body, dict) else None
        return {"clientToken": token} if isinstance(token, str) and token.encode() else {}
    except (ValueError, RecursionError):
        return {}
