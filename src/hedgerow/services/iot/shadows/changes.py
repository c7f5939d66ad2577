"""Reads and changes shadows inside a transaction, and says what is published about it.

The HTTP operations, the `$aws` topics and other subjects (deployments, provisioning) all go through this. Errors are
ShadowErrors; a change answers the accepted document and the events: `delta`, `documents`, `accepted`, in this order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.core.events import Published
from hedgerow.core.shadow import (
    Shadow,
    ShadowError,
    Update,
    accepted,
    current,
    deleted,
    delta_message,
    documents,
    encoded,
    rejected,
    updated,
)
from hedgerow.services.iot.shadows.model import REMEMBERED_S, TOMBSTONE, Kept, ShadowKey
from hedgerow.services.iot.shadows.store import ShadowStore
from hedgerow.store import Tx

DEPLOYMENT_SHADOW: Final = "AWSManagedGreengrassV2Deployment"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowLimits:
    """How large a state may be, in bytes of JSON. Larger ones for shadows by name: Greengrass's own carries a
    deployment document, which devices accept up to 128 KB in one message.
    """

    state: int = 8192
    named: Mapping[str, int] = field(default_factory=lambda: {DEPLOYMENT_SHADOW: 65_536})

    def of(self, name: str) -> int:
        """Answer the limit for a shadow of this name."""
        return self.named.get(name, self.state)


@dataclass(frozen=True, slots=True)
class Changed:
    """What was answered, and what everyone who subscribed is told."""

    payload: bytes
    events: tuple[Published, ...]


class Shadows:
    """All shadows. It holds no state; one serves every transaction."""

    def __init__(self, *, store: ShadowStore, limits: ShadowLimits) -> None:
        self._store = store
        self._limits = limits

    def get(self, tx: Tx, key: ShadowKey, client_token: str | None = None) -> Mapping[str, Any]:
        """Answer the current document with its delta."""
        kept = self._present(tx, key)
        return current(kept.shadow, client_token, now=int(tx.now))

    def update(self, tx: Tx, key: ShadowKey, update: Update) -> Changed:
        """Merge the update into the shadow, which is made when it is not there."""
        key.check()
        kept = self._store.get(tx, key)
        before = _base(kept, tx.now)
        alive = kept is not None and kept.deleted_at is None
        if update.version is not None and update.version not in (
            (before.version,) if alive else (0, 1, before.version)
        ):
            raise ShadowError(409, "Version conflict")
        now = int(tx.now)
        after = updated(before, update, now=now)
        new = Kept.new(after)
        if new.texts.size > self._limits.of(key.name):
            raise ShadowError(413, "The payload exceeds the maximum size allowed")
        if kept is not None and not alive:
            tx.cancel_follow_ups(TOMBSTONE, account=key.account, key=_row_key(key))
        self._store.put(tx, key, new)
        answer, difference = accepted(update, after, now=now), delta_message(after, update.client_token, now=now)
        known = kept.texts if kept is not None and alive else None
        payload = encoded(answer)
        told = [
            _told(key, "update/documents", documents(known, new.texts, update.client_token, now=now)),
            _told(key, "update/accepted", payload),
        ]
        if difference is not None:
            told.insert(0, published(key, "update/delta", difference))
        return Changed(payload, tuple(told))

    def delete(self, tx: Tx, key: ShadowKey, client_token: str | None = None) -> Changed:
        """Delete the shadow; its version is remembered for two days."""
        version = self._present(tx, key).shadow.version
        self._store.put(tx, key, Kept.new(Shadow(version=version), deleted_at=tx.now))
        tx.follow_up(
            TOMBSTONE,
            account=key.account,
            key=_row_key(key),
            body={"thing": key.thing, "name": key.name},
            due_at=tx.now + REMEMBERED_S,
        )
        payload = encoded(deleted(version, client_token, now=int(tx.now)))
        return Changed(payload, (_told(key, "delete/accepted", payload),))

    def set_desired(
        self, tx: Tx, account: str, thing: str, name: str, desired: Mapping[str, Any]
    ) -> tuple[Published, ...]:
        """Write desired members for another subject, as a client would; answer what is to be published."""
        return self.update(tx, ShadowKey(account, thing, name), Update(state={"desired": desired})).events

    def maybe_reported(self, tx: Tx, account: str, thing: str, name: str) -> Mapping[str, Any] | None:
        """Answer what is reported in a shadow, None when there is no such shadow."""
        kept = self._store.get(tx, ShadowKey(account, thing, name))
        if kept is None or kept.deleted_at is not None:
            return None
        return dict(kept.shadow.state.get("reported", {}))

    def _present(self, tx: Tx, key: ShadowKey) -> Kept:
        key.check()
        kept = self._store.get(tx, key)
        if kept is None or kept.deleted_at is not None:
            raise ShadowError(404, f"No shadow exists with name: '{key.words}'")
        return kept


def published(key: ShadowKey, what: str, message: Mapping[str, Any]) -> Published:
    """Answer a message on one of the shadow's topics."""
    return _told(key, what, encoded(message))


def _told(key: ShadowKey, what: str, payload: bytes) -> Published:
    return Published(account=key.account, topic=f"{key.prefix}/{what}", payload=payload, qos=1)


def refused(account: str, topic: str, error: ShadowError, client_token: str | None, now: float) -> Published:
    """Answer the `rejected` message of a request to this topic."""
    message = rejected(error, client_token, now=int(now))
    return Published(account=account, topic=f"{topic}/rejected", payload=encoded(message), qos=1)


def _base(kept: Kept | None, now: float) -> Shadow:
    if kept is None or (kept.deleted_at is not None and now >= kept.deleted_at + REMEMBERED_S):
        return Shadow()
    return kept.shadow


def _row_key(key: ShadowKey) -> str:
    return json.dumps([key.thing, key.name])
