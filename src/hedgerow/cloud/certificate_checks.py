"""Asks the function of a domain configuration about client certificates, once for each connection.

What is late, fails, or answers anything but `{"isAuthenticated": true}` lets nobody in. Invocations are bounded per
account; who gets no turn in time is refused.
Spec: AWS IoT Core developer guide, "Custom client certificate validation".
"""

import asyncio
import hashlib
import json
import ssl
from typing import Final, Protocol

from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.core.arn import arn
from hedgerow.core.tls import Domain

WITHIN_S: Final = 5.0
AT_ONCE: Final = 32  # invocations under way, per account


class Invoker(Protocol):
    """Invokes functions for AWS IoT."""

    async def invoke(self, *, account: str, function_arn: str, payload: bytes, source_arn: str) -> bytes:
        """Answer what the function returned; a ServiceError when it may not be invoked, else a HedgerowError."""
        ...


class CertificateChecks:
    """See the module. On the loop."""

    def __init__(self, *, invoker: Invoker, region: str) -> None:
        self._invoker = invoker
        self._region = region
        self._turns: dict[str, asyncio.Semaphore] = {}  # one for each account that has such a function

    async def objection(self, domain: Domain, der: bytes, *, connection_id: str) -> str | None:
        """Say why a client with this certificate is not let in; None when it is, or nobody is asked."""
        if domain.callback is None:
            return None
        try:
            async with asyncio.timeout(WITHIN_S), self._turns.setdefault(domain.account, asyncio.Semaphore(AT_ONCE)):
                said = await self._ask(domain, domain.callback, der, connection_id)
        except TimeoutError:
            return f"{domain.callback} took longer than {WITHIN_S:g} s"
        except ServiceError as error:
            return f"{domain.callback} could not be asked: {error.message}"
        except HedgerowError as error:
            return f"{domain.callback} could not be asked: {error}"
        return None if _is_yes(said) else f"{domain.callback} does not let the certificate in"

    async def _ask(self, domain: Domain, function_arn: str, der: bytes, connection_id: str) -> bytes:
        event = {
            "connectionMetadata": {"id": connection_id},
            "principalId": hashlib.sha256(der).hexdigest(),
            "serverName": domain.name,
            "clientCertificateChain": [ssl.DER_cert_to_PEM_cert(der)],
        }
        return await self._invoker.invoke(
            account=domain.account,
            function_arn=function_arn,
            payload=json.dumps(event).encode(),
            source_arn=arn("iot", self._region, domain.account, f"domainconfiguration/{domain.configuration}"),
        )


def _is_yes(said: bytes) -> bool:
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and answer.get("isAuthenticated") is True
