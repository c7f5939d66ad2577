"""What an account's logging options are, and which ones make sense.

Version 1 (SetLoggingOptions) is a role and a level, and lines of plain text; version 2 has levels for types of events
and for targets, and lines of JSON. The call made last decides which of the two an account has.
Spec: AWS IoT API reference, SetV2LoggingOptions, SetV2LoggingLevel; the number of targets is a bound of our own.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.iotlog import EVENTS, GROUP, Level, LogRules, TargetType
from hedgerow.services.iot.errors import InvalidRequest

MOST_TARGETS: Final = 1_000
LONGEST_NAME: Final = 512

Target = tuple[TargetType, str]


@dataclass(frozen=True, slots=True)
class EventConfiguration:
    """What is different for one type of event: its level, where its lines go."""

    event: str
    level: Level | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingOptions:
    """The options of one account."""

    version: int
    role: str | None
    default: Level
    disabled: bool = False
    events: tuple[EventConfiguration, ...] = ()

    def rules(self, targets: Mapping[Target, Level]) -> LogRules:
        """Answer what is to be written; levels of targets count in version 2 alone."""
        return LogRules(
            default=self.default,
            disabled=self.disabled,
            events={one.event: one.level for one in self.events if one.level is not None},
            targets=targets if self.version == 2 else {},
        )

    def destination(self, event: str) -> str:
        """Answer the log group of version 2 for a type of event."""
        return next((one.destination for one in self.events if one.event == event and one.destination), GROUP)

    def checked(self) -> "LoggingOptions":
        """Answer the same; raise InvalidRequest when nothing could be written although it is wanted."""
        wants = not self.disabled and (self.default or any(one.level for one in self.events))
        if wants and self.role is None:
            raise InvalidRequest("roleArn is needed: a role that lets AWS IoT write to CloudWatch Logs")
        return self


def checked_events(events: Sequence[EventConfiguration]) -> tuple[EventConfiguration, ...]:
    """Answer the configurations; raise when one says nothing, comes twice or is of a type that is never logged."""
    for one in events:
        if one.event not in EVENTS:
            raise NotImplementedYet(f"events of the type {one.event} are not logged; there are {', '.join(EVENTS)}")
        if one.level is None and one.destination is None:
            raise InvalidRequest(f"the configuration of {one.event} needs a logLevel or a logDestination")
    if len({one.event for one in events}) < len(events):
        raise InvalidRequest("eventConfigurations names an event type twice")
    return tuple(events)


def checked_target(kind: str, name: str | None) -> Target:
    """Answer a target; raise InvalidRequest when its name does not go with its type."""
    target = TargetType(kind)
    if target is TargetType.DEFAULT:
        if name not in (None, "", "DEFAULT"):
            raise InvalidRequest("the target DEFAULT has no name")
        return target, ""
    if not name or len(name) > LONGEST_NAME:
        raise InvalidRequest(f"a target of the type {kind} needs a targetName of at most {LONGEST_NAME} characters")
    return target, _address(name) if target is TargetType.SOURCE_IP else name


def _address(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError as error:
        raise InvalidRequest(f"{name} is not an IP address") from error
