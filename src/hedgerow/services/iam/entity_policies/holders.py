"""ListEntitiesForPolicy: whom a managed policy is attached to, and whom it bounds.

Source: IAM API reference, ListEntitiesForPolicy. A filter for kinds of policies finds nobody: no policy has policies.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.entity_policies.errors import PolicyNotFound
from hedgerow.services.iam.entity_policies.operations import ManagedPolicies
from hedgerow.services.iam.entity_policies.store import Holders
from hedgerow.services.iam.pages import Pages
from hedgerow.store import Answer, Tx

_LISTS: Final = {Kind.GROUP: "PolicyGroups", Kind.USER: "PolicyUsers", Kind.ROLE: "PolicyRoles"}
_WORDS: Final = {Kind.GROUP: "Group", Kind.USER: "User", Kind.ROLE: "Role"}
_BOUNDING: Final = {None: (False, True), "PermissionsPolicy": (False,), "PermissionsBoundary": (True,)}


class Entity(Protocol):
    """A role, user or group."""

    @property
    def id(self) -> str: ...
    @property
    def path(self) -> str: ...


class Found(Protocol):
    """Finds roles, users or groups."""

    def find(self, tx: Tx, account: str, name: str) -> Entity | None:
        """Answer the one of that name, or None."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class _Holder:
    kind: str
    name: str
    id: str


class PolicyHolderOperations:
    """Who has a managed policy."""

    def __init__(self, *, users: Found, roles: Found, groups: Found, managed: ManagedPolicies, pages: Pages) -> None:
        self._entities: Mapping[Kind, Found] = {Kind.USER: users, Kind.ROLE: roles, Kind.GROUP: groups}
        self._managed = managed
        self._pages = pages

    def list_entities_for_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        arn, prefix, kind = request["PolicyArn"], request.get("PathPrefix") or "/", request.get("EntityFilter")
        usage = request.get("PolicyUsageFilter")
        if not self._managed.exists(tx, caller.account, arn):
            raise PolicyNotFound(arn)
        found = {
            holder
            for bounding in _BOUNDING[usage]
            for holder in self._holders(tx, caller.account, arn, prefix, bounding=bounding)
            if kind in (None, holder.kind)
        }
        page = self._pages.answer(
            request,
            caller,
            "ListEntitiesForPolicy",
            name="Holders",
            items=sorted(found),
            key=lambda holder: f"{holder.kind} {holder.name}",
            show=lambda holder: holder,
            of=f"{arn} {prefix} {kind} {usage}",
        )
        return Answer(_shown(page))

    def _holders(self, tx: Tx, account: str, arn: str, prefix: str, *, bounding: bool) -> Iterator[_Holder]:
        for kind, name in Holders().of_policy(tx, account, arn, bounding=bounding):
            entity = self._entities[kind].find(tx, account, name)
            if entity is not None and entity.path.startswith(prefix):
                yield _Holder(_WORDS[kind], name, entity.id)


def _shown(page: dict[str, Any]) -> dict[str, Any]:
    holders = page.pop("Holders")
    for kind, member in _LISTS.items():
        word = _WORDS[kind]
        page[member] = [{f"{word}Name": each.name, f"{word}Id": each.id} for each in holders if each.kind == word]
    return page
