"""The operations of managed policies."""

from typing import Any, Final, Protocol

from hedgerow.base.ids import Ids
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.policy import Dialect
from hedgerow.core.request import Request
from hedgerow.services.iam.documents import MANAGED_SIZE, check_size, checked, on_the_wire
from hedgerow.services.iam.pages import Pages, shown_tags, tags_of
from hedgerow.services.iam.policies.errors import (
    DefaultVersion,
    NotYours,
    PolicyAttached,
    PolicyExists,
    PolicyHasVersions,
    PolicyNotFound,
    PolicyVersionNotFound,
    TooManyVersions,
)
from hedgerow.services.iam.policies.managed import MANAGED
from hedgerow.services.iam.policies.model import MOST_VERSIONS, Policy, Version, version_number
from hedgerow.services.iam.policies.store import PolicyStore
from hedgerow.services.iam.tags import tagged, untagged
from hedgerow.store import Answer, Tx

QUOTA: Final = "TagsPerPolicy"


class Attachments(Protocol):
    """Tells who has a managed policy."""

    def count(self, tx: Tx, account: str, arn: str) -> int:
        """Answer how many roles and users of the account have it."""
        ...

    def counts(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer the same for all policies that somebody has, by ARN."""
        ...

    def bounds(self, tx: Tx, account: str) -> dict[str, int]:
        """Answer how many roles and users of the account each policy bounds, by ARN."""
        ...


class PolicyOperations:
    """Managed policies as a whole."""

    def __init__(self, *, ids: Ids, pages: Pages, attachments: Attachments) -> None:
        self._ids = ids
        self._pages = pages
        self._attachments = attachments

    def create_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        name = request["PolicyName"]
        document = checked(request["PolicyDocument"], Dialect.IAM)
        check_size((document,), MANAGED_SIZE, "PolicySize")
        if store.named(name) is not None:
            raise PolicyExists(name)
        policy = Policy(
            account=caller.account,
            name=name,
            path=request.get("Path") or "/",
            id="ANPA" + self._ids.upper(17),
            description=request.get("Description"),
            tags=tagged({}, tags_of(request), QUOTA),
            default_version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        store.add(policy, document)
        return Answer({"Policy": _shown(policy, 0, full=False)})

    def get_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = _found(PolicyStore(tx, caller.account), request["PolicyArn"])
        count = self._attachments.count(tx, caller.account, policy.arn)
        bounds = self._attachments.bounds(tx, caller.account).get(policy.arn, 0)
        return Answer({"Policy": _shown(policy, count, bounds=bounds, full=True)})

    def list_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        scope, prefix = request.get("Scope") or "All", request.get("PathPrefix") or "/"
        attached = request.get("OnlyAttached") or False
        usage = request.get("PolicyUsageFilter")
        own = PolicyStore(tx, caller.account).own() if scope in ("All", "Local") else []
        managed = [policy for policy, _ in MANAGED.values()] if scope in ("All", "AWS") else []
        counts, bounds = self._attachments.counts(tx, caller.account), self._attachments.bounds(tx, caller.account)
        found = [
            policy
            for policy in sorted((*own, *managed), key=lambda policy: policy.arn)
            if policy.path.startswith(prefix)
            and (not attached or policy.arn in counts)
            and (usage != "PermissionsBoundary" or policy.arn in bounds)
        ]
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListPolicies",
                name="Policies",
                items=found,
                key=lambda policy: policy.arn,
                show=lambda policy: _shown(
                    policy, counts.get(policy.arn, 0), bounds=bounds.get(policy.arn, 0), full=False
                ),
                of=f"{scope} {prefix} {attached} {usage}",
            )
        )

    def delete_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _own(store, request["PolicyArn"])
        if self._attachments.count(tx, caller.account, policy.arn):
            raise PolicyAttached
        if policy.arn in self._attachments.bounds(tx, caller.account):
            raise PolicyAttached
        if len(store.versions(policy)) > 1:
            raise PolicyHasVersions
        store.delete(policy.name)
        return Answer({}, _changed(caller))

    def tag_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _own(store, request["PolicyArn"])
        store.tag(policy.name, tagged(policy.tags, tags_of(request), QUOTA))
        return Answer()

    def untag_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _own(store, request["PolicyArn"])
        store.tag(policy.name, untagged(policy.tags, request.take_all("TagKeys")))
        return Answer()

    def list_policy_tags(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = _found(PolicyStore(tx, caller.account), request["PolicyArn"])
        return Answer(self._pages.tags(request, caller, "ListPolicyTags", policy.tags, of=policy.arn))


class PolicyVersionOperations:
    """The versions of a managed policy."""

    def __init__(self, *, pages: Pages) -> None:
        self._pages = pages

    def create_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _own(store, request["PolicyArn"])
        document = checked(request["PolicyDocument"], Dialect.IAM)
        check_size((document,), MANAGED_SIZE, "PolicySize")
        if len(store.versions(policy)) >= MOST_VERSIONS:
            raise TooManyVersions(MOST_VERSIONS)
        default = bool(request.get("SetAsDefault"))
        version = store.add_version(policy, document, default=default)
        shown = _shown_version(version, default=default, full=False)
        return Answer({"PolicyVersion": shown}, _changed(caller) if default else ())

    def get_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _found(store, request["PolicyArn"])
        version = _found_version(store, policy, request["VersionId"])
        default = version.number == policy.default_version
        return Answer({"PolicyVersion": _shown_version(version, default=default, full=True)})

    def list_policy_versions(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _found(store, request["PolicyArn"])
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListPolicyVersions",
                name="Versions",
                items=store.versions(policy),
                key=lambda version: f"{1_000_000 - version.number:07d}",
                show=lambda v: _shown_version(v, default=v.number == policy.default_version, full=False),
                of=policy.arn,
            )
        )

    def set_default_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _own(store, request["PolicyArn"])
        store.set_default(policy, _found_version(store, policy, request["VersionId"]).number)
        return Answer({}, _changed(caller))

    def delete_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        store = PolicyStore(tx, caller.account)
        policy = _own(store, request["PolicyArn"])
        version = _found_version(store, policy, request["VersionId"])
        if version.number == policy.default_version:
            raise DefaultVersion
        store.delete_version(policy, version.number)
        return Answer()


def _changed(caller: Caller) -> tuple[AuthorisationChanged, ...]:
    return (AuthorisationChanged(account=caller.account),)  # any role session may be concerned


def _found(store: PolicyStore, arn: str) -> Policy:
    policy = store.get(arn)
    if policy is None:
        raise PolicyNotFound(arn)
    return policy


def _own(store: PolicyStore, arn: str) -> Policy:
    if arn in MANAGED:
        raise NotYours(arn)
    return _found(store, arn)


def _found_version(store: PolicyStore, policy: Policy, text: str) -> Version:
    number = version_number(text)
    version = None if number is None else store.version(policy, number)
    if version is None:
        raise PolicyVersionNotFound(policy.arn, text)
    return version


def _shown(policy: Policy, attachments: int, *, bounds: int = 0, full: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": bounds,
        "IsAttachable": True,
        "CreateDate": policy.created_at,
        "UpdateDate": policy.updated_at,
    }
    if full:
        shown["Tags"] = shown_tags(policy.tags)
        if policy.description:
            shown["Description"] = policy.description
    elif policy.tags:
        shown["Tags"] = shown_tags(policy.tags)
    return shown


def _shown_version(version: Version, *, default: bool, full: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "VersionId": version.id,
        "IsDefaultVersion": default,
        "CreateDate": version.created_at,
    }
    return shown | ({"Document": on_the_wire(version.document)} if full else {})
