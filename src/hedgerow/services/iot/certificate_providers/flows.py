"""Having a device's certificate signed by the account's certificate provider, during fleet provisioning.

The function is asked outside any transaction, with a deadline. Its certificate must be for the request's key. When no
registered CA of the account signed it, the listeners come to trust the certificate itself.
"""

import asyncio
import json
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from hedgerow.base.errors import HedgerowError
from hedgerow.base.log import get_logger
from hedgerow.core import pki
from hedgerow.core.caller import Caller
from hedgerow.services.iot.certificate_providers.errors import ProviderFailed, RequestRefused
from hedgerow.services.iot.certificate_providers.model import (
    INVOKED_WITHIN_S,
    CertificateProvider,
    checked_answer,
)
from hedgerow.services.iot.certificate_providers.operations import provider_arn
from hedgerow.services.iot.certificate_providers.store import CertificateProviderStore
from hedgerow.store import Run, Tx

log = get_logger("services.iot.certificate_providers")


class Invoker(Protocol):
    """Invokes functions for AWS IoT."""

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        """Answer what the function returned; raises a HedgerowError when it may not, cannot, or failed."""
        ...


class Entry(Protocol):
    """What was entered into the registry."""

    @property
    def id(self) -> str:
        """The certificate's id."""
        ...

    @property
    def pem(self) -> str:
        """The certificate as PEM."""
        ...


class Certificates(Protocol):
    """What providers need of certificates."""

    def has_ca(self, tx: Tx, account: str, pem: str) -> bool:
        """Tell whether a CA of the account signed the certificate. Raises a ServiceError for a bad one."""
        ...

    def enter_provided(self, tx: Tx, caller: Caller, pem: str) -> Entry:
        """Write a certificate of somebody else's making into the registry, PENDING_ACTIVATION."""
        ...


class Anchors(Protocol):
    """What the device listeners trust."""

    def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AbstractAsyncContextManager[None]:
        """Trust the certificate once the block has ended well; raises a ServiceError when it must not be."""
        ...


@dataclass(frozen=True, slots=True)
class Provided:
    """A certificate that the provider made, on its way into the registry."""

    pem: str
    caller: Caller
    certificates: Certificates
    trusting: AbstractAsyncContextManager[None]

    def enter(self, tx: Tx) -> Entry:
        """Write it into the registry; inside `async with trusting`."""
        return self.certificates.enter_provided(tx, self.caller, self.pem)


class CertificateProviderFlows:
    """Asks certificate providers."""

    def __init__(
        self,
        *,
        run: Run,
        providers: CertificateProviderStore,
        invoker: Invoker,
        certificates: Certificates,
        anchors: Anchors,
    ) -> None:
        self._run = run
        self._providers = providers
        self._invoker = invoker
        self._certificates = certificates
        self._anchors = anchors

    async def provide(self, signing_request_pem: str, caller: Caller) -> Provided | None:
        """Have the request signed; None when the account has no provider.

        Raises RequestRefused for what is no signing request, ProviderFailed when the provider does not do its part.
        """
        found = await self._run.read(lambda tx: self._providers.of_account(tx, caller.account))
        if not found:
            return None
        try:
            pki.read_csr(signing_request_pem)
        except pki.BadRequest as error:
            raise RequestRefused(f"The certificate signing request cannot be used: {error}") from error
        pem = checked_answer(await self._asked(found[0], signing_request_pem, caller), signing_request_pem)
        try:
            known = await self._run.read(lambda tx: self._certificates.has_ca(tx, caller.account, pem))
        except HedgerowError as error:
            raise ProviderFailed(f"The certificate provider's certificate cannot be used: {error}") from error
        trusting = nullcontext() if known else self._anchors.joining(pem, account=caller.account, ca=False)
        return Provided(pem, caller, self._certificates, trusting)

    async def _asked(self, provider: CertificateProvider, signing_request_pem: str, caller: Caller) -> bytes:
        event = {
            "certificateSigningRequest": signing_request_pem,
            "principalId": caller.certificate_id or caller.principal,
            "clientId": caller.client_id or "",
        }
        try:
            async with asyncio.timeout(INVOKED_WITHIN_S):
                return await self._invoker.invoke(
                    account=caller.account,
                    function_arn=provider.function_arn,
                    payload=json.dumps(event).encode("utf-8"),
                    source_arn=provider_arn(caller, provider.name),
                )
        except (TimeoutError, HedgerowError) as error:
            fields = {"account": caller.account, "provider": provider.name, "cause": str(error)}
            log.warning("a certificate provider could not be asked", extra={"fields": fields})
            raise ProviderFailed("The certificate provider could not be asked.") from error
