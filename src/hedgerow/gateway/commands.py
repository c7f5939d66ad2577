"""Commands from control: cut connections, ask again what somebody may do. They may come late and twice."""

import asyncio
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.core.iotlog import LogRules
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway.connection import Connection, State
from hedgerow.gateway.grants import Permissions
from hedgerow.gateway.ports import Admitted, Command, Cut, NotAdmitted, Regrant

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

log = get_logger("gateway")

DEADLINE_S: Final = 5.0
REFRESH_WITHIN_S: Final = 15.0
REFRESHES: Final = 16  # of custom authorizers' answers under way; who is due besides waits for the next second
REMEMBERED: Final = 1024  # commands; a connection that missed more while it was admitted is asked about again
PER_TURN: Final = 8  # grants compiled before the loop goes on
CODES: Final = {"DUPLICATE_CLIENTID": Reason.SESSION_TAKEN_OVER}


class Commands:
    """Obeys at once; what needs control's answer is a task."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self.obeyed = 0
        self._latest: deque[Command] = deque(maxlen=REMEMBERED)
        self._refreshing: set[Connection] = set()

    def review(self, connection: Connection) -> None:
        """The connection was just admitted: where a command that concerns it came meanwhile, ask about it again."""
        missed = self.obeyed - connection.asked
        if not missed or connection.admitted.fixed:
            return
        latest = islice(reversed(self._latest), missed)
        if missed > len(self._latest) or any(_concerns(command, connection) for command in latest):
            self._gateway.spawn(self._regrant([connection]))

    def refresh(self, connection: Connection) -> None:
        """The time has come to ask the connection's custom authorizer again."""
        if connection not in self._refreshing and len(self._refreshing) < REFRESHES:
            self._refreshing.add(connection)
            self._gateway.spawn(self._refresh(connection))

    async def _refresh(self, connection: Connection) -> None:
        try:
            await self._regrant([connection], within_s=REFRESH_WITHIN_S, refresh=True)
        finally:
            self._refreshing.discard(connection)

    def obey(self, command: Command) -> None:
        self.obeyed += 1
        self._latest.append(command)
        if isinstance(command, Cut):
            self._cut(command)
            return
        if command.logging is not None:
            self._log_as(command.account, command.logging)
        touched = self._touched(command)
        if touched:
            self._gateway.spawn(self._regrant(touched))

    def _cut(self, command: Cut) -> None:
        gateway = self._gateway
        account = gateway.account(command.account)
        if command.client_id is not None:
            one = account.connections.get(command.client_id)
            found = [] if one is None else [one]
        elif command.principal is not None:
            found = account.connections_of((command.principal,))
        else:
            found = list(account.connections.values())
        for connection in found:
            if command.principal is not None and not connection.admitted.concerns((command.principal,)):
                continue  # it has the client id that was named, too
            if command.before_epoch is not None and connection.epoch >= command.before_epoch:
                continue
            if command.domain is not None and _domain(connection) != command.domain:
                continue
            self._end(connection, command)
        self._session(command)

    def _end(self, connection: Connection, command: Cut) -> None:
        if command.prevent_will:
            connection.will = None
        if command.clean_session:
            connection.session.persistent = False
        code = CODES.get(command.reason, Reason.ADMINISTRATIVE_ACTION)
        if connection.state is State.OPEN:
            connection.fail(code, command.reason, "control ordered it")
        else:
            self._gateway.end(connection, command.reason, "control ordered it")

    def _session(self, command: Cut) -> None:
        """What a cut means for the session that is left."""
        if command.client_id is None:
            return
        account = self._gateway.account(command.account)
        if command.prevent_will:
            self._gateway.lifecycle.cancel_will(account, command.client_id)  # one that is delayed
        session = account.sessions.get(command.client_id)
        if session is None or session.link is not None:
            return
        if command.before_epoch is not None and session.epoch < command.before_epoch:
            account.forget(session)  # another gateway has it now, with all that the journal holds
            account.changed()
        elif command.clean_session:
            if command.prevent_will:
                self._gateway.lifecycle.cancel_will(account, command.client_id)
            self._gateway.sessions.end(account, session)

    def _touched(self, command: Regrant) -> list[Connection]:
        account = self._gateway.account(command.account)
        found = account.connections_of(command.principals) if command.principals else account.connections.values()
        return [one for one in found if one.state is State.OPEN and not one.admitted.fixed]

    def _log_as(self, name: str, rules: LogRules) -> None:
        """What a custom authorizer let in is not asked for again: what is wanted of it is seen here."""
        account = self._gateway.account(name)
        for connection in account.connections.values():
            if connection.state is State.OPEN and connection.admitted.fixed:
                admitted, peer = connection.admitted, connection.peer.address
                client_id = connection.session.client_id
                wanted = rules.wanted(client_id=client_id, principal=admitted.principal, address=peer)
                connection.regrant(replace(admitted, logging=wanted), connection.permissions)
        account.changed()

    async def _regrant(
        self, connections: list[Connection], *, within_s: float = DEADLINE_S, refresh: bool = False
    ) -> None:
        for count, connection in enumerate(connections):
            if count % PER_TURN == PER_TURN - 1:
                await asyncio.sleep(0)  # let the others have their turn
            if not _is_open(connection):
                continue
            try:
                await self._ask_again(connection, within_s, refresh=refresh)
            except Unavailable as error:
                connection.fail(Reason.NOT_AUTHORIZED, "SERVER_ERROR", f"its rights could not be read again: {error}")
            except Exception:  # one connection's grants must not keep the others from theirs
                log.exception(
                    "rights could not be compiled", extra={"fields": {"client": connection.question.client_id}}
                )
                connection.fail(Reason.NOT_AUTHORIZED, "SERVER_ERROR", "its rights could not be compiled")

    async def _ask_again(self, connection: Connection, within_s: float, *, refresh: bool) -> None:
        known = connection.admitted
        question = connection.question if refresh else replace(connection.question, vouched=known.vouched)
        reply = await self._gateway.control.ask(question, deadline_s=within_s)
        if not _is_open(connection):
            return
        if isinstance(reply, NotAdmitted):
            connection.fail(Reason.NOT_AUTHORIZED, "FORBIDDEN_ACCESS", reply.detail)
        elif isinstance(reply, Admitted) and not reply.fixed:
            self._replace(connection, _ending_as_said(reply, known))
        elif isinstance(reply, Admitted):  # who it is, and when it ends, was said when it came
            self._replace(
                connection,
                replace(known, policies=reply.policies, refresh_at=reply.refresh_at, logging=reply.logging),
            )

    def _replace(self, connection: Connection, admitted: Admitted) -> None:
        gateway = self._gateway
        grants = gateway.compile_grants(admitted, connection.session.client_id)
        permissions = Permissions(grants, region=gateway.region, account=admitted.account)
        account = connection.account
        account.forget_principals(connection)
        connection.regrant(admitted, permissions)
        account.note_principals(connection)
        account.changed()


def _concerns(command: Command, connection: Connection) -> bool:
    """Tell whether what control said of the connection may be out of date by the command."""
    if command.account != connection.account.name:
        return False
    if isinstance(command, Regrant):
        return not command.principals or connection.admitted.concerns(command.principals)
    if command.principal is not None and not connection.admitted.concerns((command.principal,)):
        return False
    return command.client_id in (None, connection.session.client_id)


def _ending_as_said(admitted: Admitted, known: Admitted) -> Admitted:
    """A refresh does not let a connection last longer than the authorizer said when it came."""
    new, old = admitted.vouched, known.vouched
    if new is None or old is None or new.ends_at <= old.ends_at:
        return admitted
    ends_at = old.ends_at if admitted.ends_at is None else min(admitted.ends_at, old.ends_at)
    return replace(admitted, ends_at=ends_at, vouched=replace(new, ends_at=old.ends_at))


def _domain(connection: Connection) -> str | None:
    way_in = connection.peer.way_in
    return None if way_in is None else way_in.domain


def _is_open(connection: Connection) -> bool:
    """Ask each time: it may have ended while something was waited for."""
    return connection.state is State.OPEN
