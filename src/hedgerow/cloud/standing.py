"""How policies see a caller with an access key: as which principal, with which condition keys, with which rights.

Users and roles only; certificates have policies of another kind. Root has every right in its own account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hedgerow.base.errors import AccessDenied
from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import (
    Context,
    Dialect,
    Grants,
    MalformedPolicy,
    Principal,
    caller_principal,
    compile_policies,
)
from hedgerow.services.iam.entities import Kind as Entity
from hedgerow.services.iam.entity_policies import EntityPolicyReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iam.users import UserReader
from hedgerow.services.sts.sessions import Session, SessionReader
from hedgerow.store import Tx

_TYPES: Final = {Kind.ROOT: "Account", Kind.USER: "User", Kind.ROLE: "AssumedRole"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a caller stands at one moment."""

    principal: Principal
    variables: Context
    rights: Grants


class Standings:
    """Finds out how callers stand."""

    def __init__(
        self, *, users: UserReader, roles: RoleReader, sessions: SessionReader, entity_policies: EntityPolicyReader
    ) -> None:
        self._users = users
        self._roles = roles
        self._sessions = sessions
        self._entity_policies = entity_policies

    def of(self, tx: Tx, caller: Caller) -> Standing:
        """Answer how a user, a role's session or root stands now. The rights of root are not listed: there are none."""
        session = self._sessions.find(tx, caller.access_key_id) if caller.access_key_id else None
        variables = self.variables(tx, caller.account, caller.principal, caller.kind, session)
        documents: Sequence[tuple[str, str]] = ()
        if caller.kind in (Kind.USER, Kind.ROLE):
            entity, name = entity_of(caller.principal)
            documents = self._entity_policies.documents(tx, caller.account, entity, name)
        return Standing(
            principal=caller_principal(caller.account, caller.principal, variables["aws:PrincipalArn"]),
            variables=variables,
            rights=compiled(documents, Dialect.IAM, variables),
        )

    def variables(
        self, tx: Tx, account: str, principal: str, kind: Kind, session: Session | None = None
    ) -> dict[str, str]:
        """Answer the condition keys that belong to the caller. Those of a role name the role, not the session."""
        found = {"aws:PrincipalAccount": account, "aws:PrincipalArn": principal, "aws:userid": account}
        if kind in _TYPES:
            found["aws:PrincipalType"] = _TYPES[kind]
        entity, name = entity_of(principal)
        if kind is Kind.ROLE:
            role = self._roles.find(tx, account, name)
            if role is not None:
                found |= {"aws:PrincipalArn": role.arn, **_tags(role.tags)}
        elif kind is Kind.USER and entity is Entity.USER:
            found["aws:username"] = name
            user = self._users.find(tx, account, name)
            if user is not None:
                found |= {"aws:userid": user.id, **_tags(user.tags)}
        if session is not None:
            found |= {"aws:userid": session.identity, "aws:MultiFactorAuthPresent": "false", **session.variables}
        return found


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {f"aws:PrincipalTag/{key}": value for key, value in tags.items()}


def entity_of(principal: str) -> tuple[Entity, str]:
    """Answer which role or user an ARN speaks for: `user/path/ann`, `assumed-role/build/session`."""
    parsed = parse(principal)
    parts = [""] if parsed is None else parsed.resource.split("/")
    if parts[0] == "assumed-role" and len(parts) == 3:
        return Entity.ROLE, parts[1]
    return Entity.USER, parts[-1]


def compiled(documents: Sequence[tuple[str, str]], dialect: Dialect, variables: Context) -> Grants:
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
