"""Permissions: the resource policy of a function, statement by statement."""

import re
from collections.abc import Sequence
from typing import Final, Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.lambda_.permissions.errors import (
    InvalidPermission,
    PermissionConflict,
    PermissionNotFound,
    PolicyRevisionMismatch,
    PolicyTooLong,
)
from hedgerow.services.lambda_.permissions.model import MAX_POLICY, Statement, policy, revision, written
from hedgerow.services.lambda_.permissions.store import PermissionStore
from hedgerow.store import Answer, Tx

_ACTION: Final = re.compile(r"lambda:[*]|lambda:[a-zA-Z]+|[*]")
_PRINCIPAL: Final = re.compile(r"\*|\d{12}|arn:.+|[a-z0-9.-]+\.amazonaws\.com|[a-z0-9.-]+\.[a-z]+")


class FunctionQualifiers(Protocol):
    """Reads what a function was called in a request."""

    def must_be_there(self, tx: Tx, text: str, qualifier: str | None, caller: Caller) -> tuple[str, str, str]:
        """Answer plain name, qualifier ("" for none) and ARN of what is there; raises what fits when it is not."""
        ...


class NamedFunction(Protocol):
    """A function as others name it."""

    @property
    def account(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def qualifier(self) -> str: ...


class PermissionOperations:
    """The operations on permissions."""

    def __init__(self, *, functions: FunctionQualifiers) -> None:
        self._functions = functions
        self._store = PermissionStore()

    def add_permission(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, qualifier, arn = self._functions.must_be_there(
            tx, request["FunctionName"], request.get("Qualifier"), caller
        )
        statement = Statement(
            sid=request["StatementId"],
            action=request["Action"],
            principal=request["Principal"],
            resource=arn,
            source_arn=request.get("SourceArn"),
            source_account=request.get("SourceAccount"),
            event_source_token=request.get("EventSourceToken"),
            organisation=request.get("PrincipalOrgID"),
        )
        if not _ACTION.fullmatch(statement.action):
            raise InvalidPermission(f"{statement.action!r} is not an action of Lambda")
        if not _PRINCIPAL.fullmatch(statement.principal):
            raise InvalidPermission(f"The provided principal was invalid: {statement.principal!r}")
        known = self._store.list(tx, caller.account, name, qualifier)
        self._check_revision(known, request)
        if any(statement.sid == other.sid for other in known):
            raise PermissionConflict(statement.sid)
        if len(written(policy([*known, statement])).encode()) > MAX_POLICY:
            raise PolicyTooLong(f"The final policy size is bigger than the limit ({MAX_POLICY}).")
        self._store.add(tx, caller.account, name, qualifier, statement)
        return Answer({"Statement": written(statement.document)})

    def get_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, qualifier, arn = self._functions.must_be_there(
            tx, request["FunctionName"], request.get("Qualifier"), caller
        )
        known = self._store.list(tx, caller.account, name, qualifier)
        if not known:
            raise PermissionNotFound(f"No policy is found for: {arn}")
        text = written(policy(known))
        return Answer({"Policy": text, "RevisionId": revision(text)})

    def remove_permission(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, qualifier, _ = self._functions.must_be_there(
            tx, request["FunctionName"], request.get("Qualifier"), caller
        )
        self._check_revision(self._store.list(tx, caller.account, name, qualifier), request)
        sid = request["StatementId"]
        if not self._store.drop(tx, caller.account, name, qualifier, sid):
            raise PermissionNotFound(f"Statement {sid} is not found in resource policy.")
        return Answer()

    def permits(self, tx: Tx, named: NamedFunction, *, service: str, source_arn: str | None) -> bool:
        """Tell whether the function's policy lets a service invoke it on behalf of a resource."""
        known = self._store.list(tx, named.account, named.name, named.qualifier)
        return any(
            statement.permits(service=service, source_arn=source_arn, account=named.account) for statement in known
        )

    def _check_revision(self, known: Sequence[Statement], request: Request) -> None:
        expected = request.get("RevisionId")
        if expected is not None and expected != revision(written(policy(known))):
            raise PolicyRevisionMismatch
