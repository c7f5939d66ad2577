"""A rotation's first step: the device CA signs outside the transaction."""

from collections.abc import Mapping
from typing import Any, Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.rotation.model import digest_of
from hedgerow.services.iot.rotation.operations import RotationOperations
from hedgerow.store import Run


class Authority(Protocol):
    """Signs device certificates with the cloud's device CA."""

    async def sign(self, signing_request_pem: str) -> str:
        """Answer the PEM of a certificate for the request's key and subject; raises a ServiceError."""
        ...


class RotationFlows:
    """The operation that a device calls with the certificate that is to go."""

    def __init__(self, *, run: Run, rotations: RotationOperations, authority: Authority) -> None:
        self._run = run
        self._rotations = rotations
        self._authority = authority

    async def rotate_certificate(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        """Answer the new certificate; the same request again is answered the same."""
        signing_request = request["certificateSigningRequest"]
        digest = digest_of(signing_request)
        known = await self._run.read(lambda tx: self._rotations.under_way(tx, caller, digest))
        if known is not None:
            return known
        pem = await self._authority.sign(signing_request)
        answer = await self._run.write(lambda tx: self._rotations.begin(tx, caller, pem, digest))
        return answer.response
