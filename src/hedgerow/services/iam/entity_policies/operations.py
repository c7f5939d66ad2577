"""The operations on the policies of roles, users and groups. One implementation; the classes name AWS's operations.

A permissions boundary is a managed policy that must allow, too, whatever the role's or user's own policies allow.
"""

from typing import Any, Final, Protocol

from hedgerow.core.arn import parse
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.policy import Dialect
from hedgerow.core.request import Request
from hedgerow.services.iam.documents import check_size, checked, on_the_wire
from hedgerow.services.iam.entities import Entities, Kind
from hedgerow.services.iam.entity_policies.errors import (
    EntityNotFound,
    InlinePolicyNotFound,
    NoBoundary,
    NotAttachable,
    NotAttached,
    TooManyAttached,
)
from hedgerow.services.iam.entity_policies.model import LIMITS, MOST_ATTACHED
from hedgerow.services.iam.entity_policies.store import BoundaryStore, EntityPolicyStore
from hedgerow.services.iam.pages import Pages
from hedgerow.store import Answer, Tx

_MEMBER: Final = {Kind.ROLE: "RoleName", Kind.USER: "UserName", Kind.GROUP: "GroupName"}


class ManagedPolicies(Protocol):
    """Knows which managed policies there are."""

    def exists(self, tx: Tx, account: str, arn: str) -> bool:
        """Answer whether the account sees a managed policy with this ARN."""
        ...


