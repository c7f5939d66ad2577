"""Asks control again what connections may do, many in one question, and puts in what it answers.

A connection waits for its turn once, however many changes concern it meanwhile, so what waits is bounded by the number
of connections. Whoever's rights cannot be had again is cut.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hedgerow.base.errors import Unavailable
from hedgerow.base.log import get_logger
from hedgerow.core.mqtt.reasons import Reason
from hedgerow.gateway.connection import Connection, State
from hedgerow.gateway.grants import Permissions
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted, Reply

if TYPE_CHECKING:
    from hedgerow.gateway.gateway import Gateway

log = get_logger("gateway")

AT_ONCE: Final = 64
"""Connections in one question: so long the loop is kept from its other work when their answers come."""
DEADLINE_S: Final = 5.0
REFRESH_WITHIN_S: Final = 15.0
REFRESHES: Final = 16  # of custom authorizers' answers under way; who is due besides waits for the next second


class Regranting:
    """Whose rights have to be asked for again. Asks as a task, one question at a time."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._stale: OrderedDict[Connection, None] = OrderedDict()
        self._asking = False
        self._refreshing: set[Connection] = set()

    @property
    def waiting(self) -> int:
        """How many connections wait for their turn."""
        return len(self._stale)

    def soon(self, connections: Sequence[Connection]) -> None:
        """Ask about these in their turn; a few come before many."""
        first = len(connections) <= AT_ONCE
        for connection in connections:
            self._stale[connection] = None
            self._stale.move_to_end(connection, last=not first)
        if self._stale and not self._asking:
            self._asking = True
            self._gateway.spawn(self._ask_for_all())

    def refresh(self, connection: Connection) -> None:
        """The time has come to ask the connection's custom authorizer again."""
        if connection not in self._refreshing and len(self._refreshing) < REFRESHES:
            self._refreshing.add(connection)
            self._gateway.spawn(self._refresh(connection))

    async def _refresh(self, connection: Connection) -> None:
        try:
            if _is_open(connection):
                await self._ask(connection, connection.question, within_s=REFRESH_WITHIN_S)
        finally:
            self._refreshing.discard(connection)

    async def _ask_for_all(self) -> None:
        try:
            while self._stale:
                many = min(AT_ONCE, len(self._stale))
                batch = [self._stale.popitem(last=False)[0] for _ in range(many)]
                await self._ask_for([connection for connection in batch if _is_open(connection)])
        finally:
            self._asking = False

    async def _ask_for(self, batch: Sequence[Connection]) -> None:
        known = [connection.admitted for connection in batch]
        try:
            replies = await self._gateway.control.ask_many([_again(one) for one in batch], deadline_s=DEADLINE_S)
        except Unavailable as error:
            for connection in batch:
                _fail(connection, f"its rights could not be read again: {error}")
            return
        except Exception:  # what control stumbles over must not keep the others from theirs
            log.exception("rights could not be read for many at once")
            for connection in batch:
                await self._ask(connection, _again(connection), within_s=DEADLINE_S)
            return
        for connection, before, reply in zip(batch, known, replies, strict=True):
            if connection.admitted is before:
                self._take(connection, reply)
            else:
                self.soon((connection,))  # its authorizer was faster
        for account in {connection.account.name: connection.account for connection in batch}.values():
            account.changed()

    async def _ask(self, connection: Connection, question: Admit, *, within_s: float) -> None:
        before = connection.admitted
        try:
            reply = await self._gateway.control.ask(question, deadline_s=within_s)
        except Unavailable as error:
            _fail(connection, f"its rights could not be read again: {error}")
            return
        except Exception:  # our bug; the next one has rights, too
            log.exception("rights could not be read", extra=_named(connection))
            _fail(connection, "its rights could not be read again")
            return
        overtaken = connection.admitted is not before
        self._take(connection, reply)
        connection.account.changed()
        if overtaken and not connection.admitted.fixed:
            self.soon((connection,))  # what was read before the authorizer answered is old
        await asyncio.sleep(0)  # let the others have their turn

    def _take(self, connection: Connection, reply: Reply) -> None:
        """Put in what control answered. Whoever calls this tells the account, which remembers routes."""
        if not _is_open(connection):
            return
        if isinstance(reply, NotAdmitted):
            connection.fail(Reason.NOT_AUTHORIZED, "FORBIDDEN_ACCESS", reply.detail)
        elif isinstance(reply, Admitted):
            known = connection.admitted
            try:
                self._replace(connection, _as_known(reply, known) if reply.fixed else _ending_as_said(reply, known))
            except Exception:  # one connection's grants must not keep the others from theirs
                log.exception("rights could not be compiled", extra=_named(connection))
                _fail(connection, "its rights could not be compiled")

    def _replace(self, connection: Connection, admitted: Admitted) -> None:
        gateway = self._gateway
        grants = gateway.compile_grants(admitted, connection.session.client_id)
        permissions = Permissions(grants, region=gateway.region, account=admitted.account)
        account = connection.account
        account.forget_principals(connection)
        connection.regrant(admitted, permissions)
        account.note_principals(connection)


def _again(connection: Connection) -> Admit:
    """Answer the question of its CONNECT, but that its authorizer is not asked again."""
    vouched = connection.admitted.vouched
    question = connection.question
    return question if question.vouched is vouched else replace(question, vouched=vouched)


def _fail(connection: Connection, why: str) -> None:
    if _is_open(connection):
        connection.fail(Reason.NOT_AUTHORIZED, "SERVER_ERROR", why)


def _named(connection: Connection) -> Mapping[str, Any]:
    return {"fields": {"client": connection.question.client_id}}


def _as_known(admitted: Admitted, known: Admitted) -> Admitted:
    """What a custom authorizer said anew. Who it is, and when it ends, was said when it came."""
    return replace(known, policies=admitted.policies, refresh_at=admitted.refresh_at, logging=admitted.logging)


def _ending_as_said(admitted: Admitted, known: Admitted) -> Admitted:
    """A refresh does not let a connection last longer than the authorizer said when it came."""
    new, old = admitted.vouched, known.vouched
    if new is None or old is None or new.ends_at <= old.ends_at:
        return admitted
    ends_at = old.ends_at if admitted.ends_at is None else min(admitted.ends_at, old.ends_at)
    return replace(admitted, ends_at=ends_at, vouched=replace(new, ends_at=old.ends_at))


def _is_open(connection: Connection) -> bool:
    """Ask each time: it may have ended while something was waited for."""
    return connection.state is State.OPEN
