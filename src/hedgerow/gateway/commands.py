"""Commands from control: cut connections, ask again what somebody may do. They may come late and twice."""

from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from hedgerow.core.iotlog import LogRules
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway.connection import Connection, State
from hedgerow.gateway.ports import Command, Cut, Regrant

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

REMEMBERED: Final = 1024  # commands; a connection that missed more while it was admitted is asked about again
CODES: Final = {"DUPLICATE_CLIENTID": Reason.SESSION_TAKEN_OVER}


class Commands:
    """Obeys at once."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self.obeyed = 0
        self._latest: deque[Command] = deque(maxlen=REMEMBERED)

    def review(self, connection: Connection) -> None:
        """The connection was just admitted: where a command that concerns it came meanwhile, ask about it again."""
        missed = self.obeyed - connection.asked
        if not missed or connection.admitted.fixed:
            return
        latest = islice(reversed(self._latest), missed)
        if missed > len(self._latest) or any(_concerns(command, connection) for command in latest):
            self._gateway.regranting.soon((connection,))

    def obey(self, command: Command) -> None:
        self.obeyed += 1
        self._latest.append(command)
        if isinstance(command, Cut):
            self._cut(command)
            return
        if command.logging is not None:
            self._log_as(command.account, command.logging)
        self._gateway.regranting.soon(self._touched(command))

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


def _concerns(command: Command, connection: Connection) -> bool:
    """Tell whether what control said of the connection may be out of date by the command."""
    if command.account != connection.account.name:
        return False
    if isinstance(command, Regrant):
        return not command.principals or connection.admitted.concerns(command.principals)
    if command.principal is not None and not connection.admitted.concerns((command.principal,)):
        return False
    return command.client_id in (None, connection.session.client_id)


def _domain(connection: Connection) -> str | None:
    way_in = connection.peer.way_in
    return None if way_in is None else way_in.domain
