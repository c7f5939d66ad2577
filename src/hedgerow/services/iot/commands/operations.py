"""The operations on commands. Source: IoT API reference, CreateCommand and its neighbours; developer guide, "Commands".

A command that is deleted before it was deprecated for as long as an execution may take goes later. It can still be
looked at, and what was started goes on. The namespace of FleetWise and its roles are refused by name.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.commands.errors import CommandConflict, InvalidCommand, NoSuchResource
from hedgerow.services.iot.commands.model import (
    DEFAULT_TYPE,
    LARGEST_PAYLOAD,
    LONGEST_TIMEOUT_S,
    NAMESPACE,
    Command,
    checked_type,
    command_arn,
)
from hedgerow.services.iot.commands.parameters import check_parameters, check_template
from hedgerow.services.iot.commands.store import FIRST, LAST, CommandStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx

DELETION: Final = "command-deletion"
GONE, LATER = 204, 202


class CommandOperations:
    """Commands."""

    def __init__(self, *, store: CommandStore, pages: Pages) -> None:
        self._store = store
        self._pages = pages

    def create_command(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        identifier = request["commandId"]
        if request.get("namespace", NAMESPACE) != NAMESPACE:
            raise NotImplementedYet("Commands of AWS IoT FleetWise are not here; use the namespace AWS-IoT")
        if request.get("roleArn") is not None:
            raise InvalidCommand(f"roleArn is not supported in the namespace {NAMESPACE}.")
        if self._store.get(tx, caller.account, identifier) is not None:
            raise CommandConflict(f"Command {identifier} already exists.", resourceId=identifier)
        command = Command(
            id=identifier,
            display_name=request.get("displayName"),
            description=request.get("description"),
            created_at=tx.now,
            updated_at=tx.now,
            **_sent(request),
        )
        self._store.add(tx, caller.account, command)
        return Answer({"commandId": identifier, "commandArn": command_arn(caller, identifier)})

    def get_command(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        command = self._found(tx, request, caller)
        shown = {**_summary(caller, command), "namespace": NAMESPACE, "description": command.description}
        if command.content is not None:
            shown["payload"] = {"content": command.content, "contentType": command.content_type}
        if command.template is not None:
            shown["payloadTemplate"] = command.template
            shown["preprocessor"] = {"awsJsonSubstitution": {"outputFormat": command.output}}
        if command.parameters:
            shown["mandatoryParameters"] = list(command.parameters)
        return Answer(shown)

    def update_command(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        command = self._found(tx, request, caller)
        deprecated, named = request.get("deprecated"), request.get("displayName")
        described = request.get("description")
        if command.deletion_at is not None:
            raise CommandConflict(f"Command {command.id} is being deleted.", resourceId=command.id)
        if command.deprecated_at is not None and deprecated is not False and (named, described) != (None, None):
            raise CommandConflict(f"Command {command.id} is deprecated: restore it first.", resourceId=command.id)
        since = command.deprecated_at
        if deprecated is not None:
            since = (since or tx.now) if deprecated else None
        changed = replace(
            command,
            display_name=command.display_name if named is None else named,
            description=command.description if described is None else described,
            deprecated_at=since,
            updated_at=tx.now,
        )
        self._store.put(tx, caller.account, changed)
        return Answer(
            {
                "commandId": changed.id,
                "displayName": changed.display_name,
                "description": changed.description,
                "deprecated": changed.deprecated_at is not None,
                "lastUpdatedAt": changed.updated_at,
            }
        )

    def delete_command(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        identifier = request["commandId"]
        command = self._store.get(tx, caller.account, identifier)
        if command is None:
            return Answer({"statusCode": GONE})
        if command.deprecated_at is not None and tx.now - command.deprecated_at >= LONGEST_TIMEOUT_S:
            self._store.remove(tx, caller.account, identifier)
            return Answer({"statusCode": GONE})
        if command.deletion_at is None:
            due = tx.now + LONGEST_TIMEOUT_S
            self._store.put(tx, caller.account, replace(command, deletion_at=due, updated_at=tx.now))
            tx.follow_up(DELETION, account=caller.account, key=identifier, body={"command": identifier}, due_at=due)
        return Answer({"statusCode": LATER})

    def list_commands(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        namespace, parameter = request.get("namespace"), request.get("commandParameterName")
        ascending = request.get("sortOrder") == "ASCENDING"
        page = self._pages.by_token(
            request, caller, "ListCommands", namespace=namespace, parameter=parameter, ascending=ascending
        )
        after = (page.position[0], page.position[1]) if page.position else (FIRST if ascending else LAST)
        found = (
            self._store.list(
                tx, caller.account, parameter=parameter, ascending=ascending, after=after, limit=page.limit
            )
            if namespace in (None, NAMESPACE)
            else ()
        )
        return Answer(
            page.answer(
                "commands", found, key=lambda one: (one.created_at, one.id), show=lambda one: _summary(caller, one)
            )
        )

    def _found(self, tx: Tx, request: Request, caller: Caller) -> Command:
        command = self._store.get(tx, caller.account, request["commandId"])
        if command is None:
            raise NoSuchResource(f"Command {request['commandId']} cannot be found.")
        return command


def _sent(request: Request) -> dict[str, Any]:
    """Answer what is sent to devices, and with which parameters."""
    payload, template = request.take_all("payload"), request.get("payloadTemplate")
    preprocessor, parameters = request.take_all("preprocessor"), request.take_all("mandatoryParameters") or []
    if (payload is None) == (template is None):
        raise InvalidCommand("A command needs a payload or a payloadTemplate, and not both.")
    if template is None:
        if preprocessor is not None or parameters:
            raise InvalidCommand("preprocessor and mandatoryParameters go with a payloadTemplate.")
        return _fixed(payload)
    substitution = (preprocessor or {}).get("awsJsonSubstitution")
    if substitution is None:
        raise InvalidCommand("A payloadTemplate needs the preprocessor awsJsonSubstitution.")
    check_parameters(parameters)
    check_template(template, {parameter["name"] for parameter in parameters})
    return {"template": template, "output": substitution["outputFormat"], "parameters": tuple(parameters)}


def _fixed(payload: Mapping[str, Any]) -> dict[str, Any]:
    content = payload.get("content")
    if not content:
        raise InvalidCommand("The payload needs its content.")
    if len(content) > LARGEST_PAYLOAD:
        raise InvalidCommand(f"The payload is longer than {LARGEST_PAYLOAD} bytes.")
    return {"content": content, "content_type": checked_type(payload.get("contentType") or DEFAULT_TYPE)}


def _summary(caller: Caller, command: Command) -> dict[str, Any]:
    return {
        "commandId": command.id,
        "commandArn": command_arn(caller, command.id),
        "displayName": command.display_name,
        "deprecated": command.deprecated_at is not None,
        "createdAt": command.created_at,
        "lastUpdatedAt": command.updated_at,
        "pendingDeletion": command.deletion_at is not None,
    }
