"""TestAuthorization: what a device would be allowed, by the same policies, variables and engine as a connection.

A policy counts by its default version. What the test cannot know (an address, a will, a moment) has no value, and the
answer names it. Certificate status and dates are not looked at: that is authentication.
Spec: AWS IoT TestAuthorization; the decision on several resources is the worst of theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.base.errors import NotImplementedYet
from hedgerow.core import policy as language
from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.policies.errors import TargetNotFound
from hedgerow.services.iot.policies.operations import Groups, found_policy, policy_arn, target_of
from hedgerow.services.iot.policies.store import EffectivePolicies, PolicyStore
from hedgerow.services.iot.principals import GROUP
from hedgerow.store import Answer, Tx

_ACTIONS: Final = {
    "CONNECT": "iot:Connect",
    "PUBLISH": "iot:Publish",
    "SUBSCRIBE": "iot:Subscribe",
    "RECEIVE": "iot:Receive",
}
_WORST: Final = (language.Reason.EXPLICIT_DENY, language.Reason.IMPLICIT_DENY, language.Reason.ALLOWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a connection of a certificate brings along: the thing that it speaks for, and policy variables."""

    things: tuple[str, ...] = ()
    variables: Mapping[str, str]


class Connections(Protocol):
    """What the test needs of connections."""

    def standing(self, tx: Tx, account: str, certificate_id: str, client_id: str | None) -> Standing | None:
        """Answer what a connection with this certificate and client id would have; None without the certificate."""
        ...


@dataclass(frozen=True, slots=True)
class _Case:
    """The policies that count, each compiled alone and all together, and who asks."""

    caller: Caller
    each: Mapping[str, language.Grants]
    together: language.Grants

    def answer(self, info: Request) -> dict[str, Any]:
        kind, resources = info.get("actionType"), list(info["resources"])
        if kind is None:
            raise InvalidRequest("actionType must be given: CONNECT, PUBLISH, SUBSCRIBE or RECEIVE")
        action = _ACTIONS[kind]
        decided = {self.together.decide(action, resource).reason for resource in resources}
        reason = next((each for each in _WORST if each in decided), language.Reason.IMPLICIT_DENY)
        by = {
            name: {grants.decide(action, resource).reason for resource in resources}
            for name, grants in self.each.items()
        }
        silent = language.Reason.IMPLICIT_DENY
        return {
            "authInfo": {"actionType": kind, "resources": resources},
            "allowed": self._named(name for name, found in by.items() if language.Reason.ALLOWED in found),
            "denied": {
                "implicitDeny": self._named(name for name, found in by.items() if reason is silent and silent in found),
                "explicitDeny": self._named(
                    name for name, found in by.items() if language.Reason.EXPLICIT_DENY in found
                ),
            },
            "authDecision": reason.value,
            "missingContextValues": sorted(self.together.context_keys),
        }

    def _named(self, names: Iterable[str]) -> dict[str, Any]:
        return {"policies": [{"policyName": name, "policyArn": policy_arn(self.caller, name)} for name in names]}


class AuthorizationTestOperations:
    """The operation that asks what would be allowed."""

    def __init__(
        self, *, policies: PolicyStore, effective: EffectivePolicies, groups: Groups, connections: Connections
    ) -> None:
        self._policies = policies
        self._effective = effective
        self._groups = groups
        self._connections = connections

    def test_authorization(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        if "cognitoIdentityPoolId" in request:
            raise NotImplementedYet("Amazon Cognito identities are not supported: give a certificate as principal")
        client_id = request.get("clientId")
        documents, variables = self._found(tx, caller, request.get("principal"), client_id)
        for name in request.get("policyNamesToAdd", ()):
            documents[name] = self._document(tx, caller, name)
        for name in request.get("policyNamesToSkip", ()):
            found_policy(self._policies, tx, caller, name)
            documents.pop(name, None)
        case = _Case(
            caller,
            {name: _compiled([document], variables) for name, document in sorted(documents.items())},
            _compiled(list(documents.values()), variables),
        )
        return Answer({"authResults": [case.answer(info) for info in request["authInfos"]]})

    def _found(
        self, tx: Tx, caller: Caller, principal: str | None, client_id: str | None
    ) -> tuple[dict[str, str], Mapping[str, str]]:
        """Answer the documents that count by name, and the variables."""
        if principal is None:
            raise InvalidRequest("principal must be given: the ARN of a certificate or of a thing group")
        target = target_of(caller, principal)
        if not target.startswith(GROUP):
            standing = self._connections.standing(tx, caller.account, target, client_id)
            if standing is None:
                raise TargetNotFound(principal)
            return dict(self._effective.of(tx, caller.account, target, standing.things)), standing.variables
        group = target.removeprefix(GROUP)
        if not self._groups.exists(tx, caller.account, group):
            raise TargetNotFound(principal)
        line = [GROUP + name for name in self._groups.line_of(tx, caller.account, group)]
        variables = {} if client_id is None else {"iot:ClientId": client_id}
        return dict(self._policies.documents_on(tx, caller.account, line)), variables

    def _document(self, tx: Tx, caller: Caller, name: str) -> str:
        policy = found_policy(self._policies, tx, caller, name)
        version = self._policies.version(tx, caller.account, name, policy.default_version)
        return "" if version is None else version.document


def _compiled(documents: Sequence[str], variables: Mapping[str, str]) -> language.Grants:
    return language.compile_policies(documents, dialect=language.Dialect.IOT, variables=variables)
