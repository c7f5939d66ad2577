"""Managed policies and their versions."""

import json
from urllib.parse import unquote

import pytest

from hedgerow.core.policy import Dialect, compile_policies, validate
from hedgerow.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    MalformedPolicyDocument,
    NoSuchEntity,
)
from hedgerow.services.iam.policies.managed import MANAGED
from tests.support.iam import READ_S3, TRUST_DEVICES, Iam
from tests.support.store import OTHER_ACCOUNT

ARN = "arn:aws:iam::123456789012:policy/read"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    iam.run(iam.policies.create_policy, {"PolicyName": "read", "PolicyDocument": READ_S3})
    return iam


def test_a_policy_and_its_document_are_answered(iam: Iam) -> None:
    policy = iam.run(iam.policies.get_policy, {"PolicyArn": ARN}).response["Policy"]
    version = iam.run(iam.versions.get_policy_version, {"PolicyArn": ARN, "VersionId": "v1"}).response["PolicyVersion"]

    assert (policy["Arn"], policy["DefaultVersionId"], policy["AttachmentCount"]) == (ARN, "v1", 0)
    assert policy["PolicyId"].startswith("ANPA")
    assert unquote(version["Document"]) == READ_S3
    assert version["IsDefaultVersion"]


def test_another_account_does_not_see_it(iam: Iam) -> None:
    with pytest.raises(NoSuchEntity):
        iam.run(iam.policies.get_policy, {"PolicyArn": ARN}, OTHER_ACCOUNT)


def test_a_name_is_taken_under_every_path(iam: Iam) -> None:
    with pytest.raises(EntityAlreadyExists):
        iam.run(iam.policies.create_policy, {"PolicyName": "read", "Path": "/x/", "PolicyDocument": READ_S3})


def test_what_is_no_policy_or_too_long_is_refused(iam: Iam) -> None:
    with pytest.raises(MalformedPolicyDocument):
        iam.run(iam.policies.create_policy, {"PolicyName": "x", "PolicyDocument": TRUST_DEVICES})
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::" + "x" * 6200}
    with pytest.raises(LimitExceeded, match="6144"):
        iam.run(iam.policies.create_policy, {"PolicyName": "x", "PolicyDocument": json.dumps({"Statement": statement})})


def test_versions_are_counted_on_and_never_used_again(iam: Iam) -> None:
    request = {"PolicyArn": ARN, "PolicyDocument": READ_S3}
    iam.run(iam.versions.create_policy_version, request)
    iam.run(iam.versions.delete_policy_version, {"PolicyArn": ARN, "VersionId": "v2"})
    iam.run(iam.versions.create_policy_version, {**request, "SetAsDefault": True})

    versions = iam.run(iam.versions.list_policy_versions, {"PolicyArn": ARN}).response["Versions"]

    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in versions] == [("v3", True), ("v1", False)]


def test_a_sixth_version_is_refused(iam: Iam) -> None:
    for _ in range(4):
        iam.run(iam.versions.create_policy_version, {"PolicyArn": ARN, "PolicyDocument": READ_S3})

    with pytest.raises(LimitExceeded, match="up to 5 versions"):
        iam.run(iam.versions.create_policy_version, {"PolicyArn": ARN, "PolicyDocument": READ_S3})


def test_the_default_version_can_be_chosen_and_not_deleted(iam: Iam) -> None:
    iam.run(iam.versions.create_policy_version, {"PolicyArn": ARN, "PolicyDocument": READ_S3})
    changed = iam.run(iam.versions.set_default_policy_version, {"PolicyArn": ARN, "VersionId": "v2"})

    with pytest.raises(DeleteConflict):
        iam.run(iam.versions.delete_policy_version, {"PolicyArn": ARN, "VersionId": "v2"})
    iam.run(iam.versions.delete_policy_version, {"PolicyArn": ARN, "VersionId": "v1"})

    assert len(changed.events) == 1
    with pytest.raises(NoSuchEntity):
        iam.run(iam.versions.get_policy_version, {"PolicyArn": ARN, "VersionId": "v1"})


