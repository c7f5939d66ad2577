"""A custom authorizer: a function that says whether a client is let in, as whom, and with which policies.

Here are what an authorizer must be, the event that its function is handed, and what it must answer.
Spec: AWS IoT custom authentication: RSA keys of 2048 bits and more; the signature is PKCS #1 v1.5 with SHA-256 over the
token; 100 authorizers, 32 of them active; 10 policy documents of 2048 characters; 300 to 86,400 s.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from hedgerow.core import pki
from hedgerow.core import policy as language
from hedgerow.core.arn import parse
from hedgerow.services.iot.authorizers.errors import InvalidResponse
from hedgerow.services.iot.errors import InvalidRequest

MOST: Final = 100
MOST_ACTIVE: Final = 32
INVOKED_WITHIN_S: Final = 5.0
_PRINCIPAL: Final = re.compile(r"[a-zA-Z0-9]{1,128}")
_DOCUMENTS: Final = 10
_DOCUMENT: Final = 2048
_ANSWER: Final = 128 * 1024  # bytes: what may be in it is shorter, and reading more of it would keep others waiting
_SECONDS: Final = range(300, 86_401)


class AuthorizerStatus(Enum):
    """Whether clients may name it."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorizer:
    """One authorizer."""

    name: str
    function_arn: str
    token_key_name: str | None
    keys: Mapping[str, str]  # public keys as PEM, by name; any of them may have signed
    status: AuthorizerStatus
    signing_disabled: bool
    caching_for_http: bool = False
    created_at: float
    updated_at: float

    def __post_init__(self) -> None:
        """Raise InvalidRequest when the parts do not go together."""
        if self.signing_disabled and self.keys:
            raise InvalidRequest("tokenSigningPublicKeys mean nothing when signingDisabled is true: leave them out")
        if not self.signing_disabled and not (self.keys and self.token_key_name):
            raise InvalidRequest("tokenKeyName and tokenSigningPublicKeys are required unless signingDisabled is true")

    @property
    def active(self) -> bool:
        """Whether clients may name it."""
        return self.status is AuthorizerStatus.ACTIVE

    def changed(self, now: float, **parts: Any) -> "Authorizer":
        """Answer it with other parts; those that are None stay."""
        return replace(self, updated_at=now, **{name: value for name, value in parts.items() if value is not None})

    def signed(self, token: str, signature: str) -> bool:
        """Tell whether one of the keys signed the token."""
        try:
            raw = base64.b64decode(signature, validate=True)
        except ValueError:
            return False
        return any(pki.signed_token(key, token.encode("utf-8", "surrogatepass"), raw) for key in self.keys.values())


def checked_function(function_arn: str, *, account: str, region: str) -> str:
    """Answer the ARN; raise InvalidRequest unless it is one of a function of this account."""
    parts = parse(function_arn)
    if parts is None or parts.service != "lambda" or not parts.resource.startswith("function:"):
        raise InvalidRequest(f"authorizerFunctionArn {function_arn} is not the ARN of a function")
    if (parts.account, parts.region) != (account, region):
        raise InvalidRequest(f"authorizerFunctionArn {function_arn} is not of account {account} in {region}")
    return function_arn


def checked_keys(keys: Mapping[str, str]) -> Mapping[str, str]:
    """Answer the keys; raise InvalidRequest unless each is an RSA public key that is strong enough."""
    for name, pem in keys.items():
        try:
            pki.token_key(pem)
        except pki.BadKey as error:
            raise InvalidRequest(f"tokenSigningPublicKeys: {name}: {error}") from error
    return dict(keys)


def event(
    *, token: str | None, http: Mapping[str, Any] | None, mqtt: Mapping[str, Any] | None, tls: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Answer the event for the function, without the connection's id. A token is one whose signature was verified."""
    data: dict[str, Any] = {}
    if tls is not None:
        data["tls"] = dict(tls)
    if http is not None:
        data["http"] = dict(http)
    if mqtt is not None:
        password = mqtt.get("password")
        text = {} if password is None else {"password": base64.b64encode(password).decode("ascii")}
        data["mqtt"] = {**{name: value for name, value in mqtt.items() if name != "password"}, **text}
    signed = {} if token is None else {"token": token, "signatureVerified": True}
    return {**signed, "protocols": list(data), "protocolData": data}


def checked_answer(payload: bytes, *, certificate_id: str | None = None) -> dict[str, Any]:
    """Answer what the function said, as TestInvokeAuthorizer shows it; raise InvalidResponse when it may not say so.

    Beside a certificate the principal is the certificate's id, and policies need not be said.
    """
    if len(payload) > _ANSWER:
        raise InvalidResponse(f"The authorizer's function may answer {_ANSWER} bytes at most")
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidResponse("The authorizer's function did not answer JSON") from error
    if not isinstance(said, dict) or not isinstance(said.get("isAuthenticated"), bool):
        raise InvalidResponse("The authorizer's function must answer isAuthenticated, true or false")
    if not said["isAuthenticated"]:
        return {"isAuthenticated": False}
    principal = said.get("principalId")
    if not isinstance(principal, str) or _PRINCIPAL.fullmatch(principal) is None:
        raise InvalidResponse("principalId must be 1 to 128 letters and digits")
    if certificate_id not in (None, principal):
        raise InvalidResponse("principalId must be the id of the client's certificate")
    answer: dict[str, Any] = {"isAuthenticated": True, "principalId": principal, "policyDocuments": []}
    if certificate_id is None or "policyDocuments" in said:
        answer["policyDocuments"] = _documents(said.get("policyDocuments"))
    for name in ("disconnectAfterInSeconds", "refreshAfterInSeconds"):
        if name in said:
            answer[name] = _seconds(name, said[name])
    return answer


def _documents(given: object) -> list[str]:
    if not isinstance(given, list) or not given or len(given) > _DOCUMENTS:
        raise InvalidResponse(f"policyDocuments must be a list of 1 to {_DOCUMENTS} documents")
    return [_document(each) for each in given]


def _document(given: object) -> str:
    text = given if isinstance(given, str) else json.dumps(given)
    if len(text) > _DOCUMENT:
        raise InvalidResponse(f"A policy document has {_DOCUMENT} characters at most")
    try:
        language.validate(text, language.Dialect.IOT)
    except language.MalformedPolicy as error:
        raise InvalidResponse(f"A policy document is malformed: {error}") from error
    return text


def _seconds(name: str, given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given not in _SECONDS:
        raise InvalidResponse(f"{name} must be {_SECONDS.start} to {_SECONDS.stop - 1}")
    return given