class _EntityPolicies:
    """What roles and users have in common."""

    def __init__(self, kind: Kind, *, entities: Entities, managed: ManagedPolicies, pages: Pages) -> None:
        self._kind = kind
        self._entities = entities
        self._managed = managed
        self._pages = pages

    def put(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, entity = self._store(tx, request, caller)
        name = request["PolicyName"]
        document = checked(request["PolicyDocument"], Dialect.IAM)
        limit = LIMITS[self._kind].inline_size
        check_size((store.inline() | {name: document}).values(), limit, f"{self._kind.value} inline policies")
        store.put_inline(name, document)
        return self._changed(tx, caller, entity)

    def get(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, entity = self._store(tx, request, caller)
        name = request["PolicyName"]
        document = store.inline().get(name)
        if document is None:
            raise InlinePolicyNotFound(self._kind, name)
        member = _MEMBER[self._kind]
        return Answer({member: entity, "PolicyName": name, "PolicyDocument": on_the_wire(document)})

    def delete(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, entity = self._store(tx, request, caller)
        name = request["PolicyName"]
        if not store.delete_inline(name):
            raise InlinePolicyNotFound(self._kind, name)
        return self._changed(tx, caller, entity)

    def list_inline(self, tx: Tx, request: Request, caller: Caller, operation: str) -> Answer:
        store, entity = self._store(tx, request, caller)
        return Answer(
            self._pages.answer(
                request,
                caller,
                operation,
                name="PolicyNames",
                items=sorted(store.inline()),
                key=lambda name: name,
                show=lambda name: name,
                of=entity,
            )
        )

    def attach(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, entity = self._store(tx, request, caller)
        arn = request["PolicyArn"]
        if not self._managed.exists(tx, caller.account, arn):
            raise NotAttachable(arn)
        attached = store.attached()
        if arn in attached:
            return Answer()
        if len(attached) >= MOST_ATTACHED:
            raise TooManyAttached(LIMITS[self._kind].attached_quota, MOST_ATTACHED)
        store.attach(arn)
        return self._changed(tx, caller, entity)

    def detach(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, entity = self._store(tx, request, caller)
        arn = request["PolicyArn"]
        if not store.detach(arn):
            raise NotAttached(arn)
        return self._changed(tx, caller, entity)

    def list_attached(self, tx: Tx, request: Request, caller: Caller, operation: str) -> Answer:
        store, entity = self._store(tx, request, caller)
        prefix = request.get("PathPrefix") or "/"
        return Answer(
            self._pages.answer(
                request,
                caller,
                operation,
                name="AttachedPolicies",
                items=[arn for arn in store.attached() if _path(arn).startswith(prefix)],
                key=lambda arn: arn,
                show=_shown,
                of=f"{entity} {prefix}",
            )
        )

    def bound(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        _, entity = self._store(tx, request, caller)
        arn = request["PermissionsBoundary"]
        if not self._managed.exists(tx, caller.account, arn):
            raise NotAttachable(arn)
        BoundaryStore().put(tx, caller.account, self._kind, entity, arn)
        return self._changed(tx, caller, entity)

    def unbound(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        _, entity = self._store(tx, request, caller)
        if not BoundaryStore().forget(tx, caller.account, self._kind, entity):
            raise NoBoundary(self._kind, entity)
        return self._changed(tx, caller, entity)

    def _store(self, tx: Tx, request: Request, caller: Caller) -> tuple[EntityPolicyStore, str]:
        entity = request[_MEMBER[self._kind]]
        if not self._entities.exists(tx, caller.account, entity):
            raise EntityNotFound(self._kind, entity)
        return EntityPolicyStore(tx, caller.account, self._kind, entity), entity

    def _changed(self, tx: Tx, caller: Caller, entity: str) -> Answer:
        # A role's sessions and a group's members have names of their own: everyone in the account is asked about again.
        arn = self._entities.arn_of(tx, caller.account, entity) if self._kind is Kind.USER else None
        principals = frozenset() if arn is None else frozenset({arn})
        return Answer({}, (AuthorisationChanged(account=caller.account, principals=principals),))


class RolePolicyOperations:
    """The policies of roles."""

    def __init__(self, *, roles: Entities, managed: ManagedPolicies, pages: Pages) -> None:
        self._policies = _EntityPolicies(Kind.ROLE, entities=roles, managed=managed, pages=pages)

    def put_role_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.put(tx, request, caller)

    def get_role_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.get(tx, request, caller)

    def delete_role_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.delete(tx, request, caller)

    def list_role_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.list_inline(tx, request, caller, "ListRolePolicies")

    def attach_role_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.attach(tx, request, caller)

    def detach_role_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.detach(tx, request, caller)

    def list_attached_role_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.list_attached(tx, request, caller, "ListAttachedRolePolicies")

    def put_role_permissions_boundary(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.bound(tx, request, caller)

    def delete_role_permissions_boundary(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.unbound(tx, request, caller)


class UserPolicyOperations:
    """The policies of users."""

    def __init__(self, *, users: Entities, managed: ManagedPolicies, pages: Pages) -> None:
        self._policies = _EntityPolicies(Kind.USER, entities=users, managed=managed, pages=pages)

    def put_user_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.put(tx, request, caller)

    def get_user_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.get(tx, request, caller)

    def delete_user_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.delete(tx, request, caller)

    def list_user_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.list_inline(tx, request, caller, "ListUserPolicies")

    def attach_user_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.attach(tx, request, caller)

    def detach_user_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.detach(tx, request, caller)

    def list_attached_user_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.list_attached(tx, request, caller, "ListAttachedUserPolicies")

    def put_user_permissions_boundary(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.bound(tx, request, caller)

    def delete_user_permissions_boundary(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.unbound(tx, request, caller)


class GroupPolicyOperations:
    """The policies of groups. They have no boundaries."""

    def __init__(self, *, groups: Entities, managed: ManagedPolicies, pages: Pages) -> None:
        self._policies = _EntityPolicies(Kind.GROUP, entities=groups, managed=managed, pages=pages)

    def put_group_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.put(tx, request, caller)

    def get_group_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.get(tx, request, caller)

    def delete_group_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.delete(tx, request, caller)

    def list_group_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.list_inline(tx, request, caller, "ListGroupPolicies")

    def attach_group_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.attach(tx, request, caller)

    def detach_group_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.detach(tx, request, caller)

    def list_attached_group_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._policies.list_attached(tx, request, caller, "ListAttachedGroupPolicies")


def _path(arn: str) -> str:
    parsed = parse(arn)
    resource = "" if parsed is None else parsed.resource
    return resource.removeprefix("policy").rpartition("/")[0] + "/"


def _shown(arn: str) -> dict[str, Any]:
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
