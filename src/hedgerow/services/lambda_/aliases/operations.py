"""Aliases: names that stand for versions."""

from dataclasses import replace
from typing import Any, Protocol

from hedgerow.base.errors import ServiceError
from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager, scope_of
from hedgerow.core.request import Request
from hedgerow.services.lambda_.aliases.errors import (
    AliasConflict,
    AliasNotFound,
    AliasRevisionMismatch,
    AliasTargetNotFound,
    InvalidAlias,
)
from hedgerow.services.lambda_.aliases.model import Alias
from hedgerow.services.lambda_.aliases.store import AliasStore
from hedgerow.store import Answer, Tx

PAGE = 50


class FunctionNames(Protocol):
    """Reads what a function was called in a request."""

    def read(self, text: str, caller: Caller) -> tuple[str, str]:
        """Answer the plain name and the function's unqualified ARN; raises what fits when the form is none."""
        ...

    def exists(self, tx: Tx, account: str, name: str, version: str) -> bool:
        """Tell whether there is this version (a number or `$LATEST`)."""
        ...


class AliasOperations:
    """The operations on aliases."""

    def __init__(self, *, ids: Ids, pager: Pager, functions: FunctionNames) -> None:
        self._ids = ids
        self._pager = pager
        self._functions = functions
        self._store = AliasStore()

    def create_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        function, arn = self._functions.read(request["FunctionName"], caller)
        alias = Alias(
            account=caller.account,
            region=caller.region,
            function=function,
            name=request["Name"],
            version=request["FunctionVersion"],
            description=request.get("Description") or "",
            weights=_weights(request) or {},
            revision=self._ids.uuid(),
        )
        self._check(tx, alias, arn)
        if self._store.get(tx, alias.account, function, alias.name) is not None:
            raise AliasConflict(alias.arn)
        self._store.add(tx, alias)
        return Answer(alias.configuration())

    def get_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer(self._must(tx, request, caller)[0].configuration())

    def update_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        alias, arn = self._must(tx, request, caller)
        if request.get("RevisionId") not in (None, alias.revision):
            raise AliasRevisionMismatch
        changes: dict[str, Any] = {"revision": self._ids.uuid()}
        if request.get("FunctionVersion") is not None:
            changes["version"] = request["FunctionVersion"]
        if request.get("Description") is not None:
            changes["description"] = request["Description"]
        weights = _weights(request)
        if weights is not None:
            changes["weights"] = weights
        alias = replace(alias, **changes)
        self._check(tx, alias, arn)
        self._store.put(tx, alias)
        return Answer(alias.configuration())

    def delete_alias(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        function, _ = self._functions.read(request["FunctionName"], caller)
        self._store.drop(tx, caller.account, function, request["Name"])  # AWS answers 204 when there is none, too
        return Answer()

    def list_aliases(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        function, arn = self._functions.read(request["FunctionName"], caller)
        if not self._functions.exists(tx, caller.account, function, "$LATEST"):
            raise AliasTargetNotFound(arn)
        version = request.get("FunctionVersion")
        scope = scope_of(caller.account, "ListAliases", request)
        try:
            after = self._pager.position(scope, request.get("Marker") or None) or ""
        except ServiceError as error:
            raise InvalidAlias("Marker is not one that this operation has answered") from error
        limit = min(int(request.get("MaxItems") or PAGE), PAGE)
        found = [
            alias
            for alias in self._store.list(tx, caller.account, function, after=after)
            if version in (None, alias.version) or version in alias.weights
        ]
        answer: dict[str, Any] = {"Aliases": [alias.configuration() for alias in found[:limit]]}
        if len(found) > limit:
            answer["NextMarker"] = self._pager.token(scope, found[limit - 1].name)
        return Answer(answer)

    def _must(self, tx: Tx, request: Request, caller: Caller) -> tuple[Alias, str]:
        function, arn = self._functions.read(request["FunctionName"], caller)
        alias = self._store.get(tx, caller.account, function, request["Name"])
        if alias is None:
            raise AliasNotFound(f"{arn}:{request['Name']}")
        return alias, arn

    def _check(self, tx: Tx, alias: Alias, arn: str) -> None:
        alias.check()
        for version in (alias.version, *alias.weights):
            known = version == "$LATEST" or version.isdigit()
            if not known or not self._functions.exists(tx, alias.account, alias.function, version):
                raise AliasTargetNotFound(f"{arn}:{version}")


def _weights(request: Request) -> dict[str, float] | None:
    """Answer the routing in a request, None when it has none; an empty one takes the routing away."""
    routing = request.get("RoutingConfig")
    return None if routing is None else dict(routing.take_all("AdditionalVersionWeights") or {})
