"""Functions and their versions, as far as one transaction does it. Code comes in and goes out in `flows`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hedgerow.base.errors import ServiceError
from hedgerow.base.ids import Ids
from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller
from hedgerow.core.paging import Pager, scope_of
from hedgerow.core.request import Request
from hedgerow.services.lambda_.functions.errors import (
    FunctionConflict,
    FunctionNotFound,
    InvalidParameter,
    RevisionMismatch,
)
from hedgerow.services.lambda_.functions.model import LATEST, Code, Named, Version, named_by
from hedgerow.services.lambda_.functions.ports import Dependent, Roles
from hedgerow.services.lambda_.functions.reader import FunctionReader
from hedgerow.services.lambda_.functions.settings import read_settings
from hedgerow.services.lambda_.functions.store import FunctionStore
from hedgerow.store import Answer, Tx

PAGE = 50


class FunctionOperations:
    """What is done to functions inside a transaction."""

    def __init__(
        self, *, ids: Ids, pager: Pager, reader: FunctionReader, roles: Roles, dependents: Sequence[Dependent] = ()
    ) -> None:
        self._ids = ids
        self._pager = pager
        self._reader = reader
        self._roles = roles
        self._dependents = tuple(dependents)
        self._store = FunctionStore()

    def create(self, tx: Tx, version: Version, *, publish: bool) -> Version:
        """Write a new function; answers the version that its maker is told about. The last step of CreateFunction."""
        if self._store.get(tx, version.account, version.name) is not None:
            raise FunctionConflict(f"Function already exist: {version.name}")
        self._check_role(tx, version)
        version = replace(version, modified_at=tx.now)
        self._store.create(tx, version)
        return self._publish(tx, version, version.settings.description) if publish else version

    def put_code(
        self, tx: Tx, named: Named, code: Code, *, changes: dict[str, Any], revision: str | None, publish: bool
    ) -> Version:
        """Give `$LATEST` other code. The last step of UpdateFunctionCode."""
        old = self._latest(tx, named, revision)
        new = replace(
            old,
            code=code,
            settings=old.settings.with_changes(changes),
            modified_at=tx.now,
            revision=self._ids.uuid(),
        )
        self._store.put(tx, new)
        return self._publish(tx, new, new.settings.description) if publish else new

    def update_function_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        named = named_by(caller, request["FunctionName"])
        old = self._latest(tx, named, request.get("RevisionId"))
        settings = old.settings.with_changes(read_settings(request))
        new = replace(old, settings=settings, modified_at=tx.now, revision=self._ids.uuid())
        self._check_role(tx, new)
        self._store.put(tx, new)
        return Answer(new.configuration(qualified=False))

    def get_function_configuration(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        named = named_by(caller, request["FunctionName"], request.get("Qualifier"))
        version = self._reader.must(tx, named)
        return Answer(described(version, named))

    def list_functions(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        everything = request.get("FunctionVersion") == "ALL"
        scope = scope_of(caller.account, "ListFunctions", request)
        name, _, number = self._position(scope, request.get("Marker")).partition("\n")
        limit = min(int(request.get("MaxItems") or PAGE), PAGE)
        if everything:
            found = self._store.all(tx, caller.account, after=name, number=int(number or -1), limit=limit + 1)
        else:
            found = self._store.latest(tx, caller.account, after=name, limit=limit + 1)
        answer: dict[str, Any] = {"Functions": [v.configuration(qualified=everything) for v in found[:limit]]}
        if len(found) > limit:
            last = found[limit - 1]
            answer["NextMarker"] = self._pager.token(scope, f"{last.name}\n{last.number}")
        return Answer(answer)

    def list_versions_by_function(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        named = named_by(caller, request["FunctionName"])
        self._reader.must(tx, named)
        scope = scope_of(caller.account, "ListVersionsByFunction", request)
        after = int(self._position(scope, request.get("Marker")) or -1)
        limit = min(int(request.get("MaxItems") or PAGE), PAGE)
        found = self._store.versions(tx, caller.account, named.name, after=after, limit=limit + 1)
        answer: dict[str, Any] = {"Versions": [v.configuration(qualified=True) for v in found[:limit]]}
        if len(found) > limit:
            answer["NextMarker"] = self._pager.token(scope, str(found[limit - 1].number))
        return Answer(answer)

    def publish_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        named = named_by(caller, request["FunctionName"])
        latest = self._latest(tx, named, request.get("RevisionId"))
        sha256 = request.get("CodeSha256")
        if sha256 is not None and sha256 != latest.code.sha256:
            raise InvalidParameter(
                f"CodeSHA256 ({sha256}) is different from current CodeSHA256 in $LATEST ({latest.code.sha256}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        description = request.get("Description")
        text = latest.settings.description if description is None else description
        return Answer(self._publish(tx, latest, text).configuration(qualified=True))

    def delete_function(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        named = named_by(caller, request["FunctionName"], request.get("Qualifier"))
        if named.qualifier == LATEST:
            raise InvalidParameter("$LATEST version cannot be deleted without deleting the function.")
        if not self._reader.exists(tx, named.account, named.name):
            raise FunctionNotFound(named.arn)
        if not named.qualifier:
            self._store.drop(tx, named.account, named.name)
        elif not named.qualifier.isdigit():
            raise InvalidParameter("Deletion of aliases is not currently supported.")
        else:
            self._delete_version(tx, named)
        for dependent in self._dependents:
            dependent.forget(tx, named.account, named.name, named.qualifier)
        return Answer({"StatusCode": 204})

    def tag_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        version = self._tagged(tx, request, caller)
        tags = {**version.tags, **request.take_all("Tags")}
        if len(tags) > 50:
            raise InvalidParameter("A function can have 50 tags")
        self._store.put_tags(tx, version.account, version.name, tags)
        return Answer()

    def untag_resource(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        version = self._tagged(tx, request, caller)
        gone = set(request.take_all("TagKeys"))
        tags = {key: value for key, value in version.tags.items() if key not in gone}
        self._store.put_tags(tx, version.account, version.name, tags)
        return Answer()

    def list_tags(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return Answer({"Tags": dict(self._tagged(tx, request, caller).tags)})

    def _tagged(self, tx: Tx, request: Request, caller: Caller) -> Version:
        resource = request["Resource"]
        parsed = parse(resource)
        if parsed is None or parsed.resource.count(":") != 1:
            raise InvalidParameter(f"{resource} is not the ARN of a function")
        return self._reader.must(tx, named_by(caller, resource))

    def _latest(self, tx: Tx, named: Named, revision: str | None) -> Version:
        if named.qualifier not in ("", LATEST):
            raise InvalidParameter("Only $LATEST can be changed; versions are what they are")
        latest = self._reader.must(tx, named)
        if revision is not None and revision != latest.revision:
            raise RevisionMismatch
        return latest

    def _publish(self, tx: Tx, latest: Version, description: str) -> Version:
        number = self._store.last_number(tx, latest.account, latest.name)
        last = self._store.get(tx, latest.account, latest.name, str(number)) if number else None
        if last is not None and last.same_as(latest):
            return last
        settings = replace(latest.settings, description=description)
        version = replace(latest, version=str(number + 1), settings=settings, revision=self._ids.uuid())
        self._store.add(tx, version)
        return version

    def _delete_version(self, tx: Tx, named: Named) -> None:
        for dependent in self._dependents:
            reason = dependent.in_the_way(tx, named.account, named.name, named.qualifier)
            if reason is not None:
                raise FunctionConflict(reason)
        if (
            self._store.get(tx, named.account, named.name, named.qualifier) is not None
        ):  # AWS answers 204 when it is gone
            self._store.drop_version(tx, named.account, named.name, int(named.qualifier))

    def _check_role(self, tx: Tx, version: Version) -> None:
        role, source = version.settings.role, version.function_arn
        if not self._roles.assumable(tx, version.account, role, "lambda.amazonaws.com", source):
            raise InvalidParameter("The role defined for the function cannot be assumed by Lambda.")

    def _position(self, scope: str, marker: str | None) -> str:
        try:
            return self._pager.position(scope, marker or None) or ""
        except ServiceError as error:
            raise InvalidParameter("Marker is not one that this operation has answered") from error


def described(version: Version, named: Named, *, hint: str = "") -> dict[str, Any]:
    """Answer the configuration as it is told to someone who named the version so: the ARN has their qualifier."""
    answer = version.configuration(qualified=False, hint=hint)
    answer["FunctionArn"] = named.arn
    return answer
