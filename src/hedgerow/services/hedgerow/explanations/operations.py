"""Why a device may do something, or may not: by the policies, variables and engine of its connection.

A thing is asked about through each of its certificates, as a connection with the thing's name as client id, unless
another is given. What nobody said (an address) has no value, and the answer names it. A certificate's status is told;
what it means for a connection is for the reader.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.policy import Dialect, compile_policies
from hedgerow.core.request import Request
from hedgerow.services.hedgerow.explanations.errors import InvalidQuestion, NothingToExplain
from hedgerow.store import Answer, Tx

_POLICY: Final = "policy "
_RESOURCES: Final = {
    "iot:Connect": "client/",
    "iot:Publish": "topic/",
    "iot:RetainPublish": "topic/",
    "iot:Receive": "topic/",
    "iot:Subscribe": "topicfilter/",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRights:
    """What a connection of one certificate brings along."""

    certificate_id: str
    status: str
    thing: str | None
    documents: Sequence[tuple[str, str]]  # policy name, document
    variables: Mapping[str, str]


class Devices(Protocol):
    """What explanations need of the registry."""

    def certificates_of(self, tx: Tx, account: str, thing: str) -> Sequence[str] | None:
        """Answer the ids of a thing's certificates; None when there is no such thing."""
        ...

    def rights(self, tx: Tx, account: str, certificate_id: str, client_id: str) -> DeviceRights | None:
        """Answer what a connection with this certificate and client id has; None without the certificate."""
        ...


class ExplanationOperations:
    """The operation that explains."""

    def __init__(self, *, devices: Devices) -> None:
        self._devices = devices

    def explain_authorization(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        thing, certificate = request.get("thingName"), request.get("certificateId")
        client_id = request.get("clientId") or thing or ""
        action, resource = request["action"], self._resource(request, caller, client_id)
        address = _address(request.get("sourceIp"))
        ids = self._certificates(tx, caller, thing, certificate)
        found = [self._devices.rights(tx, caller.account, each, client_id) for each in ids]
        rights = [each for each in found if each is not None]
        if not rights:
            raise NothingToExplain(f"there is no certificate {certificate}")
        return Answer({"explanations": [_explained(one, action, resource, address) for one in rights]})

    def _certificates(self, tx: Tx, caller: Caller, thing: str | None, certificate: str | None) -> Sequence[str]:
        if certificate is not None:
            return [certificate]
        if thing is None:
            raise InvalidQuestion("thingName or certificateId must be given.")
        found = self._devices.certificates_of(tx, caller.account, thing)
        if found is None:
            raise NothingToExplain(f"There is no thing {thing}.")
        if not found:
            raise NothingToExplain(f"The thing {thing} has no certificate: it cannot connect.")
        return found

    def _resource(self, request: Request, caller: Caller, client_id: str) -> str:
        action, topic = request["action"], request.get("topic")
        named = client_id if action == "iot:Connect" else topic
        if action == "iot:Connect" and topic is not None:
            raise InvalidQuestion("iot:Connect is about a clientId, not about a topic.")
        if not named:
            raise InvalidQuestion("clientId must be given." if action == "iot:Connect" else "topic must be given.")
        return arn("iot", caller.region, caller.account, _RESOURCES[action] + named)


def _address(text: str | None) -> str | None:
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError as error:
        raise InvalidQuestion(f"{text} is no IP address.") from error


def _explained(one: DeviceRights, action: str, resource: str, address: str | None) -> dict[str, Any]:
    context: dict[str, str | Sequence[str]] = {} if address is None else {"aws:SourceIp": address}
    if action == "iot:Connect":
        context["iot:ConnectAttributes"] = []
    grants = compile_policies(
        [document for _, document in one.documents],
        dialect=Dialect.IOT,
        variables=one.variables,
        names=[_POLICY + name for name, _ in one.documents],
    )
    decision = grants.decide(action, resource, context)
    why = decision.explanation()
    optional = {
        "thingName": one.thing,
        "policyName": None if why.policy is None else why.policy.removeprefix(_POLICY),
        "statementNumber": why.statement,
        "statementId": why.sid,
        "missingVariable": why.missing,
    }
    return {
        "certificateId": one.certificate_id,
        "certificateStatus": one.status,
        "decision": decision.reason.value,
        "resource": resource,
        "explanation": why.sentence,
        "policyNames": [name for name, _ in one.documents],
        **{name: value for name, value in optional.items() if value is not None},
    }
