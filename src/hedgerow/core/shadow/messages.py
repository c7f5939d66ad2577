"""What the shadow service sends: one function per topic. Times are whole seconds since the epoch."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from hedgerow.core.shadow.document import SECTIONS, Shadow, Update, delta, stamps
from hedgerow.core.shadow.errors import ShadowError

Message = dict[str, Any]


class Texts(NamedTuple):
    """A shadow as JSON, as it is kept and told: what is large is written once."""

    state: str
    metadata: str
    version: int

    @property
    def size(self) -> int:
        """How many bytes count for the limit: those of the state, without its metadata."""
        return len(self.state.encode("utf-8"))


def texts_of(shadow: Shadow) -> Texts:
    """Answer the shadow as JSON."""
    return Texts(_text(shadow.state), _text(shadow.metadata), shadow.version)


def encoded(message: Mapping[str, Any]) -> bytes:
    """Answer a message as it goes onto the wire."""
    return _text(message).encode("utf-8")


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _with_token(message: Message, client_token: str | None) -> Message:
    return message if client_token is None else {**message, "clientToken": client_token}


def accepted(update: Update, after: Shadow, *, now: int) -> Message:
    """`update/accepted`: only what was sent, nulls too."""
    state = update.state
    metadata = {name: stamps(section, now) for name, section in (state or {}).items() if section is not None}
    message = {"state": state, "metadata": metadata, "version": after.version, "timestamp": now}
    return _with_token(message, update.client_token)


def delta_message(after: Shadow, client_token: str | None, *, now: int) -> Message | None:
    """`update/delta`: all that is desired and not reported so; None when nothing is."""
    values, times = delta(after)
    if not values:
        return None
    message = {"version": after.version, "timestamp": now, "state": values, "metadata": times}
    return _with_token(message, client_token)


def documents(before: Texts | None, after: Texts, client_token: str | None, *, now: int) -> bytes:
    """`update/documents`: the whole shadow before and after, as it goes onto the wire."""
    previous = "null" if before is None else _whole(before)
    token = "" if client_token is None else f',"clientToken":{_text(client_token)}'
    return f'{{"previous":{previous},"current":{_whole(after)},"timestamp":{now}{token}}}'.encode()


def _whole(shadow: Texts) -> str:
    return f'{{"state":{shadow.state},"metadata":{shadow.metadata},"version":{shadow.version}}}'


def current(shadow: Shadow, client_token: str | None, *, now: int) -> Message:
    """`get/accepted`: the shadow with its delta."""
    state = {name: shadow.state[name] for name in SECTIONS if shadow.state.get(name)}
    difference, _ = delta(shadow)
    if difference:
        state["delta"] = difference
    metadata = {name: shadow.metadata[name] for name in SECTIONS if shadow.metadata.get(name)}
    message = {"state": state, "metadata": metadata, "version": shadow.version, "timestamp": now}
    return _with_token(message, client_token)


def deleted(version: int, client_token: str | None, *, now: int) -> Message:
    """`delete/accepted`: the version of the document that is gone."""
    return _with_token({"version": version, "timestamp": now}, client_token)


def rejected(error: ShadowError, client_token: str | None, *, now: int) -> Message:
    """`…/rejected`: AWS's number and words."""
    return _with_token({"code": error.code, "message": error.message, "timestamp": now}, client_token)
