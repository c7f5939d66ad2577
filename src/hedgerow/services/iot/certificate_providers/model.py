"""A certificate provider: the function that signs a fleet's certificate requests instead of the cloud's device CA.

It is asked for CreateCertificateFromCsr over MQTT (fleet provisioning) alone; the HTTP operation of that name is signed
by the cloud as ever. One in an account.
Spec: AWS IoT certificate providers: the function is handed certificateSigningRequest, principalId and clientId, and
answers certificatePem.
"""

import json
from dataclasses import dataclass, replace
from typing import Final

from hedgerow.core import pki
from hedgerow.services.iot.certificate_providers.errors import ProviderFailed

OPERATIONS: Final = ("CreateCertificateFromCsr",)
MOST: Final = 1
INVOKED_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateProvider:
    """One provider."""

    name: str
    function_arn: str
    client_token: str | None
    created_at: float
    updated_at: float

    def with_function(self, function_arn: str, *, now: float) -> "CertificateProvider":
        """Answer it with another function."""
        return replace(self, function_arn=function_arn, updated_at=now)


def checked_answer(payload: bytes, signing_request_pem: str) -> str:
    """Answer the certificate in a function's answer; raise ProviderFailed unless it is one for the request's key."""
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProviderFailed("The certificate provider's function did not answer JSON") from error
    pem = answer.get("certificatePem") if isinstance(answer, dict) else None
    if not isinstance(pem, str):
        raise ProviderFailed("The certificate provider's function did not answer certificatePem")
    try:
        certificate = pki.read_certificate(pem)
        request = pki.read_csr(signing_request_pem)
    except (pki.BadCertificate, pki.BadRequest) as error:
        raise ProviderFailed(f"The certificate provider's function answered no certificate: {error}") from error
    if certificate.public_key() != request.public_key():
        raise ProviderFailed("The certificate provider's function answered a certificate for another key")
    return pki.pem_of(certificate)
