"""The operations of users.

A user that is renamed stays the same one, by its id: what belongs to it follows. Live connections were made under the
old name and end; the next is made under the new one with the same key.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller
from hedgerow.core.caller import Kind as CallerKind
from hedgerow.core.events import AuthorisationChanged, PrincipalCut
from hedgerow.core.request import Request
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.pages import Pages, shown_boundary, shown_tags, tags_of
from hedgerow.services.iam.tags import tagged, untagged
from hedgerow.services.iam.users.errors import NameNeeded, UserExists, UserInUse, UserNotFound
from hedgerow.services.iam.users.model import User
from hedgerow.services.iam.users.store import UserStore
from hedgerow.store import Answer, Tx

QUOTA: Final = "TagsPerUser"


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


class AccessKeys(Protocol):
    """Tells whether a user still has access keys."""

    def has_any(self, tx: Tx, account: str, user: str) -> bool:
        """Answer whether there is one, active or not."""
        ...


class Memberships(Protocol):
    """Knows the groups of users."""

    def groups_of(self, tx: Tx, account: str, user: str) -> Sequence[str]:
        """Answer the names of the groups that the user is in."""
        ...


class Renames(Protocol):
    """Lets everything that belongs to a user, or names it as principal, follow when it is called otherwise."""

    def renamed(self, tx: Tx, old: User, new: User) -> None:
        """The old user is the new one from now on; name, path or both are others."""
        ...


class UserOperations:
    """Users and their tags."""

    def __init__(
        self,
        *,
        ids: Ids,
        pages: Pages,
        policies: Policies,
        access_keys: AccessKeys,
        groups: Memberships,
        renames: Renames,
    ) -> None:
        self._renames = renames
        self._groups = groups
        self._ids = ids
        self._pages = pages
        self._policies = policies
        self._access_keys = access_keys

    def create_user(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = UserStore(tx, caller.account)
        name = request["UserName"]
        if store.get(name) is not None:
            raise UserExists(name)
        user = User(
            account=caller.account,
            name=name,
            path=request.get("Path") or "/",
            id="AIDA" + self._ids.upper(17),
            tags=tagged({}, tags_of(request), QUOTA),
            created_at=tx.now,
        )
        store.add(user)
        boundary = request.get("PermissionsBoundary")
        self._policies.bind(tx, caller.account, Kind.USER, name, boundary)
        return Answer({"User": _shown(user, boundary)})

    def get_user(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name = request.get("UserName") or _own_name(caller)
        boundary = self._policies.boundary(tx, caller.account, Kind.USER, name)
        return Answer({"User": _shown(_found(tx, caller, name), boundary)})

    def list_users(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        prefix = request.get("PathPrefix") or "/"
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListUsers",
                name="Users",
                items=[user for user in UserStore(tx, caller.account).all() if user.path.startswith(prefix)],
                key=lambda user: user.name,
                show=_shown,
                of=prefix,
            )
        )

    def update_user(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store, old = UserStore(tx, caller.account), _found(tx, caller, request["UserName"])
        new = replace(old, name=request.get("NewUserName") or old.name, path=request.get("NewPath") or old.path)
        if new.name != old.name and store.get(new.name) is not None:
            raise UserExists(new.name)
        if new == old:
            return Answer()
        store.rename(old.name, new)
        self._renames.renamed(tx, old, new)
        return _changed(old)

    def tag_user(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = _found(tx, caller, request["UserName"])
        UserStore(tx, caller.account).tag(user.name, tagged(user.tags, tags_of(request), QUOTA))
        return _changed(user)

    def untag_user(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = _found(tx, caller, request["UserName"])
        UserStore(tx, caller.account).tag(user.name, untagged(user.tags, request.take_all("TagKeys")))
        return _changed(user)

    def list_user_tags(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = _found(tx, caller, request["UserName"])
        return Answer(self._pages.tags(request, caller, "ListUserTags", user.tags, of=user.name))

    def delete_user(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = _found(tx, caller, request["UserName"])
        if self._access_keys.has_any(tx, caller.account, user.name):
            raise UserInUse("Cannot delete entity, must delete access keys first.")
        if self._policies.has_attached(tx, caller.account, Kind.USER, user.name):
            raise UserInUse("Cannot delete entity, must detach all policies first.")
        if self._policies.has_inline(tx, caller.account, Kind.USER, user.name):
            raise UserInUse("Cannot delete entity, must delete policies first.")
        if self._groups.groups_of(tx, caller.account, user.name):
            raise UserInUse("Cannot delete entity, must remove users from group first.")
        self._policies.bind(tx, caller.account, Kind.USER, user.name, None)
        UserStore(tx, caller.account).delete(user.name)
        changed = AuthorisationChanged(account=caller.account, principals=frozenset({user.arn}))
        return Answer({}, (changed, PrincipalCut(account=caller.account, principal=user.arn, reason="USER_DELETED")))


def _changed(user: User) -> Answer:
    return Answer({}, (AuthorisationChanged(account=user.account, principals=frozenset({user.arn})),))


def _own_name(caller: Caller) -> str:
    if caller.kind is not CallerKind.USER:
        raise NameNeeded
    return caller.principal.rpartition("/")[2]


def _found(tx: Tx, caller: Caller, name: str) -> User:
    user = UserStore(tx, caller.account).get(name)
    if user is None:
        raise UserNotFound(name)
    return user


def _shown(user: User, boundary: str | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": user.created_at,
    }
    if user.tags:
        shown["Tags"] = shown_tags(user.tags)
    if boundary is not None:
        shown["PermissionsBoundary"] = shown_boundary(boundary)
    return shown
