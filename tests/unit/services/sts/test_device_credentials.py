"""The credential provider: a device certificate is traded for credentials of a role."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Kind
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
    return DeviceCredentialOperations(role_aliases=aliases, roles=iam.role_reader, things=Things(), mint=iam.mint)


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
    }


def test_without_the_header_there_are_no_thing_variables(iam: Iam, provider: DeviceCredentialOperations) -> None:
    answer = iam.run(provider.assume_role_with_certificate, {"roleAlias": "good"}, DEVICE).response

    with iam.store.tx() as tx:
        session = iam.session_reader.find(tx, answer["credentials"]["accessKeyId"])
    assert session is not None
    assert session.variables == {"credentials-iot:AwsCertificateId": ID}


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"roleAlias": "good", "thingName": "pump-2"}, "AccessDeniedException", "Invalid thing name passed"),
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