def test_an_attached_policy_is_not_deleted(iam: Iam) -> None:
    iam.run(iam.roles.create_role, {"RoleName": "edge", "AssumeRolePolicyDocument": TRUST_DEVICES})
    iam.run(iam.role_policies.attach_role_policy, {"RoleName": "edge", "PolicyArn": ARN})

    with pytest.raises(DeleteConflict, match="attached to entities"):
        iam.run(iam.policies.delete_policy, {"PolicyArn": ARN})
    iam.run(iam.role_policies.detach_role_policy, {"RoleName": "edge", "PolicyArn": ARN})
    iam.run(iam.policies.delete_policy, {"PolicyArn": ARN})

    with pytest.raises(NoSuchEntity):
        iam.run(iam.policies.get_policy, {"PolicyArn": ARN})


def test_policies_are_listed_by_scope(iam: Iam) -> None:
    local = iam.run(iam.policies.list_policies, {"Scope": "Local"}).response["Policies"]
    aws = iam.run(iam.policies.list_policies, {"Scope": "AWS", "PathPrefix": "/service-role/"}).response["Policies"]
    attached = iam.run(iam.policies.list_policies, {"OnlyAttached": True}).response["Policies"]
    every = iam.run(iam.policies.list_policies).response["Policies"]

    assert [policy["PolicyName"] for policy in local] == ["read"]
    assert "AWSIoTThingsRegistration" in [policy["PolicyName"] for policy in aws]
    assert attached == []
    assert len(every) == len(MANAGED) + 1


def test_the_policies_of_aws_are_right_and_cannot_be_changed(iam: Iam) -> None:
    with pytest.raises(InvalidInput, match="cannot be changed"):
        iam.run(iam.policies.delete_policy, {"PolicyArn": ADMIN})
    for policy, version in MANAGED.values():
        validate(version.document, Dialect.IAM)
        assert len("".join(version.document.split())) <= 6144, policy.name


def test_the_administrator_may_everything_and_the_s3_reader_reads_only() -> None:
    admin = compile_policies([MANAGED[ADMIN][1].document], dialect=Dialect.IAM)
    reader = compile_policies(
        [MANAGED["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"][1].document], dialect=Dialect.IAM
    )

    assert admin.decide("iot:CreateThing", "arn:aws:iot:r:123456789012:thing/a").allowed
    assert reader.decide("s3:GetObject", "arn:aws:s3:::b/k").allowed
    assert not reader.decide("s3:PutObject", "arn:aws:s3:::b/k").allowed


def test_a_power_user_may_everything_but_identities() -> None:
    power = compile_policies([MANAGED["arn:aws:iam::aws:policy/PowerUserAccess"][1].document], dialect=Dialect.IAM)

    assert power.decide("iot:CreateThing", "arn:aws:iot:r:123456789012:thing/a").allowed
    assert power.decide("iam:ListRoles", "arn:aws:iam::123456789012:role/").allowed
    assert not power.decide("iam:CreateUser", "arn:aws:iam::123456789012:user/ann").allowed


@pytest.mark.parametrize(("service", "allowed"), [("lambda.amazonaws.com", True), ("iot.amazonaws.com", False)])
def test_full_access_to_lambda_passes_roles_to_lambda_only(service: str, allowed: bool) -> None:
    full = compile_policies([MANAGED["arn:aws:iam::aws:policy/AWSLambda_FullAccess"][1].document], dialect=Dialect.IAM)
    role = "arn:aws:iam::123456789012:role/edge"

    assert full.decide("iam:PassRole", role, {"iam:PassedToService": service}).allowed is allowed


def test_the_lambda_role_calls_functions_only() -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaRole"
    calls = compile_policies([MANAGED[arn][1].document], dialect=Dialect.IAM)
    function = "arn:aws:lambda:r:123456789012:function:f"

    assert calls.decide("lambda:InvokeFunction", function).allowed
    assert not calls.decide("lambda:DeleteFunction", function).allowed
