"""Roles and their policies."""

import json
from urllib.parse import unquote

import pytest

from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    LimitExceeded,
    MalformedPolicyDocument,
    NoSuchEntity,
    ValidationFailed,
)
from tests.support.iam import READ_S3, TRUST_ACCOUNT, TRUST_DEVICES, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

S3_READ = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    iam.run(iam.roles.create_role, {"RoleName": "edge", "AssumeRolePolicyDocument": TRUST_DEVICES})
    return iam


@pytest.mark.spec("KO-08", "KO-09")
def test_a_role_is_answered_as_it_was_made(iam: Iam) -> None:
    request = {
        "RoleName": "build",
        "Path": "/ci/",
        "AssumeRolePolicyDocument": TRUST_ACCOUNT,
        "Description": "builds",
        "MaxSessionDuration": 7200,
        "Tags": [{"Key": "team", "Value": "radio"}],
    }
    made = iam.run(iam.roles.create_role, request).response["Role"]

    role = iam.run(iam.roles.get_role, {"RoleName": "build"}).response["Role"]

    assert role == made
    assert role["Arn"] == "arn:aws:iam::123456789012:role/ci/build"
    assert role["RoleId"].startswith("AROA")
    assert len(role["RoleId"]) == 21
    assert unquote(role["AssumeRolePolicyDocument"]) == TRUST_ACCOUNT
    assert (role["Description"], role["MaxSessionDuration"]) == ("builds", 7200)
    assert role["Tags"] == [{"Key": "team", "Value": "radio"}]


def test_a_name_is_taken_once_per_account(iam: Iam) -> None:
    request = {"RoleName": "edge", "AssumeRolePolicyDocument": TRUST_DEVICES}

    with pytest.raises(EntityAlreadyExists, match="Role with name edge already exists"):
        iam.run(iam.roles.create_role, request)
    other = iam.run(iam.roles.create_role, request, OTHER_ACCOUNT).response["Role"]

    assert other["Arn"] == "arn:aws:iam::210987654321:role/edge"


@pytest.mark.spec("BS-15")
def test_a_malformed_trust_policy_is_refused(iam: Iam) -> None:
    broken = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}'

    with pytest.raises(MalformedPolicyDocument):
        iam.run(iam.roles.create_role, {"RoleName": "new", "AssumeRolePolicyDocument": broken})
    with pytest.raises(MalformedPolicyDocument):
        iam.run(iam.roles.update_assume_role_policy, {"RoleName": "edge", "PolicyDocument": READ_S3})


def test_a_trust_policy_can_be_replaced(iam: Iam) -> None:
    iam.run(iam.roles.update_assume_role_policy, {"RoleName": "edge", "PolicyDocument": TRUST_ACCOUNT})

    role = iam.run(iam.roles.get_role, {"RoleName": "edge"}).response["Role"]

    assert unquote(role["AssumeRolePolicyDocument"]) == TRUST_ACCOUNT


@pytest.mark.spec("KO-12")
def test_inline_policies_are_put_read_listed_and_deleted(iam: Iam) -> None:
    role = {"RoleName": "edge"}
    put = iam.run(iam.role_policies.put_role_policy, {**role, "PolicyName": "read", "PolicyDocument": READ_S3})

    names = iam.run(iam.role_policies.list_role_policies, role).response
    found = iam.run(iam.role_policies.get_role_policy, {**role, "PolicyName": "read"}).response
    iam.run(iam.role_policies.delete_role_policy, {**role, "PolicyName": "read"})

    assert put.events == (AuthorisationChanged(account="123456789012"),)
    assert names == {"PolicyNames": ["read"], "IsTruncated": False}
    assert json.loads(unquote(found["PolicyDocument"])) == json.loads(READ_S3)
    with pytest.raises(NoSuchEntity, match="The role policy with name read cannot be found"):
        iam.run(iam.role_policies.get_role_policy, {**role, "PolicyName": "read"})


def test_inline_policies_together_have_a_limit(iam: Iam) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::" + "x" * 6000]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.run(iam.role_policies.put_role_policy, {"RoleName": "edge", "PolicyName": "a", "PolicyDocument": document})

    with pytest.raises(LimitExceeded, match="10240"):
        iam.run(iam.role_policies.put_role_policy, {"RoleName": "edge", "PolicyName": "b", "PolicyDocument": document})


