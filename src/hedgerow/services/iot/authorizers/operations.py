"""The operations on custom authorizers. Testing one is in `flows.py`, asking them about clients in `asking.py`.

The default authorizer may be made INACTIVE; then it lets nobody in, as any other.
Spec: AWS IoT CreateAuthorizer …; DeleteAuthorizer only when it is INACTIVE, not the default one, and no domain
configuration asks it.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.authorizers.errors import (
    AuthorizerActive,
    AuthorizerExists,
    AuthorizerInUse,
    AuthorizerIsDefault,
    AuthorizerNotFound,
    NoDefaultAuthorizer,
    TooManyAuthorizers,
)
from hedgerow.services.iot.authorizers.model import (
    MOST,
    MOST_ACTIVE,
    Authorizer,
    AuthorizerStatus,
    checked_function,
    checked_keys,
)
from hedgerow.services.iot.authorizers.store import AuthorizerStore
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx


class Domains(Protocol):
    """What authorizers need of domain configurations."""

    def asking(self, tx: Tx, account: str, authorizer: str) -> Sequence[str]:
        """Answer the names of the configurations that ask this authorizer by default."""
        ...


class AuthorizerOperations:
    """The operations on authorizers."""

    def __init__(self, *, authorizers: AuthorizerStore, pages: Pages, domains: Domains | None = None) -> None:
        self._authorizers = authorizers
        self._pages = pages
        self._domains = domains

    def create_authorizer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request["authorizerName"]
        authorizer = Authorizer(
            name=name,
            function_arn=_function(request, caller),
            token_key_name=request.get("tokenKeyName"),
            keys=checked_keys(request.take_all("tokenSigningPublicKeys") or {}),
            status=AuthorizerStatus(request.get("status", "ACTIVE")),
            signing_disabled=bool(request.get("signingDisabled")),
            caching_for_http=bool(request.get("enableCachingForHttp")),
            created_at=tx.now,
            updated_at=tx.now,
        )
        if self._authorizers.get(tx, caller.account, name) is not None:
            raise AuthorizerExists(name, authorizer_arn=authorizer_arn(caller, name))
        if self._authorizers.count(tx, caller.account) >= MOST:
            raise TooManyAuthorizers(f"There are {MOST} authorizers already, which is the most")
        self._check_active(tx, caller, authorizer)
        self._authorizers.add(tx, caller.account, authorizer)
        return Answer(_named(caller, name))

    def describe_authorizer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._described(found_authorizer(self._authorizers, tx, caller, request["authorizerName"]), caller)

    def _described(self, authorizer: Authorizer, caller: Caller) -> Answer:
        described = {
            **_named(caller, authorizer.name),
            "authorizerFunctionArn": authorizer.function_arn,
            "status": authorizer.status.value,
            "creationDate": authorizer.created_at,
            "lastModifiedDate": authorizer.updated_at,
            "signingDisabled": authorizer.signing_disabled,
            "enableCachingForHttp": authorizer.caching_for_http,
        }
        if authorizer.token_key_name is not None:
            described["tokenKeyName"] = authorizer.token_key_name
        if authorizer.keys:
            described["tokenSigningPublicKeys"] = dict(authorizer.keys)
        return Answer({"authorizerDescription": described})

    def list_authorizers(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending, status = bool(request.get("ascendingOrder")), request.get("status")
        page = self._pages.by_marker(request, caller, "ListAuthorizers", ascending=ascending, status=status)
        found = self._authorizers.list(
            tx,
            caller.account,
            status=None if status is None else AuthorizerStatus(status),
            after=page.position,
            limit=page.limit,
            ascending=ascending,
        )
        return Answer(
            page.answer(
                "authorizers", found, key=lambda a: (a.created_at, a.name), show=lambda a: _named(caller, a.name)
            )
        )

    def update_authorizer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        authorizer = found_authorizer(self._authorizers, tx, caller, request["authorizerName"])
        status, keys = request.get("status"), request.take_all("tokenSigningPublicKeys")
        changed = authorizer.changed(
            tx.now,
            function_arn=_function(request, caller) if "authorizerFunctionArn" in request else None,
            token_key_name=request.get("tokenKeyName"),
            keys=None if keys is None else checked_keys(keys),
            status=None if status is None else AuthorizerStatus(status),
            caching_for_http=request.get("enableCachingForHttp"),
        )
        if not authorizer.active:
            self._check_active(tx, caller, changed)
        self._authorizers.put(tx, caller.account, changed)
        return Answer(_named(caller, authorizer.name))

    def delete_authorizer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        authorizer = found_authorizer(self._authorizers, tx, caller, request["authorizerName"])
        if authorizer.active:
            raise AuthorizerActive(authorizer.name)
        if self._authorizers.default(tx, caller.account) == authorizer.name:
            raise AuthorizerIsDefault(authorizer.name)
        asking = () if self._domains is None else self._domains.asking(tx, caller.account, authorizer.name)
        if asking:
            raise AuthorizerInUse(authorizer.name, asking)
        self._authorizers.remove(tx, caller.account, authorizer.name)
        return Answer({})

    def set_default_authorizer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        authorizer = found_authorizer(self._authorizers, tx, caller, request["authorizerName"])
        self._authorizers.make_default(tx, caller.account, authorizer.name)
        return Answer(_named(caller, authorizer.name))

    def describe_default_authorizer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = self._default(tx, caller)
        return self._described(found_authorizer(self._authorizers, tx, caller, name), caller)

    def clear_default_authorizer(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        self._default(tx, caller)
        self._authorizers.make_default(tx, caller.account, None)
        return Answer({})

    def _default(self, tx: Tx, caller: Caller) -> str:
        name = self._authorizers.default(tx, caller.account)
        if name is None:
            raise NoDefaultAuthorizer
        return name

    def _check_active(self, tx: Tx, caller: Caller, authorizer: Authorizer) -> None:
        if authorizer.active and self._authorizers.count_active(tx, caller.account) >= MOST_ACTIVE:
            raise TooManyAuthorizers(f"There are {MOST_ACTIVE} active authorizers already, which is the most")


def found_authorizer(authorizers: AuthorizerStore, tx: Tx, caller: Caller, name: str) -> Authorizer:
    """Answer the caller's authorizer; raise AuthorizerNotFound."""
    authorizer = authorizers.get(tx, caller.account, name)
    if authorizer is None:
        raise AuthorizerNotFound(name)
    return authorizer


def authorizer_arn(caller: Caller, name: str) -> str:
    """Make the ARN of one of the caller's authorizers."""
    return arn("iot", caller.region, caller.account, f"authorizer/{name}")


def _function(request: Request, caller: Caller) -> str:
    return checked_function(request["authorizerFunctionArn"], account=caller.account, region=caller.region)


def _named(caller: Caller, name: str) -> dict[str, Any]:
    return {"authorizerName": name, "authorizerArn": authorizer_arn(caller, name)}
