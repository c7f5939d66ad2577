"""The credential provider: a device certificate is traded for credentials of a role."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Kind
from hedgerow.core.policy import Context, Dialect, Verdict, compile_policies
from hedgerow.services.sts.sessions import DeviceCredentialOperations
from hedgerow.store import Tx
from tests.support.iam import TRUST_ACCOUNT, TRUST_DEVICES, Iam
from tests.support.store import CALLER

ID = "ab" * 32
DEVICE = dataclasses.replace(
    CALLER,
    kind=Kind.CERTIFICATE,
    principal=f"arn:aws:iot:eu-central-1:123456789012:cert/{ID}",
    certificate_id=ID,
)


@dataclass(frozen=True)
class Alias:
    role_arn: str
    duration_s: int = 3600


@dataclass
class Aliases:
    all: dict[str, Alias] = field(default_factory=dict)

    def get(self, tx: Tx, account: str, name: str) -> Alias | None:
        return self.all.get(name) if account == CALLER.account else None


@dataclass(frozen=True)
class Thing:
    type: str | None = "radio"


class Things:
    def get(self, tx: Tx, account: str, name: str) -> Thing | None:
        return Thing() if name in ("pump-1", "pump-2") else None

    def attachment(self, tx: Tx, account: str, thing: str, principal: str) -> object | None:
        return True if (thing, principal) == ("pump-1", ID) else None


class Rights:
    """Allows every alias but `denied`, and nothing to a certificate that is gone; remembers what it was asked."""

    def __init__(self) -> None:
        self.gone = False
        self.asked: list[tuple[str | None, str, str]] = []

    def decide(
        self, tx: Tx, account: str, certificate_id: str, thing: str | None, action: str, resource: str, context: Context
    ) -> Verdict | None:
        self.asked.append((thing, action, resource))
        if self.gone:
            return None
        effect = "Deny" if resource.endswith("/denied") else "Allow"
        document = {"Statement": {"Effect": effect, "Action": "*", "Resource": "*"}}
        return compile_policies((document,), dialect=Dialect.IOT).decide(action, resource)


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    iam.run(iam.roles.create_role, {"RoleName": "edge", "AssumeRolePolicyDocument": TRUST_DEVICES})
    iam.run(iam.roles.create_role, {"RoleName": "build", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    return iam


@pytest.fixture
def provider(iam: Iam) -> DeviceCredentialOperations:
    start = "arn:aws:iam::123456789012:role/"
    aliases = Aliases(
        {
            "good": Alias(start + "edge"),
            "long": Alias(start + "edge", 7200),
            "untrusted": Alias(start + "build"),
            "gone": Alias(start + "gone"),
        }
    )
    return DeviceCredentialOperations(
        rights=Rights(), role_aliases=aliases, roles=iam.role_reader, things=Things(), mint=iam.mint
    )


@pytest.mark.spec("BS-19")
def test_a_device_gets_credentials_that_carry_its_names(iam: Iam, provider: DeviceCredentialOperations) -> None:
    request = {"roleAlias": "good", "thingName": "pump-1"}

    credentials = iam.run(provider.assume_role_with_certificate, request, DEVICE).response["credentials"]

    assert set(credentials) == {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"}
    assert credentials["expiration"] == 1.8e9 + 3600
    with iam.store.tx() as tx:
        session = iam.session_reader.find(tx, credentials["accessKeyId"])
    assert session is not None
    assert session.principal == f"arn:aws:sts::123456789012:assumed-role/edge/{ID}"
    assert session.variables == {
        "credentials-iot:AwsCertificateId": ID,
        "credentials-iot:ThingName": "pump-1",
        "credentials-iot:ThingTypeName": "radio",
        "aws:TokenIssueTime": "2027-01-15T08:00:00Z",
    }


def test_without_the_header_there_are_no_thing_variables(iam: Iam, provider: DeviceCredentialOperations) -> None:
    answer = iam.run(provider.assume_role_with_certificate, {"roleAlias": "good"}, DEVICE).response

    with iam.store.tx() as tx:
        session = iam.session_reader.find(tx, answer["credentials"]["accessKeyId"])
    assert session is not None
    assert set(session.variables) == {"credentials-iot:AwsCertificateId", "aws:TokenIssueTime"}


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"roleAlias": "good", "thingName": "pump-2"}, "AccessDeniedException", "Invalid thing name passed"),
        ({"roleAlias": "good", "thingName": ""}, "AccessDeniedException", "Invalid thing name passed"),
        ({"roleAlias": "denied", "thingName": "none"}, "AccessDeniedException", "Invalid thing name passed"),
        ({"roleAlias": "denied"}, "AccessDeniedException", "Access Denied"),
        ({"roleAlias": "good", "thingName": "none"}, "AccessDeniedException", "Invalid thing name passed"),
        ({"roleAlias": "none"}, "ResourceNotFoundException", "Role alias does not exist"),
        (
            {"roleAlias": "untrusted"},
            "InvalidRequestException",
            "Unable to assume the role, or the role to assume does not exist",
        ),
        (
            {"roleAlias": "gone"},
            "InvalidRequestException",
            "Unable to assume the role, or the role to assume does not exist",
        ),
        (
            {"roleAlias": "long"},
            "InvalidRequestException",
            "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role",
        ),
    ],
)
def test_refusals_have_the_texts_that_devices_look_for(
    iam: Iam, provider: DeviceCredentialOperations, request_: dict[str, str], code: str, message: str
) -> None:
    with pytest.raises(ServiceError) as raised:
        iam.run(provider.assume_role_with_certificate, request_, DEVICE)

    assert (raised.value.code, raised.value.message) == (code, message)


def test_whoever_signs_instead_of_showing_a_certificate_is_refused(
    iam: Iam, provider: DeviceCredentialOperations
) -> None:
    with pytest.raises(ServiceError, match="Certificate is invalid on this endpoint"):
        iam.run(provider.assume_role_with_certificate, {"roleAlias": "good"})


def test_the_policies_are_asked_about_the_alias_and_the_thing(iam: Iam) -> None:
    rights = Rights()
    aliases = Aliases({"good": Alias("arn:aws:iam::123456789012:role/edge")})
    provider = DeviceCredentialOperations(
        rights=rights, role_aliases=aliases, roles=iam.role_reader, things=Things(), mint=iam.mint
    )
    request = {"roleAlias": "good", "thingName": "pump-1"}

    iam.run(provider.assume_role_with_certificate, request, DEVICE)
    rights.gone = True
    with pytest.raises(ServiceError, match="Certificate is invalid on this endpoint"):
        iam.run(provider.assume_role_with_certificate, request, DEVICE)

    alias = "arn:aws:iot:eu-central-1:123456789012:rolealias/good"
    assert rights.asked[0] == ("pump-1", "iot:AssumeRoleWithCertificate", alias)


@pytest.mark.parametrize(
    ("condition", "right"),
    [
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, True),
        ({"StringEquals": {"aws:SourceAccount": "210987654321"}}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:iot:*:*:rolealias/good"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:iot:*:*:rolealias/other"}}, False),
        ({"StringEquals": {"credentials-iot:ThingTypeName": "radio"}}, True),
        ({"StringEquals": {"credentials-iot:ThingName": "pump-2"}}, False),
    ],
)
def test_a_role_may_say_for_which_alias_and_things_it_is(
    iam: Iam, provider: DeviceCredentialOperations, condition: dict[str, Any], right: bool
) -> None:
    document = json.loads(TRUST_DEVICES)
    document["Statement"][0]["Condition"] = condition
    request = {"RoleName": "edge", "PolicyDocument": json.dumps(document)}
    iam.run(iam.roles.update_assume_role_policy, request)
    asked = {"roleAlias": "good", "thingName": "pump-1"}

    if right:
        assert "credentials" in iam.run(provider.assume_role_with_certificate, asked, DEVICE).response
    else:
        with pytest.raises(ServiceError, match="Unable to assume the role"):
            iam.run(provider.assume_role_with_certificate, asked, DEVICE)
