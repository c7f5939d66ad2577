"""SimulatePrincipalPolicy, SimulateCustomPolicy, and which context keys policies ask about.

The same engine decides as for real calls. Every action is asked about every resource, one result each; what a request
would bring along (ContextEntries) comes from the caller, what the principal brings (its name, id and tags) from here.
Policies of resources are not simulated, so ResourcePolicy and its neighbours are refused by name.
Source: IAM API reference, SimulatePrincipalPolicy, EvaluationResult.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller
from hedgerow.core.policy import Dialect, Grants, MalformedPolicy, Reason, compile_policies
from hedgerow.core.request import Request
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.errors import InvalidInput
from hedgerow.services.iam.pages import Pages
from hedgerow.services.iam.simulation.errors import NoAction, NoPolicy, NoSuchSource
from hedgerow.store import Answer, Tx

Documents = Sequence[tuple[str, str]]  # name or ARN, text

_KINDS: Final = {"user": Kind.USER, "role": Kind.ROLE, "group": Kind.GROUP}
_ACTION: Final = re.compile(r"[A-Za-z0-9-]+:[A-Za-z0-9]+")
_DECISIONS: Final = {
    Reason.ALLOWED: "allowed",
    Reason.EXPLICIT_DENY: "explicitDeny",
    Reason.IMPLICIT_DENY: "implicitDeny",
}


class Principal(Protocol):
    """A user or role."""

    @property
    def arn(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class Principals(Protocol):
    """Users, or roles."""

    def find(self, tx: Tx, account: str, name: str) -> Principal | None: ...


class Groups(Protocol):
    """Groups of users."""

    def exists(self, tx: Tx, account: str, name: str) -> bool: ...


class Policies(Protocol):
    """The policies of users, roles and groups."""

    def documents(self, tx: Tx, account: str, kind: Kind, name: str) -> Documents:
        """Answer (name or ARN, document) of all of them."""
        ...

    def boundary(self, tx: Tx, account: str, kind: Kind, name: str) -> Documents | None:
        """Answer (ARN, document) of what bounds it, None when nothing does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Whose policies are asked, and what they are told."""

    documents: Documents
    boundary: Documents | None
    variables: Mapping[str, str | Sequence[str]]

    def results(self, action: str, resource: str) -> dict[str, Any]:
        grants = _grants(self.documents, self.variables)
        decision = grants.decide(action, resource)
        reason = decision.reason
        found: dict[str, Any] = {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "MatchedStatements": self._matched(reason, action, resource),
            "MissingContextValues": sorted(grants.context_keys),
        }
        if self.boundary is not None:
            bound = _grants(self.boundary, self.variables).decide(action, resource)
            found["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bound.allowed}
            if bound.reason is Reason.EXPLICIT_DENY or (reason is Reason.ALLOWED and not bound.allowed):
                reason = bound.reason
        return {**found, "EvalDecision": _DECISIONS[reason]}

    def _matched(self, reason: Reason, action: str, resource: str) -> list[dict[str, str]]:
        """Answer the policies that decided."""
        if reason is Reason.IMPLICIT_DENY:
            return []
        return [
            {"SourcePolicyId": name, "SourcePolicyType": "IAM Policy"}
            for name, document in self.documents
            if _grants(((name, document),), self.variables).decide(action, resource).reason is reason
        ]


class SimulationOperations:
    """Simulations."""

    def __init__(
        self, *, users: Principals, roles: Principals, groups: Groups, policies: Policies, pages: Pages
    ) -> None:
        self._principals: dict[Kind, Principals] = {Kind.USER: users, Kind.ROLE: roles}
        self._groups = groups
        self._policies = policies
        self._pages = pages

    def simulate_principal_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind, name, principal = self._source(tx, caller, request["PolicySourceArn"])
        boundary = _given(request, "PermissionsBoundaryPolicyInputList")
        asked = _Asked(
            documents=[*self._policies.documents(tx, caller.account, kind, name), *_given(request, "PolicyInputList")],
            boundary=boundary or self._policies.boundary(tx, caller.account, kind, name),
            variables={**_variables(caller.account, kind, name, principal), **_context(request)},
        )
        return self._answer(request, caller, "SimulatePrincipalPolicy", asked)

    def simulate_custom_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        boundary = _given(request, "PermissionsBoundaryPolicyInputList")
        asked = _Asked(
            documents=_given(request, "PolicyInputList"), boundary=boundary or None, variables=_context(request)
        )
        return self._answer(request, caller, "SimulateCustomPolicy", asked)

    def get_context_keys_for_custom_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return _keys(_given(request, "PolicyInputList"))

    def get_context_keys_for_principal_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        kind, name, _ = self._source(tx, caller, request["PolicySourceArn"])
        own = self._policies.documents(tx, caller.account, kind, name)
        return _keys([*own, *_given(request, "PolicyInputList")])

    def _answer(self, request: Request, caller: Caller, operation: str, asked: _Asked) -> Answer:
        resources = request.take_all("ResourceArns") or ["*"]
        actions = request.take_all("ActionNames")
        wrong = next((action for action in actions if not _ACTION.fullmatch(action)), None)
        if wrong is not None:
            raise NoAction(wrong)
        pairs = [
            (f"{place:06}", action, resource)
            for place, (action, resource) in enumerate(
                (action, resource) for action in actions for resource in resources
            )
        ]
        return Answer(
            self._pages.answer(
                request,
                caller,
                operation,
                name="EvaluationResults",
                items=pairs,
                key=lambda pair: pair[0],
                show=lambda pair: asked.results(pair[1], pair[2]),
                of=str(len(pairs)),
            )
        )

    def _source(self, tx: Tx, caller: Caller, arn: str) -> tuple[Kind, str, Principal | None]:
        parsed = parse(arn)
        what, _, name = ("", "", "") if parsed is None else parsed.resource.partition("/")
        kind, name = _KINDS.get(what), name.rpartition("/")[2]
        if parsed is None or kind is None or (parsed.service, parsed.account) != ("iam", caller.account):
            raise NoSuchSource(arn)
        if kind is Kind.GROUP:
            if not self._groups.exists(tx, caller.account, name):
                raise NoSuchSource(arn)
            return kind, name, None
        found = self._principals[kind].find(tx, caller.account, name)
        if found is None or found.arn != arn:
            raise NoSuchSource(arn)
        return kind, name, found


def _variables(account: str, kind: Kind, name: str, principal: Principal | None) -> dict[str, str]:
    found = {"aws:PrincipalAccount": account}
    if principal is None:
        return found
    found |= {"aws:PrincipalArn": principal.arn, "aws:userid": principal.id}
    found["aws:PrincipalType"] = "User" if kind is Kind.USER else "AssumedRole"
    if kind is Kind.USER:
        found["aws:username"] = name
    return found | {f"aws:PrincipalTag/{key}": value for key, value in principal.tags.items()}


def _context(request: Request) -> dict[str, str | Sequence[str]]:
    entries = request.take_all("ContextEntries") or ()
    if not all("ContextKeyName" in entry for entry in entries):
        raise InvalidInput("ContextEntries: each entry needs its ContextKeyName")
    return {entry["ContextKeyName"]: list(entry.get("ContextKeyValues") or ()) for entry in entries}


def _given(request: Request, member: str) -> Documents:
    return [(f"{member}.{place}", text) for place, text in enumerate(request.take_all(member) or (), 1)]


def _grants(documents: Documents, variables: Mapping[str, str | Sequence[str]]) -> Grants:
    try:
        return compile_policies(
            [text for _, text in documents],
            dialect=Dialect.IAM,
            variables=variables,
            names=[name for name, _ in documents],
        )
    except MalformedPolicy as error:
        raise NoPolicy(str(error)) from error


def _keys(documents: Documents) -> Answer:
    return Answer({"ContextKeyNames": sorted(_grants(documents, {}).context_keys)})
