"""How policies see a caller with an access key: as which principal, with which condition keys, with which rights.

Rights are read from policies, limits from session policies; what GetSessionToken and GetFederationToken make is kept
from IAM and from most of STS. Certificates have policies of another kind, and do not stand here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hedgerow.base.errors import AccessDenied
from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import (
    AllOf,
    Context,
    Dialect,
    Grants,
    MalformedPolicy,
    Principal,
    Reason,
    Rights,
    Verdict,
    caller_principal,
    compile_policies,
)
from hedgerow.services.iam.entities import Kind as Entity
from hedgerow.services.iam.entity_policies import EntityPolicyReader
from hedgerow.services.iam.policies import ManagedPolicyReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iam.users import UserReader
from hedgerow.services.sts.sessions import TAG, Bounds, Session, SessionReader
from hedgerow.store import Tx

Documents = Sequence[tuple[str, str]]  # name, text

_TYPES: Final = {
    Kind.ROOT: "Account",
    Kind.USER: "User",
    Kind.ROLE: "AssumedRole",
    Kind.FEDERATED: "FederatedUser",
}
_EVERYTHING: Final = json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
_STS: Final = (
    "sts:AssumeRoot",
    "sts:DecodeAuthorizationMessage",
    "sts:GetAccessKeyInfo",
    "sts:GetFederationToken",
    "sts:GetServiceBearerToken",
    "sts:GetSessionToken",
)


def _kept_from(*actions: str) -> str:
    return json.dumps({"Statement": {"Effect": "Deny", "Action": list(actions), "Resource": "*"}})


_RESTRICTED: Final = {
    Kind.FEDERATED: ("credentials of GetFederationToken", _kept_from("iam:*", "sts:AssumeRole", *_STS)),
    Kind.USER: ("credentials of GetSessionToken without MFA", _kept_from("iam:*", *_STS)),
    Kind.ROOT: ("credentials of GetSessionToken without MFA", _kept_from("iam:*", *_STS)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a caller's rights are made of. Where it has limits, each of them must allow as well."""

    documents: Documents
    limits: tuple[tuple[str, Documents], ...] = ()
    variables: Mapping[str, str]
    handed_on: Mapping[str, str] = field(default_factory=dict)
    of_root: bool = False  # the account's root answers for everything


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a caller stands at one moment."""

    principal: Principal
    variables: Context
    rights: Rights
    limits: Rights | None
    handed_on: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class OwnVerdict:
    """A decision that needs no policies."""

    allowed: bool
    sentence: str

    @property
    def cacheable(self) -> bool:
        return True

    @property
    def reason(self) -> Reason:
        return Reason.ALLOWED if self.allowed else Reason.IMPLICIT_DENY

    def explain(self) -> str:
        return self.sentence


class OwnAccount:
    """Grants of root and of Hedgerow itself: everything in the account, nothing in another."""

    def __init__(self, account: str) -> None:
        self._account = account

    @property
    def context_keys(self) -> frozenset[str]:
        return frozenset()

    def decide(self, action: str, resource: str, context: Context | None = None) -> Verdict:
        named = parse(resource)
        if named is not None and named.account.isdigit() and named.account != self._account:
            return OwnVerdict(False, f"accounts share nothing, and {resource} is not of account {self._account}")
        return OwnVerdict(True, f"{action} on {resource} is allowed to the root of account {self._account}")


class Standings:
    """Finds out how callers stand."""

    def __init__(
        self,
        *,
        users: UserReader,
        roles: RoleReader,
        sessions: SessionReader,
        entity_policies: EntityPolicyReader,
        managed: ManagedPolicyReader,
    ) -> None:
        self._users = users
        self._roles = roles
        self._sessions = sessions
        self._entity_policies = entity_policies
        self._managed = managed

    def of(self, tx: Tx, caller: Caller) -> Standing:
        """Answer how root, a user, a role's session or a federated user stands now."""
        sources = self.sources(tx, caller, self._session(tx, caller))
        variables = sources.variables
        own: list[tuple[str, Rights]] = [("", compiled(sources.documents, Dialect.IAM, variables))]
        if sources.of_root:
            own.append(("the account", OwnAccount(caller.account)))
        limits = [(name, compiled(documents, Dialect.IAM, variables)) for name, documents in sources.limits]
        return Standing(
            principal=caller_principal(caller.account, caller.principal, variables["aws:PrincipalArn"]),
            variables=variables,
            rights=AllOf([*own, *limits]) if limits or len(own) > 1 else own[0][1],
            limits=AllOf(limits) if limits else None,
            handed_on=sources.handed_on,
        )

    def sources(self, tx: Tx, caller: Caller, session: Session | None) -> Sources:
        """Answer what the caller's rights are made of."""
        documents, of_root = self._documents(tx, caller, session), _answers_root(caller, session)
        limits = self._boundary(tx, caller, session)
        handed_on: dict[str, str] = {}
        if session is not None:
            if session.mandate.restricted and caller.kind in _RESTRICTED:
                documents = [*documents, _RESTRICTED[caller.kind]]
            if session.mandate.bounds is not None:
                limits += (("the session policies", self._bounds(tx, caller.account, session.mandate.bounds)),)
            handed_on = {key: session.variables[f"{TAG}{key}"] for key in session.mandate.transitive}
        return Sources(
            documents=documents,
            limits=limits,
            variables=self._variables(tx, caller, session),
            handed_on=handed_on,
            of_root=of_root,
        )

    def _session(self, tx: Tx, caller: Caller) -> Session | None:
        return self._sessions.find(tx, caller.access_key_id) if caller.access_key_id else None

    def _documents(self, tx: Tx, caller: Caller, session: Session | None) -> Documents:
        account = caller.account
        if _answers_root(caller, session):
            return [("of the account's root", _EVERYTHING)]
        if caller.kind is Kind.FEDERATED:
            return [] if session is None else self._entity_policies.documents(tx, account, Entity.USER, session.name)
        if caller.kind not in (Kind.USER, Kind.ROLE):
            return []
        entity, name = entity_of(caller.principal)
        return self._entity_policies.documents(tx, account, entity, name)

    def _boundary(self, tx: Tx, caller: Caller, session: Session | None) -> tuple[tuple[str, Documents], ...]:
        """Answer the permissions boundary of the user or role whose rights these are."""
        if caller.kind is Kind.FEDERATED and session is not None and session.name:
            entity, name = Entity.USER, session.name
        elif caller.kind in (Kind.USER, Kind.ROLE):
            entity, name = entity_of(caller.principal)
        else:
            return ()
        documents = self._entity_policies.boundary(tx, caller.account, entity, name)
        return () if documents is None else (("the permissions boundary", documents),)

    def _bounds(self, tx: Tx, account: str, bounds: Bounds) -> Documents:
        """Answer the session policies; a managed one that is gone allows nothing any more."""
        documents = [("of the session", document) for document in bounds.documents]
        for arn in bounds.arns:
            document = self._managed.default_document(tx, account, arn)
            if document is not None:
                documents.append((arn, document))
        return documents

    def _variables(self, tx: Tx, caller: Caller, session: Session | None) -> dict[str, str]:
        """Answer the condition keys that belong to the caller. Those of a role name the role, not the session."""
        account = caller.account
        found = {"aws:PrincipalAccount": account, "aws:PrincipalArn": caller.principal, "aws:userid": account}
        if caller.kind in _TYPES:
            found["aws:PrincipalType"] = _TYPES[caller.kind]
        tags: Mapping[str, str] = {}
        _, name = entity_of(caller.principal)
        if caller.kind is Kind.ROLE:
            role = self._roles.find(tx, account, name)
            if role is not None:
                found["aws:PrincipalArn"], tags = role.arn, role.tags
        elif caller.kind is Kind.USER:
            found["aws:username"] = name
            user = self._users.find(tx, account, name)
            if user is not None:
                found["aws:userid"], tags = user.id, user.tags
        carried = {} if session is None else session.variables
        own = {key.lower() for key in carried}  # a tag of the session hides the role's, however it is written
        found |= {full: value for key, value in tags.items() if (full := f"{TAG}{key}").lower() not in own}
        if session is not None:
            found |= {"aws:userid": session.identity, "aws:MultiFactorAuthPresent": "false", **carried}
        return found


def _answers_root(caller: Caller, session: Session | None) -> bool:
    return caller.kind is Kind.ROOT or (caller.kind is Kind.FEDERATED and session is not None and not session.name)


def entity_of(principal: str) -> tuple[Entity, str]:
    """Answer which role or user an ARN speaks for: `user/path/ann`, `assumed-role/build/session`."""
    parsed = parse(principal)
    parts = [""] if parsed is None else parsed.resource.split("/")
    if parts[0] == "assumed-role" and len(parts) == 3:
        return Entity.ROLE, parts[1]
    return Entity.USER, parts[-1]


def compiled(documents: Documents, dialect: Dialect, variables: Context) -> Grants:
    """Answer the grants of (name, document); raise AccessDenied when one cannot be read."""
    try:
        return compile_policies(
            [document for _, document in documents],
            dialect=dialect,
            variables=variables,
            names=[f"policy {name}" for name, _ in documents],
        )
    except MalformedPolicy as error:  # it was right when it was stored: rather no rights than half of the policies
        raise AccessDenied(f"the caller's policies cannot be read: {error}") from error
