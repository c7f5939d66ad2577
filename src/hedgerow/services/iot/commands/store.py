"""The rows of commands and their executions."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.commands.model import Command, Execution, Reason, Status
from hedgerow.store import Tx, metadata

commands = Table(
    "iot_command",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("display_name", Text),
    Column("description", Text),
    Column("content", LargeBinary),
    Column("content_type", Text),
    Column("template", Text),
    Column("output", String(8)),
    Column("parameters", Text, nullable=False),
    Column("parameter_names", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deprecated_at", Float),
    Column("deletion_at", Float),
)
Index("ix_iot_command_created", commands.c.account, commands.c.created_at, commands.c.id)
executions = Table(
    "iot_command_execution",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("command", String(64), nullable=False),
    Column("target", String(160), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason_code", String(64)),
    Column("reason_description", Text),
    Column("result", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("timeout_s", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("completed_at", Float),
    Column("token", String(64)),
    Column("fingerprint", String(64)),
)
Index("ix_iot_command_execution_command", executions.c.account, executions.c.command, executions.c.created_at)
Index("ix_iot_command_execution_target", executions.c.account, executions.c.target, executions.c.created_at)
Index("ix_iot_command_execution_token", executions.c.account, executions.c.token)

FIRST: Final = (0.0, "")
LAST: Final = (float(2**53), "")
_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")
_AT: Final[Any] = bindparam("at")
_AFTER: Final[Any] = bindparam("after_id")
_LIMIT: Final[Any] = bindparam("limit_")
_STATUS: Final[Any] = bindparam("status_wanted", type_=String)

_KEY: Final = (commands.c.account == _ACCOUNT) & (commands.c.id == _ID)
_GET = select(commands).where(_KEY)
_INSERT = insert(commands)
_UPDATE = update_rows(commands).where(_KEY)
_DELETE = delete(commands).where(_KEY)
_NAMED: Final[Any] = bindparam("named", type_=String)


def _beyond(time: Any, identifier: Any, *, ascending: bool) -> Any:
    """Answer what comes after (at, after_id) in the order of a list."""
    if ascending:
        return or_(time > _AT, and_(time == _AT, identifier > _AFTER))
    return or_(time < _AT, and_(time == _AT, identifier < _AFTER))


def _ordered(time: Any, identifier: Any, *, ascending: bool) -> tuple[Any, Any]:
    return (time.asc(), identifier.asc()) if ascending else (time.desc(), identifier.desc())


_LISTS: Final = {
    ascending: select(commands)
    .where(
        commands.c.account == _ACCOUNT,
        or_(_NAMED == "", func.replace(commands.c.parameter_names, _NAMED, "") != commands.c.parameter_names),
        _beyond(commands.c.created_at, commands.c.id, ascending=ascending),
    )
    .order_by(*_ordered(commands.c.created_at, commands.c.id, ascending=ascending))
    .limit(_LIMIT)
    for ascending in (False, True)
}

_ONE: Final = (executions.c.account == _ACCOUNT) & (executions.c.id == _ID)
_FIND = select(executions).where(_ONE)
_BY_TOKEN = select(executions.c.id, executions.c.fingerprint).where(
    executions.c.account == _ACCOUNT, executions.c.token == bindparam("token_")
)
_START = insert(executions)
_REPORT = (
    update_rows(executions)
    .where(_ONE)
    .values(
        status=bindparam("status_"),
        reason_code=bindparam("reason_code_"),
        reason_description=bindparam("reason_description_"),
        result=bindparam("result_"),
        updated_at=bindparam("updated_at_"),
        completed_at=bindparam("completed_at_"),
    )
)
_FORGET = delete(executions).where(_ONE)


def _executions(owner: Any, time: Any, *, ascending: bool) -> Any:
    return (
        select(executions)
        .where(
            executions.c.account == _ACCOUNT,
            owner == bindparam("owner"),
            or_(_STATUS == "", executions.c.status == _STATUS),
            time > bindparam("since"),
            time < bindparam("until"),
            _beyond(time, executions.c.id, ascending=ascending),
        )
        .order_by(*_ordered(time, executions.c.id, ascending=ascending))
        .limit(_LIMIT)
    )


_OWNERS: Final = {"command": executions.c.command, "target": executions.c.target}
_CLOCKS: Final = {"started": executions.c.created_at, "completed": executions.c.completed_at}
_OF: Final = {
    (owner, clock, ascending): _executions(_OWNERS[owner], _CLOCKS[clock], ascending=ascending)
    for owner, clock, ascending in product(_OWNERS, _CLOCKS, (False, True))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which executions are listed: those of a command or of a target, by when they started or were completed."""

    owner: str  # "command" or "target"
    name: str
    clock: str = "started"  # or "completed"
    status: str = ""
    since: float = -1.0
    until: float = float(2**53)
    ascending: bool = False


