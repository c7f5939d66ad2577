"""What devices report of executions: `$aws/commands/things|clients/<device>/executions/<id>/response[/json|/cbor]`.

Answers go to the asking connection alone, on `…/response/accepted` and `…/response/rejected` with the same ending.
Source: developer guide, "Start and monitor command executions"; the error codes are those of AWS's device SDKs.
"""

import base64
import binascii
import io
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

import cbor2

from hedgerow.core.caller import Caller
from hedgerow.core.topics import TopicRequest
from hedgerow.services.iot.commands.errors import InvalidJson, NoSuchExecution, ReportRefused
from hedgerow.services.iot.commands.messages import event_of
from hedgerow.services.iot.commands.model import Reason, Status, Target
from hedgerow.services.iot.commands.store import ExecutionStore
from hedgerow.store import Answer, Tx

MOST_RESULTS: Final = 100
_KEY: Final = re.compile(r"[a-zA-Z0-9_-]{1,32}")
_CODE: Final = re.compile(r"[A-Z0-9_-]{1,64}")
_LONGEST_DESCRIPTION: Final = 1024


class CommandTopics:
    """Reports that arrive as publications."""

    def __init__(self, *, executions: ExecutionStore) -> None:
        self._executions = executions

    def report(self, tx: Tx, request: TopicRequest, caller: Caller) -> Answer:
        """`…/response`, in JSON or CBOR."""
        binary = request.topic.endswith("/cbor")
        ending = next((each for each in ("/json", "/cbor") if request.topic.endswith(each)), "")
        base, identifier = request.topic.removesuffix(ending), request.parts[2]
        try:
            answer = self._taken(tx, request, caller, _object(request.payload, binary=binary))
        except ReportRefused as error:  # raised before anything is written
            body = {"error": error.code_on_topics, "errorMessage": error.message, "executionId": identifier}
            return Answer({"replies": ((f"{base}/rejected{ending}", _encoded(body, binary=binary)),)})
        reply = (f"{base}/accepted{ending}", _encoded({"executionId": identifier}, binary=binary))
        return Answer({"replies": (reply,)}, answer.events)

    def _taken(self, tx: Tx, request: TopicRequest, caller: Caller, body: Mapping[str, Any]) -> Answer:
        kind, name, identifier = request.parts
        target, one = Target.of_topic(kind, name), self._executions.get(tx, caller.account, identifier)
        if target is None or one is None or one.target != target.key:
            raise NoSuchExecution(f"Command execution {identifier} of {name} cannot be found.")
        changed = one.reported(_status(body), _reason(body), _result(body), tx.now)
        self._executions.put(tx, caller.account, changed)
        if (changed.status, changed.reason) == (one.status, one.reason):
            return Answer()
        return Answer({}, (event_of(caller.account, caller.region, changed),))


def _encoded(body: Mapping[str, str], *, binary: bool) -> bytes:
    if binary:
        return cbor2.dumps(dict(body))
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def _object(payload: bytes, *, binary: bool) -> Mapping[str, Any]:
    try:
        body = _from_cbor(payload) if binary else json.loads(payload.decode("utf-8"))
        json.dumps(body, default=str, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
    except (ValueError, RecursionError, TypeError, OverflowError, cbor2.CBORDecodeError) as error:
        raise InvalidJson(f"The payload is not {'CBOR' if binary else 'JSON'}") from error
    if not isinstance(body, dict):
        raise InvalidJson(f"The payload is not a {'CBOR map' if binary else 'JSON object'}")
    return body


def _from_cbor(payload: bytes) -> Any:
    stream = io.BytesIO(payload)
    body = cbor2.load(stream)
    if stream.tell() != len(payload):
        raise ValueError("something follows")
    return body


def _status(body: Mapping[str, Any]) -> Status:
    try:
        return Status(body.get("status"))
    except ValueError as error:
        raise ReportRefused("status must be IN_PROGRESS, SUCCEEDED, FAILED, REJECTED or TIMED_OUT") from error


def _reason(body: Mapping[str, Any]) -> Reason | None:
    reason = body.get("statusReason")
    if reason is None:
        return None
    code = reason.get("reasonCode") if isinstance(reason, dict) else None
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        raise ReportRefused("statusReason needs a reasonCode of at most 64 of A-Z, 0-9, _ and -")
    description = reason.get("reasonDescription")
    if description is not None and (
        not isinstance(description, str) or len(description) > _LONGEST_DESCRIPTION or _has_control(description)
    ):
        raise ReportRefused(
            f"reasonDescription must be a text of at most {_LONGEST_DESCRIPTION} characters, none of them control"
        )
    return Reason(code, description)


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character)[0] == "C" for character in text)


def _result(body: Mapping[str, Any]) -> dict[str, dict[str, Any]] | None:
    result = body.get("result")
    if result is None:
        return None
    if not isinstance(result, dict) or not result:
        raise ReportRefused("At least 1 command execution result is required")
    if len(result) > MOST_RESULTS:
        raise ReportRefused(f"There may be {MOST_RESULTS} command execution results at most")
    return {_name(name): _value(name, value) for name, value in result.items()}


def _name(name: object) -> str:
    if not isinstance(name, str) or _KEY.fullmatch(name) is None:
        raise ReportRefused("The name of a result has 1 to 32 of a-z, A-Z, 0-9, _ and -")
    return name


def _value(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ReportRefused(f"The result {name} must say its type: s, b or bin")
    given = {member: content for member, content in value.items() if content is not None}  # SDKs send null for the rest
    match given:
        case {"s": str(text)} if len(given) == 1 and text:
            return {"S": text}
        case {"b": bool(truth)} if len(given) == 1:
            return {"B": truth}
        case {"bin": bytes(content)} if len(given) == 1 and content:
            return {"BIN": content}
        case {"bin": str(text)} if len(given) == 1 and text:
            return {"BIN": _decoded(name, text)}
    raise ReportRefused(f"The result {name} must be one of s (text), b (true or false) and bin (base64)")


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ReportRefused(f"The result {name} is not base64") from error
