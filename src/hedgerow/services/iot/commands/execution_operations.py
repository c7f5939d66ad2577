"""The operations on executions: one command, sent to one device. Source: IoT API reference, StartCommandExecution, …

The device gets it at once, or when it comes back within the execution's time with a session that was kept.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.base.steady import Steady
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.commands.errors import CommandConflict, InvalidCommand, NoSuchResource
from hedgerow.services.iot.commands.messages import event_of, request_of
from hedgerow.services.iot.commands.model import (
    DEFAULT_TIMEOUT_S,
    KEPT_S,
    LONGEST_TIMEOUT_S,
    NAMESPACE,
    Command,
    Execution,
    Target,
    command_arn,
    command_id,
)
from hedgerow.services.iot.commands.parameters import filled, resolved
from hedgerow.services.iot.commands.store import FIRST, LAST, CommandStore, ExecutionStore, Wanted
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

TIMEOUT: Final = "command-timeout"
EXPIRY: Final = "command-expiry"


class Things(Protocol):
    """What commands ask about things."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing of that name."""
        ...


class ExecutionOperations:
    """Executions."""

    def __init__(
        self, *, commands: CommandStore, store: ExecutionStore, things: Things, ids: Ids, pages: Pages, steady: Steady
    ) -> None:
        self._commands = commands
        self._store = store
        self._things = things
        self._ids = ids
        self._pages = pages
        self._steady = steady

    def start_command_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        target, command_name = Target.of_arn(caller, request["targetArn"]), command_id(caller, request["commandArn"])
        given, token = request.take_all("parameters") or {}, request.get("clientToken")
        timeout_s = request.get("executionTimeoutSeconds") or DEFAULT_TIMEOUT_S
        fingerprint = _fingerprint(target.key, command_name, timeout_s, given)
        before = None if token is None else self._store.by_token(tx, caller.account, token)
        if before is not None:
            if before[1] != fingerprint:
                raise CommandConflict("The clientToken was used for another request.", resourceId=before[0])
            return Answer({"executionId": before[0]})
        if timeout_s > LONGEST_TIMEOUT_S:
            raise InvalidCommand(f"executionTimeoutSeconds must be at most {LONGEST_TIMEOUT_S}.")
        command = self._ready(tx, caller, command_name, target)
        values = resolved(command.parameters, given)
        one = Execution(
            id=self._ids.uuid(),
            command=command.id,
            target=target.key,
            parameters=values,
            timeout_s=timeout_s,
            created_at=tx.now,
            updated_at=tx.now,
        )
        payload = command.content or filled(
            command.template or "", values, timeout_s=timeout_s, output=command.output or "JSON"
        )
        self._store.add(tx, caller.account, one, token=token, fingerprint=fingerprint)
        body = {"execution": one.id, "region": caller.region}
        timer = {**body, "mark": self._steady.mark(tx.now)}
        tx.follow_up(TIMEOUT, account=caller.account, key=one.id, body=timer, due_at=tx.now + timeout_s)
        tx.follow_up(EXPIRY, account=caller.account, key=one.id, body=body, due_at=tx.now + KEPT_S)
        sent = request_of(caller.account, one, command, target, payload)
        return Answer({"executionId": one.id}, (sent, event_of(caller.account, caller.region, one)))

    def get_command_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        one, target = self._found(tx, request, caller), request["targetArn"]
        if one is None:
            raise NoSuchResource(f"Command execution {request['executionId']} of {target} cannot be found.")
        shown: dict[str, Any] = {
            **_summary(caller, one),
            "executionTimeoutSeconds": one.timeout_s,
            "lastUpdatedAt": one.updated_at,
            "timeToLive": one.created_at + KEPT_S,
        }
        if one.reason is not None:
            shown["statusReason"] = one.reason.shown()
        if one.parameters:
            shown["parameters"] = one.parameters
        if request.get("includeResult") and one.result:
            shown["result"] = one.result
        return Answer(shown)

    def list_command_executions(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        wanted, namespace = _wanted(request, caller), request.get("namespace")
        page = self._pages.by_token(request, caller, "ListCommandExecutions", wanted=repr(wanted), namespace=namespace)
        after = (page.position[0], page.position[1]) if page.position else (FIRST if wanted.ascending else LAST)
        ours = namespace in (None, NAMESPACE)
        found = self._store.list(tx, caller.account, wanted, after=after, limit=page.limit) if ours else ()
        return Answer(
            page.answer(
                "commandExecutions",
                found,
                key=lambda one: (one.created_at if wanted.clock == "started" else one.completed_at, one.id),
                show=lambda one: _summary(caller, one),
            )
        )

    def delete_command_execution(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        one = self._found(tx, request, caller)
        if one is None:  # deleting what is gone succeeds
            return Answer()
        if one.completed_at is None:
            raise CommandConflict(
                f"Command execution {one.id} is {one.status.value}: it has not ended.", resourceId=one.id
            )
        self._store.remove(tx, caller.account, one.id)
        return Answer()

    def _ready(self, tx: Tx, caller: Caller, name: str, target: Target) -> Command:
        command = self._commands.get(tx, caller.account, name)
        if command is None:
            raise NoSuchResource(f"Command {name} cannot be found.")
        if command.deletion_at is not None:
            raise InvalidCommand(f"Command {name} is being deleted: nothing can be started with it.")
        if command.deprecated_at is not None:
            raise InvalidCommand(f"Command {name} is deprecated: restore it first.")
        if target.kind == "thing" and not self._things.exists(tx, caller.account, target.name):
            raise NoSuchResource(f"Thing {target.name} cannot be found.")
        return command

    def _found(self, tx: Tx, request: Request, caller: Caller) -> Execution | None:
        target = Target.of_arn(caller, request["targetArn"])
        one = self._store.get(tx, caller.account, request["executionId"])
        return one if one is not None and one.target == target.key else None


def _fingerprint(target: str, command: str, timeout_s: int, given: Mapping[str, Any]) -> str:
    text = json.dumps([target, command, timeout_s, given], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _wanted(request: Request, caller: Caller) -> Wanted:
    target, command = request.get("targetArn"), request.get("commandArn")
    if (target is None) == (command is None):
        raise InvalidCommand("Either targetArn or commandArn must be given, and not both.")
    started, completed = request.take_all("startedTimeFilter"), request.take_all("completedTimeFilter")
    if started is not None and completed is not None:
        raise InvalidCommand("Either startedTimeFilter or completedTimeFilter may be given, and not both.")
    spans = completed or started or {}
    limits = {}
    if spans.get("after") is not None:
        limits["since"] = _moment(spans["after"])
    if spans.get("before") is not None:
        limits["until"] = _moment(spans["before"])
    return Wanted(
        owner="command" if target is None else "target",
        name=Target.of_arn(caller, target).key if target is not None else command_id(caller, str(command)),
        clock="started" if completed is None else "completed",
        status=request.get("status") or "",
        ascending=request.get("sortOrder") == "ASCENDING",
        **limits,
    )


def _moment(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise InvalidCommand(f"{text!r} is no time; write it as 2026-11-21T08:00.") from error


def _summary(caller: Caller, one: Execution) -> dict[str, Any]:
    shown = {
        "executionId": one.id,
        "commandArn": command_arn(caller, one.command),
        "targetArn": f"arn:aws:iot:{caller.region}:{caller.account}:{one.target}",
        "status": one.status.value,
        "createdAt": one.created_at,
        "startedAt": one.created_at,
    }
    return shown if one.completed_at is None else {**shown, "completedAt": one.completed_at}
