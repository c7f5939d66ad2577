"""What a core device needs in the cloud, found or made with the caller's own rights, as the nucleus' installer does.

Only calls that AWS documents as the installer's least rights, under the installer's names: IoT policy, token exchange
role with its policy, role alias with its policy, thing, thing group; then a certificate and what it is attached to.
What is there is used as it is. Every denial is collected, so that all missing rights are named together, and nothing
is undone: given again, it goes on. Spec: Greengrass V2, "Installer arguments", "Minimal IAM policy for installer".
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError

from hedgerow.base.device_policy import device_policy
from hedgerow.base.errors import Unusable

Say = Callable[[str], None]

_MISSING: Final = frozenset({"ResourceNotFoundException", "NoSuchEntity", "NoSuchEntityException"})
_TAKEN: Final = frozenset({"ResourceAlreadyExistsException", "EntityAlreadyExists", "EntityAlreadyExistsException"})
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedException", "ForbiddenException"})
_RIGHT: Final = re.compile(r"perform: ([a-z0-9-]+:[A-Za-z]+)")
_AGAIN: Final = "what was made stays; give the command again when this is mended"
_ROLE: Final = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:DescribeLogStreams",
    "s3:GetBucketLocation",
    "greengrass:GetComponentVersionArtifact",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What everything is called. Without a group the thing joins none."""

    thing: str
    group: str = ""
    policy: str = "GreengrassV2IoTThingPolicy"
    role: str = "GreengrassV2TokenExchangeRole"
    alias: str = "GreengrassV2TokenExchangeRoleAlias"

    @property
    def alias_policy(self) -> str:
        """The IoT policy that lets a certificate use the role alias."""
        return f"GreengrassTESCertificatePolicy{self.alias}"

    @property
    def role_policy(self) -> str:
        """The IAM policy of the role."""
        return f"{self.role}Access"


