"""Certificates that need a key, a signature or a listener's trust, all of it outside the transaction.

A private key is answered once and kept nowhere. Nothing has to be undone when a later step fails: a signed certificate
that is not in the registry is good for nothing.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.request import Request
from hedgerow.services.iot.certificates.model import Mode, Status, parsed, registrable
from hedgerow.services.iot.certificates.operations import CertificateOperations
from hedgerow.services.iot.principals import certificate_arn
from hedgerow.store import Answer, Run, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate for a key that was made for it. The private key is secret: hand it on, never store or log it."""

    certificate_pem: str
    public_key_pem: str
    private_key_pem: str

    def __repr__(self) -> str:
        return "Issued(…)"


class Authority(Protocol):
    """Makes device keys and signs device certificates with the cloud's device CA. Off the loop, with a deadline."""

    async def issue(self) -> Issued:
        """Make an RSA 2048 key and a certificate for it. The private key is PKCS#1 PEM."""
        ...

    async def sign(self, signing_request_pem: str) -> str:
        """Answer the PEM of a certificate for the request's key and subject.

        Raises a ServiceError that says why when the request cannot be read, is not signed by its key, has a weak key or
        a subject that is not allowed. The same request twice gives two different certificates.
        """
        ...


class Anchors(Protocol):
    """What the device listeners trust."""

    def joining(self, certificate_pem: str, *, account: str, ca: bool) -> AbstractAsyncContextManager[None]:
        """Trust the certificate once the block has ended well. One block at a time.

        Raises a ServiceError when it could spoil the handshakes of other accounts' devices.
        """
        ...


class CertificateFlows:
    """The operations on certificates with steps outside the transaction."""

    def __init__(
        self, *, run: Run, certificates: CertificateOperations, authority: Authority, anchors: Anchors
    ) -> None:
        self._run = run
        self._certificates = certificates
        self._authority = authority
        self._anchors = anchors

    async def create_keys_and_certificate(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        status = registrable(None, active=bool(request.get("setAsActive")))
        issued = await self._authority.issue()
        answer = await self._enter(issued.certificate_pem, caller, status)
        keys = {"PublicKey": issued.public_key_pem, "PrivateKey": issued.private_key_pem}
        return {**answer, "keyPair": keys}

    async def create_certificate_from_csr(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        signing_request, active = request["certificateSigningRequest"], bool(request.get("setAsActive"))
        pem = await self._authority.sign(signing_request)
        return await self._enter(pem, caller, registrable(None, active=active))

    async def register_certificate_without_ca(self, request: Request, caller: Caller) -> Mapping[str, Any]:
        pem, status = request["certificatePem"], registrable(request.get("status"))
        text = parsed(pem).pem
        async with self._anchors.joining(text, account=caller.account, ca=False):
            answer = dict(await self._enter(text, caller, status, mode=Mode.SNI_ONLY))
        del answer["certificatePem"]
        return answer

    async def _enter(self, pem: str, caller: Caller, status: Status, *, mode: Mode = Mode.DEFAULT) -> Mapping[str, Any]:
        def step(tx: Tx) -> Answer:
            certificate = self._certificates.enter(tx, caller, pem, status=status, mode=mode)
            return Answer(
                {
                    "certificateArn": certificate_arn(caller, certificate.id),
                    "certificateId": certificate.id,
                    "certificatePem": certificate.pem,
                },
                events=(AuthorisationChanged(account=caller.account, principals=frozenset({certificate.id})),),
            )

        return (await self._run.write(step)).response
