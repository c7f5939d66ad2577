"""The operations on certificate providers. Asking one is in `flows.py`.

The function must be there, and its policy must let AWS IoT invoke it for the provider, from the beginning.
Spec: AWS IoT CreateCertificateProvider …; one provider in an account.
"""

from typing import Any, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.certificate_providers.errors import (
    ProviderExists,
    ProviderNotFound,
    TooManyProviders,
    UnusableFunction,
)
from hedgerow.services.iot.certificate_providers.model import MOST, OPERATIONS, CertificateProvider
from hedgerow.services.iot.certificate_providers.store import CertificateProviderStore
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.store import Answer, Tx


class Functions(Protocol):
    """What providers need of functions."""

    def objection(self, tx: Tx, account: str, function_arn: str, *, source_arn: str) -> str | None:
        """Answer why AWS IoT may not invoke the function for this source, None when it may."""
        ...


class CertificateProviderOperations:
    """The operations on certificate providers."""

    def __init__(self, *, providers: CertificateProviderStore, functions: Functions, pages: Pages) -> None:
        self._providers = providers
        self._functions = functions
        self._pages = pages

    def create_certificate_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, token = request["certificateProviderName"], request.get("clientToken")
        function_arn = self._usable(tx, caller, name, request["lambdaFunctionArn"])
        _check_operations(request)
        for known in self._providers.of_account(tx, caller.account):
            if (
                known.name == name
                and token is not None
                and (known.client_token, known.function_arn)
                == (
                    token,
                    function_arn,
                )
            ):
                return Answer(_named(caller, name))
            if known.name == name:
                raise ProviderExists(name, provider_arn=provider_arn(caller, name))
        if len(self._providers.of_account(tx, caller.account)) >= MOST:
            raise TooManyProviders
        provider = CertificateProvider(
            name=name, function_arn=function_arn, client_token=token, created_at=tx.now, updated_at=tx.now
        )
        self._providers.add(tx, caller.account, provider)
        return Answer(_named(caller, name))

    def describe_certificate_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = self._get(tx, caller, request["certificateProviderName"])
        return Answer(
            {
                **_named(caller, provider.name),
                "lambdaFunctionArn": provider.function_arn,
                "accountDefaultForOperations": list(OPERATIONS),
                "creationDate": provider.created_at,
                "lastModifiedDate": provider.updated_at,
            }
        )

    def list_certificate_providers(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending = bool(request.get("ascendingOrder"))  # of one there is one order
        page = self._pages.by_token(request, caller, "ListCertificateProviders", ascending=ascending)
        found = [p for p in self._providers.of_account(tx, caller.account) if p.name > page.after()]
        return Answer(
            page.answer("certificateProviders", found, key=lambda p: (p.name,), show=lambda p: _named(caller, p.name))
        )

    def update_certificate_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = self._get(tx, caller, request["certificateProviderName"])
        if "accountDefaultForOperations" in request:
            _check_operations(request)
        function_arn = request.get("lambdaFunctionArn")
        if function_arn is not None:
            usable = self._usable(tx, caller, provider.name, function_arn)
            self._providers.put(tx, caller.account, provider.with_function(usable, now=tx.now))
        return Answer(_named(caller, provider.name))

    def delete_certificate_provider(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        provider = self._get(tx, caller, request["certificateProviderName"])
        self._providers.remove(tx, caller.account, provider.name)
        return Answer({})

    def _get(self, tx: Tx, caller: Caller, name: str) -> CertificateProvider:
        found = [each for each in self._providers.of_account(tx, caller.account) if each.name == name]
        if not found:
            raise ProviderNotFound(name)
        return found[0]

    def _usable(self, tx: Tx, caller: Caller, name: str, function_arn: str) -> str:
        why = self._functions.objection(tx, caller.account, function_arn, source_arn=provider_arn(caller, name))
        if why is not None:
            raise UnusableFunction(f"The function {function_arn} cannot be used: {why}")
        return function_arn


def provider_arn(caller: Caller, name: str) -> str:
    """Make the ARN of one of the caller's certificate providers."""
    return arn("iot", caller.region, caller.account, f"certificateprovider:{name}")


def _check_operations(request: Request) -> None:
    if tuple(request["accountDefaultForOperations"]) != OPERATIONS:
        raise InvalidRequest(f"accountDefaultForOperations must be {list(OPERATIONS)}")


def _named(caller: Caller, name: str) -> dict[str, Any]:
    return {"certificateProviderName": name, "certificateProviderArn": provider_arn(caller, name)}
