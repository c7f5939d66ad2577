"""What clients send: bytes into checked requests, or a ShadowError with AWS's code and words."""

import json
from collections.abc import Mapping
from typing import Any, Final

from hedgerow.core.shadow.document import SECTIONS, Update
from hedgerow.core.shadow.errors import ShadowError

DEEPEST: Final = 6  # containers, with `desired` as the first: eight keys from `state` to a leaf
LONGEST_TOKEN: Final = 64
_TOO_DEEP: Final = f"JSON contains too many levels of nesting; maximum is {DEEPEST}"


def update_of(payload: bytes) -> Update:
    """Read an update request."""
    document = _object(payload)
    if "state" not in document:
        raise ShadowError(400, "Missing required node: state")
    return Update(
        state=_state(document["state"]),
        version=_version(document.get("version")),
        client_token=_token(document),
    )


def token_of(payload: bytes) -> str | None:
    """Answer the client token of a get or delete request, whose payload may be empty."""
    return _token(_object(payload)) if payload.strip() else None


def maybe_token(payload: bytes) -> str | None:
    """Answer the client token of a request that may be faulty, None where there is none to be read."""
    try:
        return token_of(payload)
    except ShadowError:
        return None


def _object(payload: bytes) -> Mapping[str, Any]:
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ShadowError(415, "Unsupported documented encoding; supported encoding is UTF-8") from error
    try:
        document = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
    except RecursionError as error:
        raise ShadowError(400, _TOO_DEEP) from error
    except ValueError as error:
        raise ShadowError(400, "Invalid JSON") from error
    if not isinstance(document, dict):
        raise ShadowError(400, "Invalid JSON")
    return document


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return number


def _state(state: Any) -> Mapping[str, Any] | None:
    if state is None:
        return None
    if not isinstance(state, dict):
        raise ShadowError(400, "State node must be an object")
    for name in state:
        if name not in (*SECTIONS, "delta"):
            raise ShadowError(400, f"State contains an invalid node: '{name}'")
    for name in SECTIONS:
        section = state.get(name)
        if section is not None and not isinstance(section, dict):
            raise ShadowError(400, f"{name.capitalize()} node must be an object")
        _check(section, 1)
    return {name: state[name] for name in SECTIONS if name in state}


def _check(value: Any, depth: int) -> None:
    if not isinstance(value, dict | list) or not value:
        return
    if depth > DEEPEST:
        raise ShadowError(400, _TOO_DEEP)
    if isinstance(value, list) and None in value:
        raise ShadowError(400, "State contains an invalid node: an array holds null")
    for item in value.values() if isinstance(value, dict) else value:
        _check(item, depth + 1)


def _version(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ShadowError(400, "Invalid version")
    return value


def _token(document: Mapping[str, Any]) -> str | None:
    token = document.get("clientToken")
    if token is None:
        return None
    if not isinstance(token, str) or len(token.encode("utf-8")) > LONGEST_TOKEN:
        raise ShadowError(400, "Invalid clientToken")
    return token
