"""The Lambda Runtime API of one instance, without I/O: what its runtime may ask in which order, and what it is told.

The listener feeds whole requests in and sends replies; the worker hands work in and hears what happened through events.
Spec: Lambda Runtime API 2018-06-01; the order of calls is the one of AWS's runtime interface emulator.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from hedgerow.functions.model import MAX_PAYLOAD

PREFIX: Final = "/2018-06-01/runtime/"
_ERROR_TYPE: Final = re.compile(r"(Runtime|Function)\.[A-Z][a-zA-Z]+")
_INVOCATION: Final = re.compile(r"invocation/([^/]+)/(response|error)")
_ERROR_TYPE_HEADER: Final = "lambda-runtime-function-error-type"
_ERROR_BODY_HEADER: Final = "lambda-runtime-function-error-body"
_MODE_HEADER: Final = "lambda-runtime-function-response-mode"


class Phase(Enum):
    STARTING = "starting"  # the runtime has not asked for work yet
    READY = "ready"  # it waits for work
    RUNNING = "running"  # it has work
    ANSWERED = "answered"  # it has answered and not asked again
    FAILED = "failed"  # it reported that it could not start


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One invocation as the runtime gets it."""

    request_id: str
    payload: bytes
    deadline_ms: int  # since the epoch
    invoked_arn: str
    client_context: bytes = b""  # plain JSON
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One whole request of the runtime. `size` is the body's real length, also when it was too long to be kept."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    size: int = 0
    trailers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Polled:
    """The runtime waits for work."""


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The runtime reported that it could not start."""

    body: bytes
    error_type: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The function answered."""

    payload: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The function (or its answer) failed; `body` is the JSON error body."""

    body: bytes
    error_type: str


Event = Polled | InitFailed | Answered | Failed

ACCEPTED: Final = Reply(202, b'{"status":"OK"}')


def refusal(status: int, kind: str, message: str) -> Reply:
    return Reply(status, error_body(kind, message))


def error_body(kind: str, message: str) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": kind}).encode()


def error_type_of(body: bytes, header: str = "") -> str:
    """Answer the type in an error body; runtimes leave the header out, so it only counts where the body has none."""
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    named = value.get("errorType") if isinstance(value, dict) else None
    if isinstance(named, str) and named:
        return named
    if _ERROR_TYPE.fullmatch(header):
        return header
    return "Function.Unknown" if header.startswith("Function.") else "Runtime.Unknown"


class RuntimeApi:
    """The calls of one runtime, from its start to its end."""

    def __init__(self, on_event: Callable[[Event], None], *, max_payload: int = MAX_PAYLOAD) -> None:
        self._on_event = on_event
        self._max_payload = max_payload
        self._work: Work | None = None
        self.phase = Phase.STARTING

    def give(self, work: Work) -> Reply:
        """Hand work to a runtime that waits for it; answers what its parked `next` is to be told."""
        if self.phase is not Phase.READY:
            raise RuntimeError(f"no work for a runtime that is {self.phase.value}")
        self._work = work
        self.phase = Phase.RUNNING
        headers = [
            ("Content-Type", work.content_type),
            ("Lambda-Runtime-Aws-Request-Id", work.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(work.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", work.invoked_arn),
        ]
        if work.client_context:
            headers.append(("Lambda-Runtime-Client-Context", work.client_context.decode("latin-1")))
        return Reply(200, work.payload, tuple(headers))

    def receive(self, call: Call) -> Reply | None:
        """Answer a call; None means that it is a `next` that waits until there is work."""
        if (call.method, call.path) == ("GET", "/ping"):
            return Reply(200, b"pong")
        if not call.path.startswith(PREFIX):
            return refusal(404, "InvalidRequest", f"there is no {call.path} in this API")
        part = call.path.removeprefix(PREFIX)
        if (call.method, part) == ("GET", "invocation/next"):
            return self._next()
        if (call.method, part) == ("POST", "init/error"):
            return self._init_error(call)
        found = _INVOCATION.fullmatch(part)
        if call.method == "POST" and found:
            return self._finish(call, found[1], failed=found[2] == "error")
        return refusal(404, "InvalidRequest", f"there is no {call.method} {call.path} in this API")

    def unparked(self) -> None:
        """The connection whose `next` waited is gone: the runtime has to ask again."""
        if self.phase is Phase.READY:
            self.phase = Phase.ANSWERED

    def truncated(self, call: Call) -> None:
        """The connection broke off in the middle of this call's body."""
        found = _INVOCATION.fullmatch(call.path.removeprefix(PREFIX))
        if found and self._work and found[1] == self._work.request_id and self.phase is Phase.RUNNING:
            self._end(
                Failed(error_body("Runtime.TruncatedResponse", "Response was cut off"), "Runtime.TruncatedResponse")
            )

    def _next(self) -> Reply | None:
        if self.phase in (Phase.RUNNING, Phase.FAILED):
            return self._wrong_order("next")
        first = self.phase is not Phase.READY
        self.phase = Phase.READY
        if first:
            self._on_event(Polled())
        return None

    def _init_error(self, call: Call) -> Reply:
        if self.phase is not Phase.STARTING:
            return self._wrong_order("init/error")
        self.phase = Phase.FAILED
        self._on_event(InitFailed(call.body, error_type_of(call.body, call.headers.get(_ERROR_TYPE_HEADER, ""))))
        return ACCEPTED

    def _finish(self, call: Call, request_id: str, *, failed: bool) -> Reply:
        if self._work is None or request_id != self._work.request_id:
            return refusal(400, "InvalidRequestID", "Invalid request ID")
        if self.phase is not Phase.RUNNING:
            return refusal(400, "InvalidRequestID", "Invalid request ID")
        if call.size > self._max_payload:
            self._end(_too_large(call.size, self._max_payload))
            text = f"Exceeded maximum allowed payload size ({self._max_payload} bytes)."
            return refusal(413, "RequestEntityTooLarge", text)
        if failed:
            self._end(Failed(call.body, error_type_of(call.body, call.headers.get(_ERROR_TYPE_HEADER, ""))))
            return ACCEPTED
        mode = call.headers.get(_MODE_HEADER)
        if mode is not None and mode.lower() != "streaming":
            text = "Invalid response mode"
            self._end(
                Failed(error_body("Runtime.InvalidResponseModeHeader", text), "Runtime.InvalidResponseModeHeader")
            )
            return refusal(400, "InvalidFunctionResponseMode", text)
        self._end(_streamed_failure(call) or Answered(call.body, call.headers.get("content-type", "application/json")))
        return ACCEPTED

    def _end(self, event: Event) -> None:
        self.phase = Phase.ANSWERED
        self._on_event(event)

    def _wrong_order(self, what: str) -> Reply:
        text = f"{what} is not allowed while the runtime is {self.phase.value}"
        return refusal(403, "InvalidStateTransition", text)


def _too_large(size: int, limit: int) -> Failed:
    kind = "Function.ResponseSizeTooLarge"
    text = f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({limit} bytes)."
    return Failed(error_body(kind, text), kind)


def _streamed_failure(call: Call) -> Failed | None:
    """Answer the error that a streamed response ended with, which comes in its trailers."""
    kind = call.trailers.get(_ERROR_TYPE_HEADER)
    if kind is None:
        return None
    try:
        body = base64.b64decode(call.trailers.get(_ERROR_BODY_HEADER, ""), validate=True)
    except binascii.Error:
        body = b""
    return Failed(body or error_body(kind, "the response stream ended with an error"), error_type_of(body, kind))