@pytest.mark.spec("KO-10")
def test_policies_of_aws_can_be_attached_in_a_fresh_cloud(iam: Iam) -> None:
    arns = [
        S3_READ,
        "arn:aws:iam::aws:policy/CloudWatchLogsFullAccess",
        "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration",
    ]
    for arn in arns:
        iam.run(iam.role_policies.attach_role_policy, {"RoleName": "edge", "PolicyArn": arn})

    attached = iam.run(iam.role_policies.list_attached_role_policies, {"RoleName": "edge"}).response

    assert sorted(policy["PolicyArn"] for policy in attached["AttachedPolicies"]) == sorted(arns)
    with iam.store.tx() as tx:
        assert len(iam.documents.documents(tx, "123456789012", Kind.ROLE, "edge")) == 4
        assert iam.documents.documents(tx, "210987654321", Kind.ROLE, "edge") == []


def test_attaching_twice_is_once_and_detaching_twice_is_an_error(iam: Iam) -> None:
    request = {"RoleName": "edge", "PolicyArn": S3_READ}
    iam.run(iam.role_policies.attach_role_policy, request)
    iam.run(iam.role_policies.attach_role_policy, request)
    iam.run(iam.role_policies.detach_role_policy, request)

    with pytest.raises(NoSuchEntity):
        iam.run(iam.role_policies.detach_role_policy, request)


def test_what_is_not_there_cannot_be_attached(iam: Iam) -> None:
    with pytest.raises(NoSuchEntity, match="does not exist or is not attachable"):
        iam.run(iam.role_policies.attach_role_policy, {"RoleName": "edge", "PolicyArn": S3_READ + "X"})
    with pytest.raises(NoSuchEntity, match="role with name none"):
        iam.run(iam.role_policies.attach_role_policy, {"RoleName": "none", "PolicyArn": S3_READ})


def test_a_role_with_policies_is_not_deleted(iam: Iam) -> None:
    request = {"RoleName": "edge", "PolicyArn": S3_READ}
    iam.run(iam.role_policies.attach_role_policy, request)

    with pytest.raises(DeleteConflict, match="must detach all policies first"):
        iam.run(iam.roles.delete_role, {"RoleName": "edge"})
    iam.run(iam.role_policies.detach_role_policy, request)
    iam.run(iam.roles.delete_role, {"RoleName": "edge"})

    with pytest.raises(NoSuchEntity, match="The role with name edge cannot be found"):
        iam.run(iam.roles.get_role, {"RoleName": "edge"})


def test_roles_are_listed_in_pages_of_their_account(iam: Iam) -> None:
    for name in ("a", "b"):
        iam.run(iam.roles.create_role, {"RoleName": name, "AssumeRolePolicyDocument": TRUST_DEVICES})

    first = iam.run(iam.roles.list_roles, {"MaxItems": 2}).response
    second = iam.run(iam.roles.list_roles, {"MaxItems": 2, "Marker": first["Marker"]}).response
    others = iam.run(iam.roles.list_roles, {}, OTHER_ACCOUNT).response

    assert [role["RoleName"] for role in first["Roles"]] == ["a", "b"]
    assert first["IsTruncated"]
    assert [role["RoleName"] for role in second["Roles"]] == ["edge"]
    assert not second["IsTruncated"]
    assert others["Roles"] == []
    with pytest.raises(ValidationFailed, match="Invalid Marker"):
        iam.run(iam.roles.list_roles, {"Marker": first["Marker"]}, OTHER_ACCOUNT)


def test_tags_are_added_replaced_and_removed(iam: Iam) -> None:
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    iam.run(iam.roles.tag_role, {"RoleName": "edge", "Tags": tags})
    iam.run(iam.roles.tag_role, {"RoleName": "edge", "Tags": [{"Key": "a", "Value": "3"}]})
    iam.run(iam.roles.untag_role, {"RoleName": "edge", "TagKeys": ["b"]})

    assert iam.run(iam.roles.list_role_tags, {"RoleName": "edge"}).response["Tags"] == [{"Key": "a", "Value": "3"}]


def test_the_description_and_the_longest_session_can_be_changed(iam: Iam) -> None:
    iam.run(iam.roles.update_role, {"RoleName": "edge", "Description": "new", "MaxSessionDuration": 43200})
    iam.run(iam.roles.update_role, {"RoleName": "edge"})

    role = iam.run(iam.roles.get_role, {"RoleName": "edge"}, CALLER).response["Role"]

    assert (role["Description"], role["MaxSessionDuration"]) == ("new", 43200)


def test_a_description_is_replaced_and_the_role_answered(iam: Iam) -> None:
    changed = iam.run(iam.roles.update_role_description, {"RoleName": "edge", "Description": "new"}).response["Role"]

    assert changed["Description"] == "new"
    assert iam.run(iam.roles.get_role, {"RoleName": "edge"}).response["Role"] == changed
    with pytest.raises(NoSuchEntity):
        iam.run(iam.roles.update_role_description, {"RoleName": "edge", "Description": "x"}, OTHER_ACCOUNT)
