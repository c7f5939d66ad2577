"""The IoT log of an account: what is wanted of it, and what its lines look like.

A line is written when it is no more talkative than what is wanted of whom it is about. What counts for a client is the
level of its client id, else of its principal, else of its address, else of its thing's groups (the nearest one in each
line of groups; of several groups the most talkative), else that of the event's type, else the account's. A level of a
client holds for all types of events. Who writes lines, and where, is for others.
Spec: AWS IoT developer guide, "Configure AWS IoT logging" and "CloudWatch Logs AWS IoT log entries"; the guide leaves
open which of several targets counts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any, Final

GROUP: Final = "AWSIotLogsV2"
GROUP_V1: Final = "AWSIotLogs"
EVENTS: Final = (
    "Connect",
    "Disconnect",
    "Publish-In",
    "Publish-Out",
    "Subscribe",
    "Unsubscribe",
    "DeleteConnection",
    "GetRetainedMessage",
    "ListRetainedMessage",
    "GetThingShadow",
    "UpdateThingShadow",
    "DeleteThingShadow",
    "RuleMatch",
    "RuleNotFound",
    "RuleMessageThrottled",
    "StartingRuleExecution",
    "RuleExecution",
    "DescribeJobExecution",
    "GetPendingJobExecution",
    "StartNextPendingJobExecution",
    "UpdateJobExecution",
    "ReportFinalJobExecutionCount",
    "GetDeviceCredentials",
    "ProvisionDevice",
)


class Level(IntEnum):
    """How talkative: each includes those before it."""

    DISABLED = 0
    ERROR = 1
    WARN = 2
    INFO = 3
    DEBUG = 4


class TargetType(Enum):
    """What a level can be set for."""

    DEFAULT = "DEFAULT"
    THING_GROUP = "THING_GROUP"
    CLIENT_ID = "CLIENT_ID"
    SOURCE_IP = "SOURCE_IP"
    PRINCIPAL_ID = "PRINCIPAL_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of one client: a level, and other ones for some types of events."""

    level: Level = Level.DISABLED
    events: Mapping[str, Level] = field(default_factory=dict)

    def wants(self, event: str, level: Level) -> bool:
        """Tell whether a line of this type and level is written."""
        return level <= self.events.get(event, self.level)

    @property
    def anything(self) -> bool:
        """Whether any line at all is."""
        return self.level > Level.DISABLED or any(self.events.values())


NOTHING: Final = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRules:
    """What an account wants to have written of whom."""

    default: Level
    disabled: bool = False  # whatever the levels say
    events: Mapping[str, Level] = field(default_factory=dict)
    targets: Mapping[tuple[TargetType, str], Level] = field(default_factory=dict)

    @property
    def by_group(self) -> bool:
        """Whether groups of things matter."""
        return not self.disabled and any(kind is TargetType.THING_GROUP for kind, _ in self.targets)

    def wanted(
        self, *, client_id: str = "", principal: str = "", address: str = "", lines: Sequence[Sequence[str]] = ()
    ) -> Wanted:
        """Answer what is wanted of a client; `lines` are those of its thing's groups, each from the nearest upwards."""
        if self.disabled:
            return NOTHING
        level = self._of_target(client_id, principal, address, lines)
        return Wanted(level=self.default, events=self.events) if level is None else Wanted(level=level)

    def _of_target(self, client_id: str, principal: str, address: str, lines: Sequence[Sequence[str]]) -> Level | None:
        for key in (
            (TargetType.CLIENT_ID, client_id),
            (TargetType.PRINCIPAL_ID, principal),
            (TargetType.SOURCE_IP, address),
        ):
            if key in self.targets:
                return self.targets[key]
        nearest = [self._nearest(line) for line in lines]
        return max((level for level in nearest if level is not None), default=None)

    def _nearest(self, line: Sequence[str]) -> Level | None:
        levels = (self.targets.get((TargetType.THING_GROUP, name)) for name in line)
        return next((level for level in levels if level is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: `fields` are AWS's attributes of this type of event, in order; `reason` is there when it failed."""

    account: str
    at: float  # seconds since the epoch
    level: Level
    event: str
    trace: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False

    def line(self) -> str:
        """Answer the JSON of AWSIotLogsV2."""
        head = {
            "timestamp": self._time(),
            "logLevel": self.level.name,
            "traceId": self.trace,
            "accountId": self.account,
            "status": "Failure" if self.failed else "Success",
            "eventType": self.event,
        }
        return json.dumps({**head, **self.fields}, ensure_ascii=False, default=str)

    def plain(self) -> str:
        """Answer the plain text that AWSIotLogs has, which an account asks for with SetLoggingOptions."""
        words = [self._time(), f"TRACEID:{self.trace}", f"PRINCIPALID:{self.fields.get('principalId', '')}"]
        words += [f"[{self.level.name}]", f"EVENT:{self.event}"]
        named = {"topicName": "TOPICNAME", "clientId": "CLIENTID", "ruleName": "RULENAME"}
        words += [f"{word}:{self.fields[name]}" for name, word in named.items() if name in self.fields]
        details = self.fields.get("details") or self.fields.get("reason") or self.event
        words.append(f"MESSAGE:{details} Status: {'FAILURE' if self.failed else 'SUCCESS'}")
        return " ".join(words).replace("\n", " ").replace("\r", " ")

    def _time(self) -> str:
        moment = datetime.fromtimestamp(self.at, UTC)
        return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def stream_at(at: float) -> str:
    """Answer the log stream for lines that are written now: one for each day."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
