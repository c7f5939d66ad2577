"""Who has a policy, what an account holds, its alias, and what nobody has."""

from typing import Any
from urllib.parse import unquote

import pytest

from hedgerow.cloud.identity_reports import Everybody, reporting
from hedgerow.core.paging import Pager
from hedgerow.services.iam.access_keys import RootKeys
from hedgerow.services.iam.account_aliases import AccountAliasOperations
from hedgerow.services.iam.errors import EntityAlreadyExists, NoSuchEntity, ValidationFailed
from hedgerow.services.iam.pages import Pages
from tests.support.iam import READ_S3, TRUST_ACCOUNT, FakeVault, Iam
from tests.support.store import OTHER_ACCOUNT

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ = "arn:aws:iam::123456789012:policy/read"


class World(Iam):
    """Identities with everything that looks at them as a whole."""

    def __init__(self) -> None:
        super().__init__()
        everybody = Everybody(
            users=self.user_reader,
            roles=self.role_reader,
            groups=self.group_reader,
            managed=self.managed,
            attachments=self.attachments,
            root_keys=RootKeys(ids=self.ids, vault=FakeVault()),
        )
        self.whole = reporting(pages=Pages(Pager(b"k" * 32)), everybody=everybody)


@pytest.fixture
def iam() -> World:
    iam = World()
    ann, group, role = {"UserName": "ann"}, {"GroupName": "g"}, {"RoleName": "r"}
    iam.run(iam.policies.create_policy, {"PolicyName": "read", "PolicyDocument": READ_S3})
    iam.run(iam.users.create_user, {**ann, "Path": "/ops/", "PermissionsBoundary": READ})
    iam.run(iam.groups.create_group, group)
    iam.run(iam.groups.add_user_to_group, {**ann, **group})
    iam.run(iam.roles.create_role, {**role, "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    iam.run(iam.user_policies.put_user_policy, {**ann, "PolicyName": "own", "PolicyDocument": READ_S3})
    iam.run(iam.group_policies.attach_group_policy, {**group, "PolicyArn": READ})
    iam.run(iam.role_policies.attach_role_policy, {**role, "PolicyArn": READ})
    iam.run(iam.role_policies.attach_role_policy, {**role, "PolicyArn": ADMIN})
    return iam


def names(response: Any) -> list[str]:
    found = [*response["PolicyGroups"], *response["PolicyRoles"], *response["PolicyUsers"]]
    return [each.get("GroupName") or each.get("RoleName") or each["UserName"] for each in found]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ["g", "r", "ann"]),
        ({"PolicyUsageFilter": "PermissionsPolicy"}, ["g", "r"]),
        ({"PolicyUsageFilter": "PermissionsBoundary"}, ["ann"]),
        ({"EntityFilter": "Role"}, ["r"]),
        ({"EntityFilter": "User"}, ["ann"]),
        ({"EntityFilter": "LocalManagedPolicy"}, []),
        ({"PathPrefix": "/ops/"}, ["ann"]),
    ],
)
def test_those_who_have_a_policy_are_listed(iam: World, more: dict[str, str], expected: list[str]) -> None:
    response = iam.run(iam.whole.holders.list_entities_for_policy, {"PolicyArn": READ, **more}).response

    assert names(response) == expected
    assert not response["IsTruncated"]


def test_those_who_have_a_policy_come_in_pages(iam: World) -> None:
    found, marker = [], None
    for _ in range(3):
        request = {"PolicyArn": READ, "MaxItems": 1, **({} if marker is None else {"Marker": marker})}
        response = iam.run(iam.whole.holders.list_entities_for_policy, request).response
        found += names(response)
        marker = response.get("Marker")

    assert (found, marker) == (["g", "r", "ann"], None)


def test_a_policy_of_another_account_has_nobody_here(iam: World) -> None:
    with pytest.raises(NoSuchEntity, match="was not found"):
        iam.run(iam.whole.holders.list_entities_for_policy, {"PolicyArn": READ}, OTHER_ACCOUNT)
    response = iam.run(iam.whole.holders.list_entities_for_policy, {"PolicyArn": ADMIN}, OTHER_ACCOUNT).response
    assert names(response) == []


def test_the_details_of_an_account_are_all_that_rights_are_made_of(iam: World) -> None:
    response = iam.run(iam.whole.details.get_account_authorization_details).response

    (user,), (group,), (role,) = (response[f"{kind}DetailList"] for kind in ("User", "Group", "Role"))
    assert (user["Arn"], user["GroupList"]) == ("arn:aws:iam::123456789012:user/ops/ann", ["g"])
    assert unquote(user["UserPolicyList"][0]["PolicyDocument"]) == READ_S3
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ
    assert group["AttachedManagedPolicies"] == [{"PolicyName": "read", "PolicyArn": READ}]
    assert {each["PolicyArn"] for each in role["AttachedManagedPolicies"]} == {READ, ADMIN}
    assert unquote(role["AssumeRolePolicyDocument"]) == TRUST_ACCOUNT
    counted = {
        each["Arn"]: (each["AttachmentCount"], each["PermissionsBoundaryUsageCount"]) for each in response["Policies"]
    }
    assert counted == {READ: (2, 1), ADMIN: (1, 0)}
    assert all(unquote(each["PolicyVersionList"][0]["Document"]) for each in response["Policies"])