class CommandStore:
    """Commands in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, identifier: str) -> Command | None:
        row = tx.one(_GET, account_=account, id_=identifier)
        return None if row is None else _command(row)

    def add(self, tx: Tx, account: str, command: Command) -> None:
        names = "".join(f"|{parameter['name']}|" for parameter in command.parameters)
        tx.run(
            _INSERT,
            account=account,
            id=command.id,
            content=command.content,
            content_type=command.content_type,
            template=command.template,
            output=command.output,
            parameters=_packed(command.parameters),
            parameter_names=names,
            created_at=command.created_at,
            **_changing(command),
        )

    def put(self, tx: Tx, account: str, command: Command) -> None:
        """Write down what can change of a command."""
        tx.run(_UPDATE, account_=account, id_=command.id, **_changing(command))

    def remove(self, tx: Tx, account: str, identifier: str) -> None:
        tx.run(_DELETE, account_=account, id_=identifier)

    def list(
        self, tx: Tx, account: str, *, parameter: str | None, ascending: bool, after: tuple[float, str], limit: int
    ) -> Sequence[Command]:
        """Answer commands by the time they were made, those after `after`; with that parameter where one is named."""
        named = "" if parameter is None else f"|{parameter}|"
        rows = tx.all(_LISTS[ascending], account_=account, named=named, at=after[0], after_id=after[1], limit_=limit)
        return [_command(row) for row in rows]


class ExecutionStore:
    """Executions in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, identifier: str) -> Execution | None:
        row = tx.one(_FIND, account_=account, id_=identifier)
        return None if row is None else _execution(row)

    def by_token(self, tx: Tx, account: str, token: str) -> tuple[str, str] | None:
        """Answer (id, fingerprint of the request) of the execution that was started with this token, or None."""
        row = tx.one(_BY_TOKEN, account_=account, token_=token)
        return None if row is None else (row.id, row.fingerprint)

    def add(self, tx: Tx, account: str, one: Execution, *, token: str | None, fingerprint: str) -> None:
        tx.run(
            _START,
            account=account,
            id=one.id,
            command=one.command,
            target=one.target,
            status=one.status.value,
            result=_packed(one.result),
            parameters=_packed(one.parameters),
            timeout_s=one.timeout_s,
            created_at=one.created_at,
            updated_at=one.updated_at,
            token=token,
            fingerprint=fingerprint,
        )

    def put(self, tx: Tx, account: str, one: Execution) -> None:
        """Write down what can change of an execution."""
        reason = one.reason
        tx.run(
            _REPORT,
            account_=account,
            id_=one.id,
            status_=one.status.value,
            reason_code_=None if reason is None else reason.code,
            reason_description_=None if reason is None else reason.description,
            result_=_packed(one.result),
            updated_at_=one.updated_at,
            completed_at_=one.completed_at,
        )

    def remove(self, tx: Tx, account: str, identifier: str) -> None:
        tx.run(_FORGET, account_=account, id_=identifier)

    def list(
        self, tx: Tx, account: str, wanted: Wanted, *, after: tuple[float, str], limit: int
    ) -> Sequence[Execution]:
        """Answer the wanted executions in order, those after `after`."""
        rows = tx.all(
            _OF[wanted.owner, wanted.clock, wanted.ascending],
            account_=account,
            owner=wanted.name,
            status_wanted=wanted.status,
            since=wanted.since,
            until=wanted.until,
            at=after[0],
            after_id=after[1],
            limit_=limit,
        )
        return [_execution(row) for row in rows]


def _changing(command: Command) -> dict[str, Any]:
    return {
        "display_name": command.display_name,
        "description": command.description,
        "updated_at": command.updated_at,
        "deprecated_at": command.deprecated_at,
        "deletion_at": command.deletion_at,
    }


def _packed(value: Any) -> str:
    return json.dumps(value, default=lambda content: base64.b64encode(content).decode("ascii"))


def _unpacked(text: str) -> Any:
    return json.loads(text, object_hook=_with_bytes)


def _with_bytes(found: dict[str, Any]) -> dict[str, Any]:
    content = found.get("BIN")
    return {**found, "BIN": base64.b64decode(content)} if isinstance(content, str) else found


def _command(row: Row[Any]) -> Command:
    return Command(
        id=row.id,
        display_name=row.display_name,
        description=row.description,
        content=row.content,
        content_type=row.content_type,
        template=row.template,
        output=row.output,
        parameters=tuple(_unpacked(row.parameters)),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deprecated_at=row.deprecated_at,
        deletion_at=row.deletion_at,
    )


def _execution(row: Row[Any]) -> Execution:
    return Execution(
        id=row.id,
        command=row.command,
        target=row.target,
        status=Status(row.status),
        reason=None if row.reason_code is None else Reason(row.reason_code, row.reason_description),
        result=_unpacked(row.result),
        parameters=_unpacked(row.parameters),
        timeout_s=row.timeout_s,
        created_at=row.created_at,
        updated_at=row.updated_at,
        completed_at=row.completed_at,
    )
