"""The operations on IoT policies, their versions and their attachments, the old names of the calls too.

Every change that can change what someone may do names exactly the certificates that it touches in
AuthorisationChanged: those that a policy is attached to, and those of all things in and below the groups that it is
attached to.
Spec: AWS IoT CreatePolicy …, AttachPolicy …; versions grow and are never used again.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from hedgerow.base.errors import NotImplementedYet
from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged, Event
from hedgerow.core.request import Request
from hedgerow.services.iot.errors import InvalidRequest
from hedgerow.services.iot.pages import Pages
from hedgerow.services.iot.policies.errors import (
    DefaultVersion,
    PolicyAttached,
    PolicyExists,
    PolicyHasVersions,
    PolicyNotFound,
    PolicyVersionNotFound,
    TargetNotFound,
    TooManyPolicies,
    TooManyVersions,
)
from hedgerow.services.iot.policies.model import (
    ON_A_GROUP,
    ON_A_PRINCIPAL,
    VERSIONS,
    IotPolicy,
    PolicyVersion,
    checked_document,
    checked_name,
)
from hedgerow.services.iot.policies.store import EffectivePolicies, PolicyStore
from hedgerow.services.iot.principals import CERTIFICATE, GROUP, certificate_arn, certificate_of, own_resource
from hedgerow.store import Answer, Tx

_DIGITS: Final = 18  # of a version's number: more fit in no column


class Certificates(Protocol):
    """What policies need of certificates."""

    def exists(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the account has a certificate of that id."""
        ...


