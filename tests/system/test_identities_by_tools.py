"""IAM as tools that manage it use it: users that are renamed, tagged, listed and taken away, aliases, reports."""

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud
from tests.support.people import allow, key_of, policy, role, trust, user, with_credentials

pytestmark = [pytest.mark.slow]


@pytest.mark.spec("X-02")
def test_everything_follows_a_user_that_is_renamed(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    ann = user(cloud, "ann", allow("iot:ListThings"))
    role(cloud, "trusting", trust({"AWS": f"arn:aws:iam::{cloud.account}:user/ann"}), allow("iot:*"))
    iam.create_group(GroupName="makers")
    makers = policy(allow(["iot:CreateThing", "sts:GetSessionToken"]))
    iam.put_group_policy(GroupName="makers", PolicyName="make", PolicyDocument=makers)
    iam.add_user_to_group(GroupName="makers", UserName="ann")
    session = with_credentials(cloud.process, ann.client("sts").get_session_token()["Credentials"])

    iam.update_user(UserName="ann", NewUserName="anna", NewPath="/staff/")

    arn = f"arn:aws:iam::{cloud.account}:user/staff/anna"
    assert ann.client("sts").get_caller_identity()["Arn"] == arn
    assert session.client("sts").get_caller_identity()["Arn"] == arn
    ann.client("iot").list_things()
    session.client("iot").create_thing(thingName="lamp")
    ann.client("sts").assume_role(RoleArn=f"arn:aws:iam::{cloud.account}:role/trusting", RoleSessionName="me")
    trusted = iam.get_role(RoleName="trusting")["Role"]["AssumeRolePolicyDocument"]
    assert trusted["Statement"][0]["Principal"] == {"AWS": arn}
    with pytest.raises(ClientError, match=r"The user with name ann cannot be found\."):
        iam.get_user(UserName="ann")


@pytest.mark.spec("X-02")
def test_a_new_user_of_the_old_name_has_nothing_of_the_renamed_one(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    user(cloud, "ann", allow("iot:*"))
    iam.update_user(UserName="ann", NewUserName="anna")

    ann = user(cloud, "ann")

    assert iam.list_user_policies(UserName="ann")["PolicyNames"] == []
    with pytest.raises(ClientError, match="AccessDenied"):
        ann.client("iot").list_things()


@pytest.mark.spec("X-02")
def test_whoever_renames_needs_the_right_to_the_new_name_too(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    user(cloud, "dev-1")
    own = f"arn:aws:iam::{cloud.account}:user/dev-*"
    keeper = user(cloud, "keeper", allow("iam:UpdateUser", own)).client("iam")

    with pytest.raises(ClientError, match=r"iam:UpdateUser on resource: arn:aws:iam::\d+:user/admin"):
        keeper.update_user(UserName="dev-1", NewUserName="admin")
    keeper.update_user(UserName="dev-1", NewUserName="dev-2")
    with pytest.raises(ClientError, match=r"user/boss/dev-2"):
        keeper.update_user(UserName="dev-2", NewPath="/boss/")


@pytest.mark.spec("X-02")
def test_tags_of_a_user_count_in_policies_as_soon_as_they_are_there(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    of_ops = {"StringEquals": {"aws:PrincipalTag/team": "ops"}}
    ann = user(cloud, "ann", allow("iot:ListThings", Condition=of_ops)).client("iot")

    with pytest.raises(ClientError, match="AccessDenied"):
        ann.list_things()
    iam.tag_user(UserName="ann", Tags=[{"Key": "team", "Value": "ops"}])
    ann.list_things()
    iam.untag_user(UserName="ann", TagKeys=["Team"])
    with pytest.raises(ClientError, match="AccessDenied"):
        ann.list_things()


@pytest.mark.spec("X-02")
def test_a_user_is_made_looked_at_and_destroyed_as_terraform_does(hedgerow_cloud: TestCloud) -> None:
    iam = hedgerow_cloud.client("iam")
    arn = iam.create_policy(
        PolicyName="read", PolicyDocument=policy(allow("s3:Get*")), Tags=[{"Key": "a", "Value": "1"}]
    )["Policy"]["Arn"]
    iam.create_user(UserName="ci", Path="/bots/", Tags=[{"Key": "by", "Value": "terraform"}])
    iam.attach_user_policy(UserName="ci", PolicyArn=arn)

    held = iam.list_entities_for_policy(PolicyArn=arn)
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    for nothing in (
        iam.list_mfa_devices(UserName="ci")["MFADevices"],
        iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"],
        iam.list_ssh_public_keys(UserName="ci")["SSHPublicKeys"],
        iam.list_signing_certificates(UserName="ci")["Certificates"],
        iam.list_service_specific_credentials(UserName="ci")["ServiceSpecificCredentials"],
        iam.list_groups_for_user(UserName="ci")["Groups"],
    ):
        assert nothing == []
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_login_profile(UserName="ci")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.delete_login_profile(UserName="ci")
    iam.detach_user_policy(UserName="ci", PolicyArn=arn)
    iam.delete_user(UserName="ci")

    assert [each["UserName"] for each in held["PolicyUsers"]] == ["ci"]
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.spec("X-02")
def test_an_account_is_looked_at_as_a_whole(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    user(cloud, "ann", allow("iot:ListThings"))
    name = f"hedge-{cloud.account}"
    iam.create_account_alias(AccountAlias=name)

    pages = iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 1})
    users = [each for page in pages for each in page["UserDetailList"]]
    summary = iam.get_account_summary()["SummaryMap"]
    aliases = iam.list_account_aliases()["AccountAliases"]
    iam.delete_account_alias(AccountAlias=name)

    assert [each["UserName"] for each in users] == ["ann"]
    assert users[0]["UserPolicyList"][0]["PolicyDocument"]["Statement"][0]["Action"] == "iot:ListThings"
    assert (summary["Users"], summary["AccountAccessKeysPresent"], summary["AccessKeysPerUserQuota"]) == (1, 1, 2)
    assert aliases == [name]
    assert iam.list_account_aliases()["AccountAliases"] == []


@pytest.mark.spec("X-02")
def test_the_last_use_of_a_key_is_known(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    ann, never = user(cloud, "ann", allow("iot:ListThings")), user(cloud, "never")

    before = iam.get_access_key_last_used(AccessKeyId=key_of(never)[0])
    ann.client("iot").list_things()
    after = iam.get_access_key_last_used(AccessKeyId=key_of(ann)[0])

    assert before["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    assert (after["UserName"], after["AccessKeyLastUsed"]["ServiceName"]) == ("ann", "iot")
    assert after["AccessKeyLastUsed"]["Region"] == cloud.region
    assert after["AccessKeyLastUsed"]["LastUsedDate"] is not None


@pytest.mark.spec("X-02")
def test_who_makes_users_for_others_may_do_so_within_a_boundary_alone(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    made = iam.create_policy(PolicyName="edge", PolicyDocument=policy(allow("iot:*")))
    edge, admin = made["Policy"]["Arn"], "arn:aws:iam::aws:policy/AdministratorAccess"
    read = "arn:aws:iam::aws:policy/AWSIoTConfigReadOnlyAccess"
    within = {"StringEquals": {"iam:PermissionsBoundary": edge}}
    not_all = {"ArnNotEquals": {"iam:PolicyARN": admin}}
    keeper = user(
        cloud,
        "keeper",
        allow(["iam:CreateUser", "iam:PutUserPermissionsBoundary", "iam:PutUserPolicy"], Condition=within),
        allow("iam:AttachUserPolicy", Condition={**within, **not_all}),
    ).client("iam")
    user(cloud, "free")

    keeper.create_user(UserName="ann", PermissionsBoundary=edge)
    keeper.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=policy(allow("*")))
    keeper.attach_user_policy(UserName="ann", PolicyArn=read)
    for call, arguments in (
        (keeper.create_user, {"UserName": "bob"}),
        (keeper.create_user, {"UserName": "bob", "PermissionsBoundary": admin}),
        (keeper.put_user_permissions_boundary, {"UserName": "ann", "PermissionsBoundary": admin}),
        (keeper.delete_user_permissions_boundary, {"UserName": "ann"}),
        (keeper.attach_user_policy, {"UserName": "ann", "PolicyArn": admin}),
        (keeper.attach_user_policy, {"UserName": "free", "PolicyArn": read}),
        (keeper.put_user_policy, {"UserName": "free", "PolicyName": "own", "PolicyDocument": policy(allow("*"))}),
    ):
        with pytest.raises(ClientError, match="is not authorized to perform"):
            call(**arguments)
