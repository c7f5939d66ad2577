"""Users and access keys."""

import dataclasses

import pytest

from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import AuthorisationChanged, PrincipalCut
from hedgerow.services.iam.errors import DeleteConflict, LimitExceeded, NoSuchEntity, ValidationFailed
from tests.support.iam import READ_S3, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

ANN = dataclasses.replace(CALLER, kind=Kind.USER, principal="arn:aws:iam::123456789012:user/ann")


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    iam.run(iam.users.create_user, {"UserName": "ann"})
    return iam


@pytest.mark.spec("DR-05")
def test_a_user_gets_a_key_whose_secret_is_shown_once_and_kept_sealed(iam: Iam) -> None:
    key = iam.run(iam.keys.create_access_key, {"UserName": "ann"}).response["AccessKey"]

    listed = iam.run(iam.keys.list_access_keys, {"UserName": "ann"}).response["AccessKeyMetadata"]

    assert key["AccessKeyId"].startswith("AKIA")
    assert len(key["AccessKeyId"]) == 20
    assert listed == [{"UserName": "ann", "AccessKeyId": key["AccessKeyId"], "Status": "Active", "CreateDate": 1.8e9}]
    with iam.store.tx() as tx:
        found = iam.key_reader.find(tx, key["AccessKeyId"])
        stored = tx._connection.exec_driver_sql("SELECT sealed FROM iam_access_key").scalar_one()
    assert found is not None
    assert found[1] == key["SecretAccessKey"]
    assert key["SecretAccessKey"].encode() not in stored


def test_a_user_asks_about_itself_without_a_name(iam: Iam) -> None:
    user = iam.run(iam.users.get_user, {}, ANN).response["User"]
    key = iam.run(iam.keys.create_access_key, {}, ANN).response["AccessKey"]

    assert user["Arn"] == "arn:aws:iam::123456789012:user/ann"
    assert user["UserId"].startswith("AIDA")
    assert key["UserName"] == "ann"


@pytest.mark.parametrize("caller", [CALLER, dataclasses.replace(CALLER, kind=Kind.ROLE)])
def test_others_must_say_which_user_they_mean(iam: Iam, caller: Caller) -> None:
    with pytest.raises(ValidationFailed, match="Must specify userName"):
        iam.run(iam.users.get_user, {}, caller)


def test_the_same_user_name_in_two_accounts_is_two_users(iam: Iam) -> None:
    other = iam.run(iam.users.create_user, {"UserName": "ann"}, OTHER_ACCOUNT).response["User"]
    key = iam.run(iam.keys.create_access_key, {"UserName": "ann"}).response["AccessKey"]

    assert other["Arn"] == "arn:aws:iam::210987654321:user/ann"
    assert iam.run(iam.keys.list_access_keys, {"UserName": "ann"}, OTHER_ACCOUNT).response["AccessKeyMetadata"] == []
    with pytest.raises(NoSuchEntity):
        iam.run(iam.keys.delete_access_key, {"UserName": "ann", "AccessKeyId": key["AccessKeyId"]}, OTHER_ACCOUNT)


def test_a_third_key_is_refused(iam: Iam) -> None:
    for _ in range(2):
        iam.run(iam.keys.create_access_key, {"UserName": "ann"})

    with pytest.raises(LimitExceeded, match="AccessKeysPerUser: 2"):
        iam.run(iam.keys.create_access_key, {"UserName": "ann"})


def test_a_key_is_switched_off_and_deleted(iam: Iam) -> None:
    key = iam.run(iam.keys.create_access_key, {"UserName": "ann"}).response["AccessKey"]
    named = {"UserName": "ann", "AccessKeyId": key["AccessKeyId"]}

    off = iam.run(iam.keys.update_access_key, {**named, "Status": "Inactive"})
    listed = iam.run(iam.keys.list_access_keys, {"UserName": "ann"}).response["AccessKeyMetadata"]
    iam.run(iam.keys.delete_access_key, named)

    assert len(off.events) == 1
    assert listed[0]["Status"] == "Inactive"
    with pytest.raises(NoSuchEntity, match="The Access Key with id"):
        iam.run(iam.keys.delete_access_key, named)


def test_a_key_is_active_or_inactive_and_nothing_else(iam: Iam) -> None:
    key = iam.run(iam.keys.create_access_key, {"UserName": "ann"}).response["AccessKey"]["AccessKeyId"]

    with pytest.raises(ValidationFailed, match="Active or Inactive"):
        iam.run(iam.keys.update_access_key, {"UserName": "ann", "AccessKeyId": key, "Status": "Expired"})


def test_the_last_key_of_root_stays(iam: Iam) -> None:
    key = iam.run(iam.keys.create_access_key, {}).response["AccessKey"]

    with pytest.raises(ValidationFailed, match="last active access key"):
        iam.run(iam.keys.delete_access_key, {"AccessKeyId": key["AccessKeyId"]})
    iam.run(iam.keys.create_access_key, {})
    iam.run(iam.keys.delete_access_key, {"AccessKeyId": key["AccessKeyId"]})


def test_a_user_is_deleted_when_nothing_belongs_to_it_any_more(iam: Iam) -> None:
    ann = {"UserName": "ann"}
    key = iam.run(iam.keys.create_access_key, ann).response["AccessKey"]["AccessKeyId"]
    iam.run(iam.user_policies.put_user_policy, {**ann, "PolicyName": "read", "PolicyDocument": READ_S3})

    with pytest.raises(DeleteConflict, match="access keys"):
        iam.run(iam.users.delete_user, ann)
    iam.run(iam.keys.delete_access_key, {**ann, "AccessKeyId": key})
    with pytest.raises(DeleteConflict, match="must delete policies first"):
        iam.run(iam.users.delete_user, ann)
    iam.run(iam.user_policies.delete_user_policy, {**ann, "PolicyName": "read"})
    gone = iam.run(iam.users.delete_user, ann)

    assert any(isinstance(event, PrincipalCut) for event in gone.events)
    assert iam.run(iam.users.list_users).response["Users"] == []


def test_users_have_inline_and_managed_policies(iam: Iam) -> None:
    ann = {"UserName": "ann"}
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.run(iam.user_policies.attach_user_policy, {**ann, "PolicyArn": admin})
    attached = iam.run(iam.user_policies.list_attached_user_policies, ann).response["AttachedPolicies"]
    iam.run(iam.user_policies.detach_user_policy, {**ann, "PolicyArn": admin})

    assert attached == [{"PolicyName": "AdministratorAccess", "PolicyArn": admin}]
    assert iam.run(iam.user_policies.list_user_policies, ann).response["PolicyNames"] == []
    with pytest.raises(NoSuchEntity, match="user policy with name x"):
        iam.run(iam.user_policies.get_user_policy, {**ann, "PolicyName": "x"})


def test_a_change_names_the_user_that_it_concerns(iam: Iam) -> None:
    iam.run(iam.users.create_user, {"UserName": "bob", "Path": "/ops/"})
    bob = "arn:aws:iam::123456789012:user/ops/bob"
    request = {"UserName": "bob", "PolicyName": "read", "PolicyDocument": READ_S3}

    put = iam.run(iam.user_policies.put_user_policy, request)
    key = iam.run(iam.keys.create_access_key, {"UserName": "bob"}).response["AccessKey"]["AccessKeyId"]
    deleted = iam.run(iam.keys.delete_access_key, {"UserName": "bob", "AccessKeyId": key})

    assert put.events == deleted.events == (AuthorisationChanged(account="123456789012", principals=frozenset({bob})),)