class Groups(Protocol):
    """What policies need of thing groups."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing group of that name."""
        ...

    def is_dynamic(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a dynamic group of that name."""
        ...

    def line_of(self, tx: Tx, account: str, group: str) -> Sequence[str]:
        """Answer the group and all groups above it."""
        ...

    def things_in(self, tx: Tx, account: str, group: str, *, recursive: bool) -> Sequence[str]:
        """Answer the things in the group, `recursive` also those in groups below it."""
        ...


class Things(Protocol):
    """What policies need of things."""

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing of that name."""
        ...

    def principals_of_all(self, tx: Tx, account: str, things: Sequence[str]) -> frozenset[str]:
        """Answer the certificates that speak for any of the things."""
        ...


class Touched:
    """Answers whose rights depend on a target."""

    def __init__(self, *, groups: Groups, things: Things) -> None:
        self._groups = groups
        self._things = things

    def by(self, tx: Tx, account: str, targets: Iterable[str]) -> tuple[Event, ...]:
        """Answer the event that names all certificates that the targets touch; none when there are none."""
        certificates: set[str] = set()
        for target in targets:
            if target.startswith(GROUP):
                members = self._groups.things_in(tx, account, target.removeprefix(GROUP), recursive=True)
                certificates |= self._things.principals_of_all(tx, account, members)
            else:
                certificates.add(target)
        return (AuthorisationChanged(account=account, principals=frozenset(certificates)),) if certificates else ()


class PolicyOperations:
    """The operations on policies and their versions."""

    def __init__(self, *, policies: PolicyStore, groups: Groups, things: Things, pages: Pages, ids: Ids) -> None:
        self._policies = policies
        self._touched = Touched(groups=groups, things=things)
        self._pages = pages
        self._ids = ids

    def create_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        name, document = checked_name(request["policyName"]), checked_document(request["policyDocument"])
        if self._policies.get(tx, caller.account, name) is not None:
            raise PolicyExists(name, policy_arn=policy_arn(caller, name))
        policy = IotPolicy(
            name=name,
            default_version=1,
            last_version=1,
            generation=self._ids.uuid(),
            created_at=tx.now,
            updated_at=tx.now,
        )
        self._policies.add(tx, caller.account, policy, document)
        return Answer({**_named(caller, name), "policyDocument": document, "policyVersionId": "1"})

    def get_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        version = self._version(tx, caller, policy.name, str(policy.default_version))
        return Answer(
            {
                **_named(caller, policy.name),
                "policyDocument": version.document,
                "defaultVersionId": str(policy.default_version),
                "creationDate": policy.created_at,
                "lastModifiedDate": policy.updated_at,
                "generationId": policy.generation,
            }
        )

    def list_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        ascending = bool(request.get("ascendingOrder"))
        page = self._pages.by_marker(request, caller, "ListPolicies", ascending=ascending)
        found = self._policies.list(tx, caller.account, after=page.position, limit=page.limit, ascending=ascending)
        return Answer(
            page.answer("policies", found, key=lambda p: (p.created_at, p.name), show=lambda p: _named(caller, p.name))
        )

    def delete_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        if self._policies.targets_of(tx, caller.account, policy.name, limit=1):
            raise PolicyAttached(policy.name)
        if len(self._policies.versions(tx, caller.account, policy.name)) > 1:
            raise PolicyHasVersions(policy.name)
        self._policies.remove(tx, caller.account, policy.name)
        return Answer({})

    def create_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        document, default = checked_document(request["policyDocument"]), bool(request.get("setAsDefault"))
        if len(self._policies.versions(tx, caller.account, policy.name)) >= VERSIONS:
            raise TooManyVersions(policy.name, VERSIONS)
        policy = policy.next(default=default, now=tx.now)
        self._policies.put(tx, caller.account, policy)
        self._policies.add_version(tx, caller.account, policy.name, policy.last_version, document)
        response = {
            "policyArn": policy_arn(caller, policy.name),
            "policyDocument": document,
            "policyVersionId": str(policy.last_version),
            "isDefaultVersion": default,
        }
        return Answer(response, events=self._changed(tx, caller, policy.name) if default else ())

    def get_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        version = self._version(tx, caller, policy.name, request["policyVersionId"])
        return Answer(
            {
                **_named(caller, policy.name),
                "policyDocument": version.document,
                "policyVersionId": str(version.number),
                "isDefaultVersion": version.number == policy.default_version,
                "creationDate": version.created_at,
                "lastModifiedDate": version.created_at,
                "generationId": policy.generation,
            }
        )

    def list_policy_versions(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        shown = [
            {
                "versionId": str(version.number),
                "isDefaultVersion": version.number == policy.default_version,
                "createDate": version.created_at,
            }
            for version in self._policies.versions(tx, caller.account, policy.name)
        ]
        return Answer({"policyVersions": shown})

    def set_default_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        version = self._version(tx, caller, policy.name, request["policyVersionId"])
        if version.number == policy.default_version:
            return Answer({})
        self._policies.put(tx, caller.account, policy.with_default(version.number, now=tx.now))
        return Answer({}, events=self._changed(tx, caller, policy.name))

    def delete_policy_version(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        version = self._version(tx, caller, policy.name, request["policyVersionId"])
        if version.number == policy.default_version:
            raise DefaultVersion(policy.name)
        self._policies.remove_version(tx, caller.account, policy.name, version.number)
        return Answer({})

    def _version(self, tx: Tx, caller: Caller, name: str, version: str) -> PolicyVersion:
        number = int(version) if version.isascii() and version.isdigit() and len(version) <= _DIGITS else 0
        found = self._policies.version(tx, caller.account, name, number)
        if found is None:
            raise PolicyVersionNotFound(name, version)
        return found

    def _changed(self, tx: Tx, caller: Caller, name: str) -> tuple[Event, ...]:
        return self._touched.by(tx, caller.account, self._policies.targets_of(tx, caller.account, name))


class PolicyAttachmentOperations:
    """The operations on what policies are attached to."""

    def __init__(
        self,
        *,
        policies: PolicyStore,
        effective: EffectivePolicies,
        certificates: Certificates,
        groups: Groups,
        things: Things,
        pages: Pages,
    ) -> None:
        self._policies = policies
        self._effective = effective
        self._certificates = certificates
        self._groups = groups
        self._things = things
        self._touched = Touched(groups=groups, things=things)
        self._pages = pages

    def attach_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._attach(tx, caller, request["policyName"], request["target"])

    def detach_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._detach(tx, caller, request["policyName"], request["target"])

    def attach_principal_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._attach(tx, caller, request["policyName"], request["principal"])

    def detach_principal_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        return self._detach(tx, caller, request["policyName"], request["principal"])

    def list_attached_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        target, recursive = self._known(tx, caller, request["target"]), bool(request.get("recursive"))
        page = self._pages.by_marker(request, caller, "ListAttachedPolicies", target=target, recursive=recursive)
        above: list[str] = []
        if recursive and target.startswith(GROUP):
            above = [GROUP + name for name in self._groups.line_of(tx, caller.account, target.removeprefix(GROUP))]
        found = self._policies.attached_to(tx, caller.account, target, *above, after=page.after(), limit=page.limit)
        return Answer(page.answer("policies", found, key=lambda name: (name,), show=lambda name: _named(caller, name)))

    # ascendingOrder of the two old lists is not read, so it is refused: attachments have no date.

    def list_principal_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        target = self._known(tx, caller, request["principal"])
        page = self._pages.by_marker(request, caller, "ListPrincipalPolicies", target=target)
        found = self._policies.attached_to(tx, caller.account, target, after=page.after(), limit=page.limit)
        return Answer(page.answer("policies", found, key=lambda name: (name,), show=lambda name: _named(caller, name)))

    def list_targets_for_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        page = self._pages.by_marker(request, caller, "ListTargetsForPolicy", policy=policy.name)
        found = self._policies.targets_of(tx, caller.account, policy.name, after=page.after(), limit=page.limit)
        return Answer(page.answer("targets", found, key=lambda t: (t,), show=lambda t: _target_arn(caller, t)))

    def list_policy_principals(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        policy = found_policy(self._policies, tx, caller, request["policyName"])
        page = self._pages.by_marker(request, caller, "ListPolicyPrincipals", policy=policy.name)
        found = self._policies.targets_of(tx, caller.account, policy.name, after=page.after())
        principals = [target for target in found if not target.startswith(GROUP)]
        return Answer(page.answer("principals", principals, key=lambda t: (t,), show=lambda t: _target_arn(caller, t)))

    def get_effective_policies(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        principal, thing = request.get("principal"), request.get("thingName")
        if "cognitoIdentityPoolId" in request:
            raise NotImplementedYet("Amazon Cognito identities are not supported: give a certificate or a thing")
        if principal is None and thing is None:
            raise InvalidRequest("principal or thingName must be given")
        certificate = None if principal is None else self._known_certificate(tx, caller, principal)
        if thing is not None and not self._things.exists(tx, caller.account, thing):
            raise TargetNotFound(thing)
        found = self._effective.of(tx, caller.account, certificate, () if thing is None else (thing,))
        shown = [{**_named(caller, name), "policyDocument": document} for name, document in found]
        return Answer({"effectivePolicies": shown})

    def _attach(self, tx: Tx, caller: Caller, name: str, target_arn: str) -> Answer:
        policy = found_policy(self._policies, tx, caller, name)
        target = self._known(tx, caller, target_arn)
        if target.startswith(GROUP) and self._groups.is_dynamic(tx, caller.account, target.removeprefix(GROUP)):
            raise InvalidRequest(f"{target_arn} is a dynamic thing group: policies cannot be attached to it")
        attached = self._policies.attached_to(tx, caller.account, target)
        if policy.name in attached:
            return Answer({})
        most = ON_A_GROUP if target.startswith(GROUP) else ON_A_PRINCIPAL
        if len(attached) >= most:
            raise TooManyPolicies(target_arn, most)
        self._policies.attach(tx, caller.account, target, policy.name)
        return Answer({}, events=self._touched.by(tx, caller.account, (target,)))

    def _detach(self, tx: Tx, caller: Caller, name: str, target_arn: str) -> Answer:
        policy = found_policy(self._policies, tx, caller, name)
        target = target_of(caller, target_arn)
        if not self._policies.detach(tx, caller.account, target, policy.name):
            return Answer({})
        return Answer({}, events=self._touched.by(tx, caller.account, (target,)))

    def _known(self, tx: Tx, caller: Caller, target_arn: str) -> str:
        """Answer the target that the ARN means; raise TargetNotFound when it is not there."""
        target = target_of(caller, target_arn)
        if target.startswith(GROUP):
            there = self._groups.exists(tx, caller.account, target.removeprefix(GROUP))
        else:
            there = self._certificates.exists(tx, caller.account, target)
        if not there:
            raise TargetNotFound(target_arn)
        return target

    def _known_certificate(self, tx: Tx, caller: Caller, principal: str) -> str:
        certificate = certificate_of(principal, caller)
        if not self._certificates.exists(tx, caller.account, certificate):
            raise TargetNotFound(principal)
        return certificate


def policy_arn(caller: Caller, name: str) -> str:
    """Make the ARN of one of the caller's policies."""
    return arn("iot", caller.region, caller.account, f"policy/{name}")


def found_policy(policies: PolicyStore, tx: Tx, caller: Caller, name: str) -> IotPolicy:
    """Answer the caller's policy; raise PolicyNotFound."""
    policy = policies.get(tx, caller.account, name)
    if policy is None:
        raise PolicyNotFound(name)
    return policy


def target_of(caller: Caller, text: str) -> str:
    """Answer what an ARN means as a target: a certificate id or `thinggroup/<name>`. Raises InvalidRequest."""
    resource = own_resource(text, caller)
    if resource.startswith(GROUP):
        return resource
    if resource.startswith(CERTIFICATE):
        return resource.removeprefix(CERTIFICATE)
    raise InvalidRequest(f"{text} is neither a certificate nor a thing group")


def _target_arn(caller: Caller, target: str) -> str:
    if target.startswith(GROUP):
        return arn("iot", caller.region, caller.account, target)
    return certificate_arn(caller, target)


def _named(caller: Caller, name: str) -> dict[str, Any]:
    return {"policyName": name, "policyArn": policy_arn(caller, name)}
