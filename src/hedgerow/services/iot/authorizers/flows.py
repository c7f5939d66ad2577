"""TestInvokeAuthorizer: the function is invoked for real, with the event that a connection would give.

With signing the token's signature is verified first; when it is wrong the function is not invoked.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from hedgerow.base.errors import HedgerowError, ServiceError
from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.authorizers.asking import Invoker
from hedgerow.services.iot.authorizers.errors import InvalidResponse
from hedgerow.services.iot.authorizers.model import INVOKED_WITHIN_S, Authorizer, checked_answer, event
from hedgerow.services.iot.authorizers.operations import authorizer_arn, found_authorizer
from hedgerow.services.iot.authorizers.store import AuthorizerStore
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.store import Run


class AuthorizerFlows:
    """The operation on authorizers that runs a function."""

    def __init__(self, *, run: Run, ids: Ids, authorizers: AuthorizerStore, invoker: Invoker) -> None:
        self._run = run
        self._ids = ids
        self._authorizers = authorizers
        self._invoker = invoker

    async def test_invoke_authorizer(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        name = request["authorizerName"]
        authorizer = await self._run.read(lambda tx: found_authorizer(self._authorizers, tx, caller, name))
        asked = event(
            token=_verified(authorizer, request.get("token"), request.get("tokenSignature")),
            http=request.take_all("httpContext"),
            mqtt=request.take_all("mqttContext"),
            tls=request.take_all("tlsContext"),
        )
        payload = json.dumps({**asked, "connectionMetadata": {"id": self._ids.uuid()}}).encode("utf-8")
        return checked_answer(await self._asked(authorizer, payload, caller))

    async def _asked(self, authorizer: Authorizer, payload: bytes, caller: Caller) -> bytes:
        try:
            async with asyncio.timeout(INVOKED_WITHIN_S):
                return await self._invoker.invoke(
                    account=caller.account,
                    function_arn=authorizer.function_arn,
                    payload=payload,
                    source_arn=authorizer_arn(caller, authorizer.name),
                )
        except ServiceError as error:
            raise InvalidRequest(f"The authorizer's function cannot be invoked: {error.message}") from error
        except TimeoutError as error:
            raise InvalidResponse(f"The authorizer's function took longer than {INVOKED_WITHIN_S:g} s") from error
        except HedgerowError as error:
            raise InvalidResponse(f"The authorizer's function failed: {error}") from error


def _verified(authorizer: Authorizer, token: str | None, signature: str | None) -> str | None:
    """Answer the token that the function is handed; raise InvalidRequest when it is not signed as it must be."""
    if authorizer.signing_disabled:
        if token is not None or signature is not None:
            raise InvalidRequest("Signing is disabled for this authorizer: token and tokenSignature must be absent")
        return None
    if token is None or signature is None:
        raise InvalidRequest("token and tokenSignature are required, because signing is enabled for this authorizer")
    if not authorizer.signed(token, signature):
        raise InvalidRequest("The signature is not one of the token by a key of the authorizer")
    return token
