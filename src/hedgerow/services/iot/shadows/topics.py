"""Shadows over MQTT. Answers go through the broker like any message: whoever may subscribe sees them.

Topics: `$aws/things/<thing>/shadow/{get,update,delete}` and `…/shadow/name/<shadow>/{get,update,delete}`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hedgerow.core.caller import Caller
from hedgerow.core.events import Published
from hedgerow.core.shadow import ShadowError, maybe_token, token_of, update_of
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.shadows.changes import Shadows, published, refused
from hedgerow.services.iot.shadows.model import ShadowKey
from hedgerow.store import Answer, Tx

_NO_REPLIES: Mapping[str, Any] = {"replies": ()}


class ShadowTopics:
    """Requests that arrive as publications."""

    def __init__(self, *, shadows: Shadows) -> None:
        self._shadows = shadows

    def get(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        def work(key: ShadowKey) -> tuple[Published, ...]:
            document = self._shadows.get(tx, key, token_of(request.payload))
            return (published(key, "get/accepted", document),)

        return _answered(tx, request, caller, work)

    def update(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        def work(key: ShadowKey) -> tuple[Published, ...]:
            return self._shadows.update(tx, key, update_of(request.payload)).events

        return _answered(tx, request, caller, work)

    def delete(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        def work(key: ShadowKey) -> tuple[Published, ...]:
            return self._shadows.delete(tx, key, token_of(request.payload)).events

        return _answered(tx, request, caller, work)

    def too_many(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        """Refuse whatever is asked, because too much is asked at once."""

        def work(key: ShadowKey) -> tuple[Published, ...]:
            raise ShadowError(429, "Too many requests")

        return _answered(tx, request, caller, work)


def _answered(
    tx: Tx,
    request: TopicRequest,
    caller: Caller,
    work: Callable[[ShadowKey], tuple[Published, ...]],
) -> Answer:
    key = ShadowKey(caller.account, *request.parts)
    try:
        if len(request.parts) == 2 and not key.name:  # no name is not the classic shadow: other policies count for that
            raise ShadowError(400, "Invalid shadow name")
        events = work(key)
    except ShadowError as error:  # raised before anything is written
        events = (refused(caller.account, request.topic, error, maybe_token(request.payload), tx.now),)
    return Answer(_NO_REPLIES, events)
