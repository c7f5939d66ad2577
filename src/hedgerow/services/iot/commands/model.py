"""A command, an execution of it, and which changes of an execution's status are legal.

A time-out that the cloud finds is not the end: the device may still report how it went. One that the device reports is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from hedgerow.core.arn import arn, parse
from hedgerow.core.caller import Caller
from hedgerow.services.iot.commands.errors import InvalidCommand, InvalidTransition, ReportRefused, TerminalStateReached

NAMESPACE: Final = "AWS-IoT"
DEFAULT_TYPE: Final = "application/octet-stream"
LARGEST_PAYLOAD: Final = 32_768  # bytes
DEFAULT_TIMEOUT_S: Final = 10
LONGEST_TIMEOUT_S: Final = 43_200
KEPT_S: Final = 180 * 86_400.0
NO_RESPONSE: Final = "$NO_RESPONSE_FROM_DEVICE"

_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:\s*;.*)?")
_TARGETS: Final = {"thing": "things", "client": "clients"}  # as ARNs and as topics call them
_NAME: Final = re.compile(r"[A-Za-z0-9:_-]{1,128}")


class Status(Enum):
    """Where an execution is."""

    CREATED = "CREATED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    TIMED_OUT = "TIMED_OUT"


ENDS: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.REJECTED, Status.TIMED_OUT})
"""What ends an execution when the device reports it."""

TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {  # what a device may report
    Status.CREATED: ENDS | {Status.IN_PROGRESS},
    Status.IN_PROGRESS: ENDS | {Status.IN_PROGRESS},
    Status.TIMED_OUT: ENDS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command. Either its payload is fixed, or it is a template that is filled in for every execution."""

    id: str
    display_name: str | None = None
    description: str | None = None
    content: bytes | None = None
    content_type: str | None = None
    template: str | None = None
    output: str | None = None  # in which format the filled-in template is sent: JSON or CBOR
    parameters: tuple[Mapping[str, Any], ...] = ()  # as they were given
    created_at: float
    updated_at: float
    deprecated_at: float | None = None
    deletion_at: float | None = None  # when it goes, since its deletion was asked for

    @property
    def sent_as(self) -> str:
        """Answer the content type of what devices get."""
        if self.output is not None:
            return f"application/{self.output.lower()}"
        return self.content_type or DEFAULT_TYPE


def command_arn(caller: Caller, identifier: str) -> str:
    """Answer a command's ARN."""
    return arn("iot", caller.region, caller.account, f"command/{identifier}")


def command_id(caller: Caller, text: str) -> str:
    """Answer the id in a command's ARN; raise InvalidCommand when it is none of this account."""
    parsed = parse(text)
    kind, _, name = ("", "", "") if parsed is None else parsed.resource.partition("/")
    if kind != "command" or text != command_arn(caller, name):
        raise InvalidCommand(f"{text} is not the ARN of a command of this account and region.")
    return name


def checked_type(text: str) -> str:
    """Answer a content type; raise InvalidCommand when it is none."""
    if _TYPE.fullmatch(text) is None:
        raise InvalidCommand(f"contentType must be of the form type/subtype, not {text!r}.")
    return text


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a command is sent to: a thing of the registry, or an MQTT client."""

    kind: str  # "thing" or "client"
    name: str

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def base(self) -> str:
        """Answer how the device's topics begin."""
        return f"$aws/commands/{_TARGETS[self.kind]}/{self.name}/executions"

    @classmethod
    def of_arn(cls, caller: Caller, text: str) -> "Target":
        """Answer whom an ARN names; raise InvalidCommand when it is no thing or client of this account."""
        parsed = parse(text)
        kind, _, name = ("", "", "") if parsed is None else parsed.resource.partition("/")
        same = text == arn("iot", caller.region, caller.account, f"{kind}/{name}")
        if kind not in _TARGETS or not same or _NAME.fullmatch(name) is None:
            raise InvalidCommand(f"{text} is not the ARN of a thing or client of this account and region.")
        return cls(kind, name)

    @classmethod
    def of_topic(cls, kind: str, name: str) -> "Target | None":
        """Answer whom a topic names, or None."""
        found = next((one for one, word in _TARGETS.items() if word == kind), None)
        return None if found is None else cls(found, name)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an execution is where it is, in the device's words."""

    code: str
    description: str | None = None

    def shown(self) -> dict[str, str]:
        """Answer it as everyone is shown it."""
        return {"reasonCode": self.code} | ({} if self.description is None else {"reasonDescription": self.description})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One command on one device."""

    id: str
    command: str
    target: str  # "thing/…" or "client/…"
    status: Status = Status.CREATED
    reason: Reason | None = None
    result: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timeout_s: int
    created_at: float
    updated_at: float
    completed_at: float | None = None  # set when the device has reported an end

    def reported(
        self, status: Status, reason: Reason | None, result: Mapping[str, Mapping[str, Any]] | None, now: float
    ) -> "Execution":
        """Answer it after the device's report; raise ReportRefused when that cannot be."""
        if self.completed_at is not None:
            raise TerminalStateReached(
                f"Command Execution status cannot be updated to {status.value} since execution has already completed"
                f" with status {self.status.value}."
            )
        if status is Status.CREATED:
            raise ReportRefused("A device cannot set the status CREATED.")
        if status not in TRANSITIONS.get(self.status, frozenset()):
            raise InvalidTransition(
                f"Command Execution status cannot be updated to {status.value} from {self.status.value}."
            )
        return replace(
            self,
            status=status,
            reason=reason,
            result=self.result if result is None else result,
            updated_at=now,
            completed_at=now if status in ENDS else None,
        )

    def timed_out(self, now: float) -> "Execution | None":
        """Answer it after its time is over; None where it has ended, or timed out before."""
        if self.status not in (Status.CREATED, Status.IN_PROGRESS):
            return None
        return replace(self, status=Status.TIMED_OUT, reason=Reason(NO_RESPONSE), updated_at=now)
