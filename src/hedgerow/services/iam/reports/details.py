"""GetAccountAuthorizationDetails: everybody in the account with all policies.

Of AWS's own policies those are answered that somebody here has or is bounded by.
Source: IAM API reference, GetAccountAuthorizationDetails.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from hedgerow.core.caller import Caller
from hedgerow.core.request import Request
from hedgerow.services.iam.documents import on_the_wire
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.pages import Pages, shown_boundary, shown_tags
from hedgerow.services.iam.reports.ports import (
    Attachments,
    Entity,
    Groups,
    Held,
    Policies,
    Policy,
    Role,
    Roles,
    Tagged,
    Users,
    Version,
)
from hedgerow.store import Answer, Tx

_USER, _GROUP, _ROLE, _POLICY = "UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"
_LISTS: Final = {  # by what Filter calls them
    "User": _USER,
    "Group": _GROUP,
    "Role": _ROLE,
    "LocalManagedPolicy": _POLICY,
    "AWSManagedPolicy": _POLICY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Detail:
    """One entry; only those of the page are looked into."""

    what: str
    arn: str
    show: Callable[[], dict[str, Any]]

    @property
    def key(self) -> str:
        return f"{self.what} {self.arn}"


class DetailOperations:
    """All that an account's rights are made of."""

    def __init__(
        self,
        *,
        users: Users,
        roles: Roles,
        groups: Groups,
        policies: Policies,
        attachments: Attachments,
        held: Held,
        pages: Pages,
    ) -> None:
        self._users = users
        self._roles = roles
        self._groups = groups
        self._policies = policies
        self._attachments = attachments
        self._held = held
        self._pages = pages

    def get_account_authorization_details(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        wanted = request.take_all("Filter") or list(_LISTS)
        found = [detail for detail in self._all(tx, caller.account) if detail.what in wanted]
        page = self._pages.answer(
            request,
            caller,
            "GetAccountAuthorizationDetails",
            name="Details",
            items=sorted(found, key=lambda detail: detail.key),
            key=lambda detail: detail.key,
            show=lambda detail: (_LISTS[detail.what], detail.show()),
            of=" ".join(sorted(wanted)),
        )
        details = page.pop("Details")
        lists = {name: [shown for what, shown in details if what == name] for name in _LISTS.values()}
        return Answer({**page, **lists})

    def _all(self, tx: Tx, account: str) -> Iterator[_Detail]:
        for user in self._users.all(tx, account):
            yield _Detail(what="User", arn=user.arn, show=partial(self._user, tx, account, user))
        for group in self._groups.all(tx, account):
            yield _Detail(what="Group", arn=group.arn, show=partial(self._group, tx, account, group))
        for role in self._roles.all(tx, account):
            yield _Detail(what="Role", arn=role.arn, show=partial(self._role, tx, account, role))
        counts, bounds = self._attachments.counts(tx, account), self._attachments.bounds(tx, account)
        own = self._policies.own(tx, account)
        others = sorted((set(counts) | set(bounds)) - {policy.arn for policy in own})
        used = [policy for arn in others if (policy := self._policies.get(tx, account, arn)) is not None]
        for what, policies in (("LocalManagedPolicy", own), ("AWSManagedPolicy", used)):
            for policy in policies:
                usage = (counts.get(policy.arn, 0), bounds.get(policy.arn, 0))
                yield _Detail(
                    what=what,
                    arn=policy.arn,
                    show=partial(self._policy, tx, account, policy, usage),
                )

    def _user(self, tx: Tx, account: str, user: Tagged) -> dict[str, Any]:
        return {
            "UserName": user.name,
            "UserId": user.id,
            **_common(user),
            "UserPolicyList": self._inline(tx, account, Kind.USER, user.name),
            "GroupList": list(self._groups.groups_of(tx, account, user.name)),
            **self._managed(tx, account, Kind.USER, user.name),
            "Tags": shown_tags(user.tags),
        }

    def _group(self, tx: Tx, account: str, group: Entity) -> dict[str, Any]:
        return {
            "GroupName": group.name,
            "GroupId": group.id,
            **_common(group),
            "GroupPolicyList": self._inline(tx, account, Kind.GROUP, group.name),
            **self._managed(tx, account, Kind.GROUP, group.name),
        }

    def _role(self, tx: Tx, account: str, role: Role) -> dict[str, Any]:
        return {
            "RoleName": role.name,
            "RoleId": role.id,
            **_common(role),
            "AssumeRolePolicyDocument": on_the_wire(role.trust),
            "InstanceProfileList": [],
            "RolePolicyList": self._inline(tx, account, Kind.ROLE, role.name),
            **self._managed(tx, account, Kind.ROLE, role.name),
            "Tags": shown_tags(role.tags),
        }

    def _policy(self, tx: Tx, account: str, policy: Policy, usage: tuple[int, int]) -> dict[str, Any]:
        attached, bounding = usage
        versions = self._policies.versions(tx, account, policy.arn)
        shown = {
            "PolicyName": policy.name,
            "PolicyId": policy.id,
            **_common(policy),
            "DefaultVersionId": f"v{policy.default_version}",
            "AttachmentCount": attached,
            "PermissionsBoundaryUsageCount": bounding,
            "IsAttachable": True,
            "UpdateDate": policy.updated_at,
            "PolicyVersionList": [_version(version, policy) for version in versions],
        }
        return shown if policy.description is None else {**shown, "Description": policy.description}

    def _inline(self, tx: Tx, account: str, kind: Kind, name: str) -> list[dict[str, str]]:
        return [
            {"PolicyName": policy, "PolicyDocument": on_the_wire(document)}
            for policy, document in self._held.inline(tx, account, kind, name).items()
        ]

    def _managed(self, tx: Tx, account: str, kind: Kind, name: str) -> dict[str, Any]:
        attached = self._held.attached(tx, account, kind, name)
        shown: dict[str, Any] = {
            "AttachedManagedPolicies": [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in attached]
        }
        boundary = None if kind is Kind.GROUP else self._attachments.boundary(tx, account, kind, name)
        return shown if boundary is None else {**shown, "PermissionsBoundary": shown_boundary(boundary)}


def _common(entity: Entity) -> dict[str, Any]:
    return {"Path": entity.path, "Arn": entity.arn, "CreateDate": entity.created_at}


def _version(version: Version, policy: Policy) -> dict[str, Any]:
    return {
        "VersionId": version.id,
        "Document": on_the_wire(version.document),
        "IsDefaultVersion": version.number == policy.default_version,
        "CreateDate": version.created_at,
    }
