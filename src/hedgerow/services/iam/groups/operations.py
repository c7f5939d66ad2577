"""The operations of groups and on who is in them. Source: IAM API reference, CreateGroup and its neighbours."""

from dataclasses import replace
from typing import Any, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.request import Request
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.groups.errors import (
    GroupExists,
    GroupInUse,
    GroupNotFound,
    NoMember,
    TooManyGroups,
    UserNotFound,
)
from hedgerow.services.iam.groups.model import GROUPS_OF_A_USER, Group
from hedgerow.services.iam.groups.store import GroupStore
from hedgerow.services.iam.pages import Pages
from hedgerow.store import Answer, Tx


class Policies(Protocol):
    """What groups need of their policies."""

    def has_attached(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether it has a managed policy."""
        ...

    def has_inline(self, tx: Tx, account: str, kind: Kind, name: str) -> bool:
        """Answer whether it has an inline policy."""
        ...

    def rename(self, tx: Tx, account: str, kind: Kind, name: str, new: str) -> None:
        """It is called otherwise from now on."""
        ...


class UserLike(Protocol):
    """A user."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> float: ...
    @property
    def arn(self) -> str: ...


class Users(Protocol):
    """What groups need of users."""

    def find(self, tx: Tx, account: str, name: str) -> UserLike | None:
        """Answer the user, or None."""
        ...


class GroupOperations:
    """Groups."""

    def __init__(self, *, ids: Ids, pages: Pages, policies: Policies, users: Users) -> None:
        self._ids = ids
        self._pages = pages
        self._policies = policies
        self._users = users

    def create_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, name = GroupStore(tx, caller.account), request["GroupName"]
        if store.get(name) is not None:
            raise GroupExists(name)
        group = Group(
            account=caller.account,
            name=name,
            path=request.get("Path") or "/",
            id="AGPA" + self._ids.upper(17),
            created_at=tx.now,
        )
        store.add(group)
        return Answer({"Group": _shown(group)})

    def get_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, group = _found(tx, request, caller)
        found = (self._users.find(tx, caller.account, name) for name in store.members(group.name))
        page = self._pages.answer(
            request,
            caller,
            "GetGroup",
            name="Users",
            items=[user for user in found if user is not None],
            key=lambda user: user.name,
            show=_member,
            of=group.name,
        )
        return Answer({"Group": _shown(group), **page})

    def list_groups(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        prefix = request.get("PathPrefix") or "/"
        items = [group for group in GroupStore(tx, caller.account).all() if group.path.startswith(prefix)]
        return Answer(self._listed(request, caller, "ListGroups", items, of=prefix))

    def list_groups_for_user(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user, store = self._user(tx, request, caller), GroupStore(tx, caller.account)
        items = [group for name in store.groups_of(user) if (group := store.get(name)) is not None]
        return Answer(self._listed(request, caller, "ListGroupsForUser", items, of=user))

    def update_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, group = _found(tx, request, caller)
        new = replace(group, name=request.get("NewGroupName") or group.name, path=request.get("NewPath") or group.path)
        if new.name != group.name:
            if store.get(new.name) is not None:
                raise GroupExists(new.name)
            self._policies.rename(tx, caller.account, Kind.GROUP, group.name, new.name)
        store.change(group.name, new)
        return Answer()

    def delete_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, group = _found(tx, request, caller)
        if store.members(group.name):
            raise GroupInUse("Cannot delete entity, must remove users from group first.")
        if self._policies.has_attached(tx, caller.account, Kind.GROUP, group.name):
            raise GroupInUse("Cannot delete entity, must detach all policies first.")
        if self._policies.has_inline(tx, caller.account, Kind.GROUP, group.name):
            raise GroupInUse("Cannot delete entity, must delete policies first.")
        store.delete(group.name)
        return Answer()

    def add_user_to_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, group = _found(tx, request, caller)
        user = self._user(tx, request, caller)
        there = store.groups_of(user)
        if group.name in there:
            return Answer()
        if len(there) >= GROUPS_OF_A_USER:
            raise TooManyGroups(GROUPS_OF_A_USER)
        store.join(group.name, user)
        return self._changed(tx, caller, user)

    def remove_user_from_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, group = _found(tx, request, caller)
        user = self._user(tx, request, caller)
        if not store.leave(group.name, user):
            raise NoMember(user, group.name)
        return self._changed(tx, caller, user)

    def _changed(self, tx: Tx, caller: Caller, user: str) -> Answer:
        found = self._users.find(tx, caller.account, user)
        principals = frozenset() if found is None else frozenset({found.arn})
        return Answer({}, (AuthorisationChanged(account=caller.account, principals=principals),))

    def _user(self, tx: Tx, request: Request, caller: Caller) -> str:
        name: str = request["UserName"]
        if self._users.find(tx, caller.account, name) is None:
            raise UserNotFound(name)
        return name

    def _listed(
        self, request: Request, caller: Caller, operation: str, items: list[Group], *, of: str
    ) -> dict[str, Any]:
        return self._pages.answer(
            request, caller, operation, name="Groups", items=items, key=lambda group: group.name, show=_shown, of=of
        )


def _found(tx: Tx, request: Request, caller: Caller) -> tuple[GroupStore, Group]:
    store, name = GroupStore(tx, caller.account), request["GroupName"]
    group = store.get(name)
    if group is None:
        raise GroupNotFound(name)
    return store, group


def _member(user: UserLike) -> dict[str, Any]:
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
    }


def _shown(group: Group) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": group.created_at,
    }