@pytest.mark.parametrize(
    ("kinds", "lengths"),
    [
        (["User"], (1, 0, 0, 0)),
        (["Group", "Role"], (0, 1, 1, 0)),
        (["LocalManagedPolicy"], (0, 0, 0, 1)),
        (["AWSManagedPolicy"], (0, 0, 0, 1)),
    ],
)
def test_details_are_filtered_by_kind(iam: World, kinds: list[str], lengths: tuple[int, ...]) -> None:
    response = iam.run(iam.whole.details.get_account_authorization_details, {"Filter": kinds}).response

    lists = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    assert tuple(len(response[each]) for each in lists) == lengths


def test_details_and_summary_of_another_account_hold_nothing_of_this_one(iam: World) -> None:
    details = iam.run(iam.whole.details.get_account_authorization_details, {}, OTHER_ACCOUNT).response
    summary = iam.run(iam.whole.summaries.get_account_summary, {}, OTHER_ACCOUNT).response["SummaryMap"]

    assert [details[each] for each in ("UserDetailList", "RoleDetailList", "Policies")] == [[], [], []]
    assert (summary["Users"], summary["Roles"], summary["Policies"]) == (0, 0, 0)


def test_the_summary_counts_what_is_there(iam: World) -> None:
    iam.run(iam.versions.create_policy_version, {"PolicyArn": READ, "PolicyDocument": READ_S3})

    summary = iam.run(iam.whole.summaries.get_account_summary).response["SummaryMap"]

    counted = ("Users", "Groups", "Roles", "Policies", "PolicyVersionsInUse", "Providers", "MFADevices")
    assert [summary[each] for each in counted] == [1, 1, 1, 1, 2, 0, 0]
    assert (summary["PolicySizeQuota"], summary["VersionsPerPolicyQuota"]) == (6144, 5)
    assert summary["AccountAccessKeysPresent"] == 0


def aliases() -> AccountAliasOperations:
    return AccountAliasOperations(pages=Pages(Pager(b"k" * 32)))


def test_an_account_has_one_alias_and_no_other_account_the_same(iam: World) -> None:
    alias = aliases()
    iam.run(alias.create_account_alias, {"AccountAlias": "first"})
    iam.run(alias.create_account_alias, {"AccountAlias": "second"})

    with pytest.raises(EntityAlreadyExists, match="second already exists"):
        iam.run(alias.create_account_alias, {"AccountAlias": "second"}, OTHER_ACCOUNT)
    iam.run(alias.create_account_alias, {"AccountAlias": "first"}, OTHER_ACCOUNT)

    assert iam.run(alias.list_account_aliases).response["AccountAliases"] == ["second"]
    assert iam.run(alias.list_account_aliases, {}, OTHER_ACCOUNT).response["AccountAliases"] == ["first"]


def test_only_ones_own_alias_is_taken_away(iam: World) -> None:
    alias = aliases()
    iam.run(alias.create_account_alias, {"AccountAlias": "first"})

    with pytest.raises(NoSuchEntity, match="first cannot be found"):
        iam.run(alias.delete_account_alias, {"AccountAlias": "first"}, OTHER_ACCOUNT)
    iam.run(alias.delete_account_alias, {"AccountAlias": "first"})

    assert iam.run(alias.list_account_aliases).response["AccountAliases"] == []


def test_an_account_has_no_profiles_certificates_saml_providers_or_passwords(iam: World) -> None:
    others = iam.whole.others

    assert iam.run(others.list_instance_profiles, {"PathPrefix": "/"}).response["InstanceProfiles"] == []
    assert iam.run(others.list_server_certificates).response["ServerCertificateMetadataList"] == []
    assert iam.run(others.list_saml_providers).response == {"SAMLProviderList": []}
    with pytest.raises(NoSuchEntity, match="Password Policy with domain name 123456789012"):
        iam.run(others.get_account_password_policy)


def test_nobody_has_other_credentials_and_a_user_that_is_not_there_is_named(iam: World) -> None:
    others = iam.whole.others

    assert iam.run(others.list_mfa_devices, {"UserName": "ann"}).response["MFADevices"] == []
    assert (
        iam.run(others.list_service_specific_credentials, {"AllUsers": True}).response["ServiceSpecificCredentials"]
        == []
    )
    with pytest.raises(NoSuchEntity, match="Login Profile for User ann cannot be found"):
        iam.run(others.get_login_profile, {"UserName": "ann"})
    with pytest.raises(NoSuchEntity, match="The user with name bob"):
        iam.run(others.list_ssh_public_keys, {"UserName": "bob"})
    with pytest.raises(ValidationFailed, match="Must specify userName"):
        iam.run(others.delete_login_profile)
