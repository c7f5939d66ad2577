"""The rows of commands: operations, the topics on which devices answer, and what happens later."""

from collections.abc import Mapping
from typing import Any

from hedgerow.api.operations import Also, Row, pass_role, read, write
from hedgerow.cloud.rows import TopicRow
from hedgerow.services.iot.commands import CommandFollowUps, CommandOperations, CommandTopics, ExecutionOperations
from hedgerow.services.iot.commands.execution_operations import EXPIRY, TIMEOUT
from hedgerow.services.iot.commands.operations import DELETION
from hedgerow.store import Handler

_COMMAND = "arn:aws:iot:{region}:{account}:command/{commandId}"
_COMMANDS = "arn:aws:iot:{region}:{account}:command/*"
_TARGET = "{targetArn}"
_START = "iot:StartCommandExecution"
_KINDS = {"S": "String", "B": "Boolean", "I": "Number", "L": "Number", "D": "Number", "UL": "Number"}


def rows(*, commands: CommandOperations, executions: ExecutionOperations) -> dict[str, Row]:
    """Answer the rows that commands add to the service `iot`."""
    return {
        "CreateCommand": write(commands.create_command, _COMMAND, also=(pass_role("roleArn", to="iot.amazonaws.com"),)),
        "GetCommand": read(commands.get_command, _COMMAND),
        "UpdateCommand": write(commands.update_command, _COMMAND),
        "DeleteCommand": write(commands.delete_command, _COMMAND),
        "ListCommands": read(commands.list_commands, _COMMANDS),
        "GetCommandExecution": read(executions.get_command_execution, _TARGET),
        "ListCommandExecutions": read(executions.list_command_executions),
        "DeleteCommandExecution": write(executions.delete_command_execution, _TARGET),
    }


def data_rows(*, executions: ExecutionOperations) -> dict[str, Row]:
    """Answer the row of `iot-jobs-data`: the right is asked for on the command and on the device."""
    start = write(
        executions.start_command_execution,
        "{commandArn}",
        action=_START,
        also=(Also(_START, _TARGET),),
        says=said_of_parameters,
    )
    return {"StartCommandExecution": start}


def said_of_parameters(params: Mapping[str, Any]) -> dict[str, str]:
    """Answer the condition keys for the parameters that the request gives: `iot:CommandExecutionParameterString/…`."""
    given = params.get("parameters")
    found: dict[str, str] = {}
    for name, value in given.items() if isinstance(given, Mapping) else ():
        for member, content in value.items() if isinstance(value, Mapping) else ():
            if member in _KINDS:
                text = str(content)
                found[f"iot:CommandExecutionParameter{_KINDS[member]}/{name}"] = (
                    text.lower() if isinstance(content, bool) else text
                )
    return found


def topic_rows(*, commands: CommandTopics) -> list[TopicRow]:
    """Answer the rows of the topics on which devices report."""
    base = "$aws/commands/+/+/executions/+/response"
    return [TopicRow(f"{base}{ending}", operation=commands.report) for ending in ("", "/json", "/cbor")]


def follow_up_rows(*, commands: CommandFollowUps) -> dict[str, Handler]:
    """Answer what happens to commands later."""
    return {TIMEOUT: commands.on_timeout, EXPIRY: commands.on_expiry, DELETION: commands.on_deletion}
