"""The operations on logging options.

A member that SetV2LoggingOptions does not carry stays as it was; without a level nothing is wanted. The role must be
one that AWS IoT can assume; whether it lets lines be written is asked each time some are, as its policies may change.
Spec: AWS IoT API reference, SetV2LoggingOptions … ListV2LoggingLevels, SetLoggingOptions, GetLoggingOptions.
"""

from dataclasses import replace
from typing import Any, Final, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import LoggingChanged
from hedgerow.core.iotlog import EVENTS, Level, TargetType
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.logging.errors import NotConfigured, RoleUnusable, TooManyLevels
from hedgerow.services.iot.logging.model import (
    MOST_TARGETS,
    EventConfiguration,
    LoggingOptions,
    Target,
    checked_events,
    checked_target,
)
from hedgerow.services.iot.logging.store import LoggingStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

SERVICE_PRINCIPAL: Final = "iot.amazonaws.com"


class Roles(Protocol):
    """What logging options need of IAM."""

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        """Tell whether the role is there and trusts the service."""
        ...


class LoggingOperations:
    """The operations on logging options."""

    def __init__(self, *, store: LoggingStore, roles: Roles, pages: Pages) -> None:
        self._store = store
        self._roles = roles
        self._pages = pages

    def set_v2_logging_options(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        before = self._store.get(tx, caller.account)
        if before is None or before.version == 1:
            before = LoggingOptions(version=2, role=None, default=Level.DISABLED)
        level, given = request.get("defaultLogLevel"), request.get("eventConfigurations")
        changed = replace(
            before,
            role=self._usable(tx, caller, request.get("roleArn")) or before.role,
            default=before.default if level is None else Level[level],
            disabled=request.get("disableAllLogs", before.disabled),
            events=before.events if given is None else checked_events([_configuration(one) for one in given]),
        )
        return self._put(tx, caller, changed)

    def get_v2_logging_options(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = self._configured(tx, caller)
        shown: dict[str, Any] = {"defaultLogLevel": found.default.name, "disableAllLogs": found.disabled}
        if found.role is not None:
            shown["roleArn"] = found.role
        if request.get("verbose", False):
            shown["eventConfigurations"] = [_shown_in_full(found, event) for event in EVENTS]
        elif found.events:
            shown["eventConfigurations"] = [_shown_event(one) for one in found.events]
        return Answer(shown)

    def set_v2_logging_level(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = self._configured(tx, caller)
        asked = request["logTarget"]
        target, level = checked_target(asked["targetType"], asked.get("targetName")), Level[request["logLevel"]]
        if target[0] is TargetType.DEFAULT:
            return self._put(tx, caller, replace(found, default=level))
        new = target not in self._store.targets(tx, caller.account)
        if new and self._store.count(tx, caller.account) >= MOST_TARGETS:
            raise TooManyLevels(MOST_TARGETS)
        self._store.put_level(tx, caller.account, target, level)
        return self._changed(tx, caller)

    def delete_v2_logging_level(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        target = checked_target(request["targetType"], request["targetName"])
        if target[0] is TargetType.DEFAULT:
            raise InvalidRequest("the level of DEFAULT cannot be deleted: set it to DISABLED")
        self._store.remove_level(tx, caller.account, target)
        return self._changed(tx, caller)

    def list_v2_logging_levels(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found, asked = self._configured(tx, caller), request.get("targetType")
        kind = None if asked is None else TargetType(asked)
        page = self._pages.by_token(request, caller, "ListV2LoggingLevels", type=asked)
        after = ("", "") if not page.position else (page.position[0], page.position[1])
        shown: list[tuple[Target, Level]] = []
        if not page.position and kind in (None, TargetType.DEFAULT):
            shown.append(((TargetType.DEFAULT, ""), found.default))
        if kind is not TargetType.DEFAULT:
            shown += self._store.list(tx, caller.account, kind=kind, after=after, limit=page.limit)
        return Answer(
            page.answer(
                "logTargetConfigurations",
                shown,
                key=lambda one: ("", "") if one[0][0] is TargetType.DEFAULT else (one[0][0].value, one[0][1]),
                show=_shown_level,
            )
        )

    def set_logging_options(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        asked = request["loggingOptionsPayload"]
        role = self._usable(tx, caller, asked["roleArn"])
        level = Level[asked.get("logLevel") or Level.DISABLED.name]
        return self._put(tx, caller, LoggingOptions(version=1, role=role, default=level))

    def get_logging_options(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        found = self._store.get(tx, caller.account)
        if found is None:
            return Answer({"logLevel": Level.DISABLED.name})
        level = Level.DISABLED if found.disabled else found.default
        return Answer({"logLevel": level.name, **({} if found.role is None else {"roleArn": found.role})})

    def _configured(self, tx: Tx, caller: Caller) -> LoggingOptions:
        found = self._store.get(tx, caller.account)
        if found is None or found.version == 1:
            raise NotConfigured
        return found

    def _usable(self, tx: Tx, caller: Caller, role: str | None) -> str | None:
        source = arn("iot", caller.region, caller.account, "*")
        if role is not None and not self._roles.assumable(tx, caller.account, role, SERVICE_PRINCIPAL, source):
            raise RoleUnusable(role)
        return role

    def _put(self, tx: Tx, caller: Caller, changed: LoggingOptions) -> Answer:
        self._store.put(tx, caller.account, changed.checked())
        return self._changed(tx, caller)

    def _changed(self, tx: Tx, caller: Caller) -> Answer:
        rules = self._store.rules(tx, caller.account)
        return Answer({}, () if rules is None else (LoggingChanged(account=caller.account, rules=rules),))


def _configuration(given: Request) -> EventConfiguration:
    level = given.get("logLevel")
    return EventConfiguration(given["eventType"], None if level is None else Level[level], given.get("logDestination"))


def _shown_event(one: EventConfiguration) -> dict[str, str]:
    shown = {"eventType": one.event}
    if one.level is not None:
        shown["logLevel"] = one.level.name
    if one.destination is not None:
        shown["logDestination"] = one.destination
    return shown


def _shown_in_full(found: LoggingOptions, event: str) -> dict[str, str]:
    level = next((one.level for one in found.events if one.event == event and one.level is not None), found.default)
    return {"eventType": event, "logLevel": level.name, "logDestination": found.destination(event)}


def _shown_level(one: tuple[Target, Level]) -> dict[str, Any]:
    (kind, name), level = one
    target = (
        {"targetType": kind.value} if kind is TargetType.DEFAULT else {"targetType": kind.value, "targetName": name}
    )
    return {"logTarget": target, "logLevel": level.name}
