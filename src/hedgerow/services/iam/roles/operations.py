"""The operations of roles."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.policy import Dialect, named_principals
from hedgerow.core.request import Request
from hedgerow.services.iam.documents import TRUST_SIZE, check_size, checked, on_the_wire
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.errors import MalformedPolicyDocument
from hedgerow.services.iam.pages import Pages, shown_boundary, shown_tags, tags_of
from hedgerow.services.iam.roles.errors import RoleExists, RoleInUse, RoleNotFound
from hedgerow.services.iam.roles.model import DEFAULT_SESSION_S, Role
from hedgerow.services.iam.roles.store import RoleStore
from hedgerow.services.iam.tags import tagged, untagged
from hedgerow.store import Answer, Tx

QUOTA: Final = "TagsPerRole"


class Policies(Protocol):
    """Tells whether a role or user still has policies."""

    def has_attached(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether it has a managed policy."""
        ...

    def has_inline(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether it has an inline policy."""
        ...

    def boundary(self, tx: Tx, account: str, kind: Kind, name: str) -> str | None:
        """Answer the ARN of the managed policy that bounds it, or None."""
        ...

    def bind(self, tx: Tx, account: str, kind: Kind, name: str, arn: str | None) -> None:
        """Bound it, or (None) let it be bounded no longer; raises NoSuchEntity where there is no such policy."""
        ...


class Principals(Protocol):
    """Finds out who is meant by the ARNs in a trust policy."""

    def ids(self, tx: Tx, names: Iterable[str]) -> dict[str, str | None]:
        """Answer the ids of users, roles and sessions of roles by ARN; None for those who are not there.

        Who is not of this cloud is left out, and so are whole accounts.
        """
        ...


class RoleOperations:
    """Roles, their trust policies and tags."""

    def __init__(self, *, ids: Ids, pages: Pages, policies: Policies, principals: Principals) -> None:
        self._principals = principals
        self._ids = ids
        self._pages = pages
        self._policies = policies

    def create_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = RoleStore(tx, caller.account)
        name = request["RoleName"]
        trust = _trust(request["AssumeRolePolicyDocument"])
        if store.get(name) is not None:
            raise RoleExists(name)
        role = Role(
            account=caller.account,
            name=name,
            path=request.get("Path") or "/",
            id="AROA" + self._ids.upper(17),
            trust=trust,
            description=request.get("Description"),
            max_session_s=request.get("MaxSessionDuration") or DEFAULT_SESSION_S,
            tags=tagged({}, tags_of(request), QUOTA),
            created_at=tx.now,
            principal_ids=self._pinned(tx, trust),
        )
        store.add(role)
        boundary = request.get("PermissionsBoundary")
        self._policies.bind(tx, caller.account, Kind.ROLE, name, boundary)
        return Answer({"Role": _shown(role, boundary, full=True)})

    def get_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        role = _found(tx, request, caller)
        boundary = self._policies.boundary(tx, caller.account, Kind.ROLE, role.name)
        return Answer({"Role": _shown(role, boundary, full=True)})

    def list_roles(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        prefix = request.get("PathPrefix") or "/"
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListRoles",
                name="Roles",
                items=[role for role in RoleStore(tx, caller.account).all() if role.path.startswith(prefix)],
                key=lambda role: role.name,
                show=lambda role: _shown(role, full=False),
                of=prefix,
            )
        )

    def update_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        role = _found(tx, request, caller)
        description = request.get("Description", role.description)
        seconds = request.get("MaxSessionDuration") or role.max_session_s
        changed = dataclasses.replace(role, description=description, max_session_s=seconds)
        RoleStore(tx, caller.account).put(changed)
        return Answer()

    def update_role_description(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        role = dataclasses.replace(_found(tx, request, caller), description=request["Description"])
        RoleStore(tx, caller.account).put(role)
        boundary = self._policies.boundary(tx, caller.account, Kind.ROLE, role.name)
        return Answer({"Role": _shown(role, boundary, full=True)})

    def update_assume_role_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        trust = _trust(request["PolicyDocument"])
        role, ids = _found(tx, request, caller), self._pinned(tx, trust)
        RoleStore(tx, caller.account).put(dataclasses.replace(role, trust=trust, principal_ids=ids))
        return Answer()

    def delete_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        role = _found(tx, request, caller)
        if self._policies.has_attached(tx, caller.account, Kind.ROLE, role.name):
            raise RoleInUse("Cannot delete entity, must detach all policies first.")
        if self._policies.has_inline(tx, caller.account, Kind.ROLE, role.name):
            raise RoleInUse("Cannot delete entity, must delete policies first.")
        self._policies.bind(tx, caller.account, Kind.ROLE, role.name, None)
        RoleStore(tx, caller.account).delete(role.name)
        return Answer({}, (AuthorisationChanged(account=caller.account),))

    def tag_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        role = _found(tx, request, caller)
        RoleStore(tx, caller.account).put(dataclasses.replace(role, tags=tagged(role.tags, tags_of(request), QUOTA)))
        return Answer({}, (AuthorisationChanged(account=caller.account),))

    def untag_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        role = _found(tx, request, caller)
        kept = untagged(role.tags, request.take_all("TagKeys"))
        RoleStore(tx, caller.account).put(dataclasses.replace(role, tags=kept))
        return Answer({}, (AuthorisationChanged(account=caller.account),))

    def list_role_tags(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        role = _found(tx, request, caller)
        return Answer(self._pages.tags(request, caller, "ListRoleTags", role.tags, of=role.name))

    def list_instance_profiles_for_role(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        """There are no instance profiles; tools ask before they delete a role."""
        role = _found(tx, request, caller)
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListInstanceProfilesForRole",
                name="InstanceProfiles",
                items=(),
                key=str,
                show=str,
                of=role.name,
            )
        )

    def _pinned(self, tx: Tx, trust: str) -> dict[str, str]:
        """Answer whom the trust policy means; raise when somebody is not there."""
        found = self._principals.ids(tx, sorted(named_principals(trust)))
        missing = next((name for name, identifier in found.items() if identifier is None), None)
        if missing is not None:
            raise MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{missing}"')
        return {name: identifier for name, identifier in found.items() if identifier is not None}


def _trust(document: str) -> str:
    check_size((document,), TRUST_SIZE, "ACLSizePerRole")
    return checked(document, Dialect.TRUST)


def _found(tx: Tx, request: Request, caller: Caller) -> Role:
    name = request["RoleName"]
    role = RoleStore(tx, caller.account).get(name)
    if role is None:
        raise RoleNotFound(name)
    return role


def _shown(role: Role, boundary: str | None = None, *, full: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": role.created_at,
        "AssumeRolePolicyDocument": on_the_wire(role.trust),
        "MaxSessionDuration": role.max_session_s,
    }
    if role.description is not None:
        shown["Description"] = role.description
    if full and role.tags:
        shown["Tags"] = shown_tags(role.tags)
    if boundary is not None:
        shown["PermissionsBoundary"] = shown_boundary(boundary)
    return shown