class Resources:
    """The calls."""

    def __init__(self, *, iot: Any, iam: Any, account: str, region: str, say: Say) -> None:
        self._iot = iot
        self._iam = iam
        self._account = account
        self._region = region
        self._say = say
        self._denied: list[str] = []

    def endpoint(self, kind: str) -> str:
        """Answer where devices go, "" when the right to ask is missing, which `make` says with all others."""
        answer = self._do("iot:DescribeEndpoint", lambda: self._iot.describe_endpoint(endpointType=kind))
        return "" if answer is None else str(answer["endpointAddress"])

    def make(self, wanted: Wanted, *, ours: bool) -> None:
        """Find or make everything that is there before the certificate; raise Unusable with all missing rights.

        `ours` tells that the cloud is a Hedgerow, whose policies may speak of its own actions.
        """
        self._iot_policy(wanted.policy, self._device_policy(ours=ours))
        if self._role(wanted) and self._role_policy(wanted):
            role_policy = f"arn:aws:iam::{self._account}:policy/{wanted.role_policy}"
            self._do(
                "iam:AttachRolePolicy",
                lambda: self._iam.attach_role_policy(RoleName=wanted.role, PolicyArn=role_policy),
            )
        alias = f"arn:aws:iot:{self._region}:{self._account}:rolealias/{wanted.alias}"
        self._iot_policy(wanted.alias_policy, _document("iot:AssumeRoleWithCertificate", alias))
        self._thing(wanted)
        self._check("the device cannot be provisioned")

    def attach(self, wanted: Wanted, certificate_arn: str) -> None:
        """Attach policies and thing to the certificate; raise Unusable with all missing rights. May be done again."""
        for policy in (wanted.policy, wanted.alias_policy):
            self._do("iot:AttachPolicy", partial(self._iot.attach_policy, policyName=policy, target=certificate_arn))
        self._do(
            "iot:AttachThingPrincipal",
            lambda: self._iot.attach_thing_principal(thingName=wanted.thing, principal=certificate_arn),
        )
        self._check("the certificate is not complete")

    def sign(self, request: str) -> dict[str, Any] | None:
        """Have a certificate for the request; None when the rights for that are missing."""
        try:
            answer: dict[str, Any] = self._iot.create_certificate_from_csr(
                certificateSigningRequest=request, setAsActive=True
            )
        except ClientError as error:
            if _code(error) in _DENIED:
                return None
            raise _refused("the certificate", error) from error
        return answer

    def issue(self) -> dict[str, Any]:
        """Have a certificate and a key that the cloud makes; raise Unusable when that is denied, too."""
        answer: dict[str, Any] | None = self._do(
            "iot:CreateKeysAndCertificate", lambda: self._iot.create_keys_and_certificate(setAsActive=True)
        )
        self._check("the device gets no certificate")
        return answer or {}

    def lost(self, fits: Callable[[str], bool]) -> dict[str, Any] | None:
        """Answer the certificate that fits among the newest, None without one; raises ClientError when denied."""
        for each in self._iot.list_certificates(pageSize=100)["certificates"]:
            answer = self._iot.describe_certificate(certificateId=each["certificateId"])
            found: dict[str, Any] = answer["certificateDescription"]
            if fits(found["certificatePem"]):
                return found
        return None

    def _role(self, wanted: Wanted) -> bool:
        """Have role alias and role; tell whether the role is the one of this name, whose policy is to be seen to."""
        known = self._look("iot:DescribeRoleAlias", lambda: self._iot.describe_role_alias(roleAlias=wanted.alias))
        if known:
            self._say(f"role alias {wanted.alias}: there")
            role = str(known["roleAliasDescription"]["roleArn"]).rpartition("/")[2]
            if role != wanted.role:
                self._say(f"it stands for the role {role}, which is used as it is")
                return False
        trust = {"Effect": "Allow", "Principal": {"Service": "credentials.iot.amazonaws.com"}}
        document = {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
        there = self._ensure(
            f"role {wanted.role}",
            ("iam:GetRole", lambda: self._iam.get_role(RoleName=wanted.role)),
            (
                "iam:CreateRole",
                lambda: self._iam.create_role(RoleName=wanted.role, AssumeRolePolicyDocument=json.dumps(document)),
            ),
        )
        role_arn = f"arn:aws:iam::{self._account}:role/{wanted.role}"
        if there and not known:
            there = self._make(
                f"role alias {wanted.alias}",
                "iot:CreateRoleAlias",
                lambda: self._iot.create_role_alias(roleAlias=wanted.alias, roleArn=role_arn),
            )
        return there

    def _role_policy(self, wanted: Wanted) -> bool:
        name = wanted.role_policy
        arn = f"arn:aws:iam::{self._account}:policy/{name}"
        document = _document(list(_ROLE), "*")
        return self._ensure(
            f"IAM policy {name}",
            ("iam:GetPolicy", lambda: self._iam.get_policy(PolicyArn=arn)),
            ("iam:CreatePolicy", lambda: self._iam.create_policy(PolicyName=name, PolicyDocument=document)),
        )

    def _iot_policy(self, name: str, document: str) -> None:
        self._ensure(
            f"IoT policy {name}",
            ("iot:GetPolicy", lambda: self._iot.get_policy(policyName=name)),
            ("iot:CreatePolicy", lambda: self._iot.create_policy(policyName=name, policyDocument=document)),
        )

    def _thing(self, wanted: Wanted) -> None:
        thing, group = wanted.thing, wanted.group
        there = self._make(
            f"thing {thing}",
            "iot:CreateThing",
            lambda: self._iot.create_thing(thingName=thing),
            news="made, or there",  # the answer is the same
        )
        if not group:
            return
        grouped = self._ensure(
            f"thing group {group}",
            ("iot:DescribeThingGroup", lambda: self._iot.describe_thing_group(thingGroupName=group)),
            ("iot:CreateThingGroup", lambda: self._iot.create_thing_group(thingGroupName=group)),
        )
        if there and grouped:
            self._do(
                "iot:AddThingToThingGroup",
                lambda: self._iot.add_thing_to_thing_group(thingName=thing, thingGroupName=group),
            )

    def _device_policy(self, *, ours: bool) -> str:
        """Answer the policy of a thing that keeps to itself and may be a core device."""
        document = device_policy(self._region, self._account)
        if not ours:
            document["Statement"] = [each for each in document["Statement"] if "hedgerow:" not in str(each["Action"])]
        return json.dumps(document)

    def _ensure(self, what: str, look: tuple[str, Callable[[], Any]], make: tuple[str, Callable[[], Any]]) -> bool:
        """Use what is there or make it; tell whether it is there now. Who may not look sees when making it."""
        before = len(self._denied)
        if self._look(*look):
            self._say(f"{what}: there")
            return True
        there = self._make(what, *make)
        if there:
            del self._denied[before:]
        return there

    def _look(self, right: str, call: Callable[[], Any]) -> Any:
        """Answer what is there, None when there is nothing, or it may not be seen."""
        try:
            return call()
        except ClientError as error:
            if _code(error) in _DENIED:
                self._deny(right, error)
            elif _code(error) not in _MISSING:
                raise _refused(right, error) from error
            return None

    def _make(self, what: str, right: str, call: Callable[[], Any], *, news: str = "made") -> bool:
        try:
            call()
        except ClientError as error:
            if _code(error) in _TAKEN:
                self._say(f"{what}: there")
                return True
            if _code(error) in _DENIED:
                self._deny(right, error)
                return False
            raise _refused(what, error) from error
        self._say(f"{what}: {news}")
        return True

    def _do(self, right: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ClientError as error:
            if _code(error) not in _DENIED:
                raise _refused(right, error) from error
            self._deny(right, error)
            return None

    def _deny(self, right: str, error: ClientError) -> None:
        named = _RIGHT.search(str(error.response["Error"].get("Message", "")))
        right = named[1] if named else right
        if right not in self._denied:
            self._denied.append(right)

    def _check(self, what: str) -> None:
        if self._denied:
            missing, self._denied = ", ".join(self._denied), []
            raise Unusable(f"{what}: the rights {missing} are missing; {_AGAIN}")


def _document(actions: str | list[str], resource: str) -> str:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _code(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def _refused(what: str, error: ClientError) -> Unusable:
    return Unusable(f"{what}: the cloud refused: {error.response['Error'].get('Message') or error}; {_AGAIN}")
