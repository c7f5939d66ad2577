"""RegisterCACertificate: read, prove, write, and have the listeners trust the CA from then on, without a restart."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from hedgerow.base.clock import Clock
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.ca_certificates.model import CaMode, ParsedCa, parsed_ca, verify
from hedgerow.services.iot.ca_certificates.operations import CaCertificateOperations, ca_arn, read_provisioning
from hedgerow.services.iot.ca_certificates.store import RegistrationCodeStore
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.store import Answer, Run, Tx


class Anchors(Protocol):
    """What the device listeners trust."""

    def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AbstractAsyncContextManager[None]:
        """Trust the certificate once the block has ended well. One block at a time.

        Raises a ServiceError when it could spoil the handshakes of other accounts' devices.
        """
        ...


class Tags(Protocol):
    """Where tags are kept."""

    def read(self, given: Any) -> Mapping[str, str]:
        """Answer the tags of a request; raise InvalidRequest when they are none."""
        ...

    def put(self, tx: Tx, account: str, resource: str, new: Mapping[str, str]) -> None:
        """Write these in place of all that the resource (`cacert/…`) has."""
        ...


class CaCertificateFlows:
    """The operation on CA certificates with a step outside the transaction."""

    def __init__(
        self,
        *,
        run: Run,
        operations: CaCertificateOperations,
        codes: RegistrationCodeStore,
        anchors: Anchors,
        clock: Clock,
        tags: Tags,
    ) -> None:
        self._tags = tags
        self._run = run
        self._operations = operations
        self._codes = codes
        self._anchors = anchors
        self._clock = clock

    async def register_ca_certificate(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        provisioning = read_provisioning(request)
        mode = CaMode(request.get("certificateMode", "DEFAULT"))
        active, auto = bool(request.get("setAsActive")), bool(request.get("allowAutoRegistration"))
        tags = self._tags.read(request.take_all("tags"))
        read = parsed_ca(request["caCertificate"], now=self._clock.now())
        await self._verify(read, mode, request.get("verificationCertificate"), caller)

        def step(tx: Tx) -> Answer:
            ca = self._operations.enter(
                tx, caller, read, mode=mode, active=active, auto_registration=auto, provisioning=provisioning
            )
            self._tags.put(tx, caller.account, f"cacert/{ca.id}", tags)
            return Answer({"certificateArn": ca_arn(caller, ca.id), "certificateId": ca.id})

        async with self._anchors.joining(read.pem, account=caller.account, ca=True):
            return (await self._run.write(step)).response

    async def _verify(self, read: ParsedCa, mode: CaMode, verification: str | None, caller: Caller) -> None:
        if mode is CaMode.SNI_ONLY:
            if verification is not None:
                raise InvalidRequest("verificationCertificate must be absent when certificateMode is SNI_ONLY")
            return
        if verification is None:
            raise InvalidRequest("verificationCertificate is required when certificateMode is DEFAULT")
        code = await self._run.read(lambda tx: self._codes.get(tx, caller.account))
        verify(read, verification, code)
