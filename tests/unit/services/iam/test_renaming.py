"""Users that are called otherwise: what follows, and what does not."""

import dataclasses
import json

import pytest

from hedgerow.core.caller import Kind
from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iam.errors import EntityAlreadyExists, NoSuchEntity
from hedgerow.services.iam.roles import Role
from tests.support.iam import ASSUMES, READ_S3, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

ANN = "arn:aws:iam::123456789012:user/ann"
ANNA = "arn:aws:iam::123456789012:user/anna"
RENAME = {"UserName": "ann", "NewUserName": "anna"}


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    with iam.store.tx() as tx:
        iam.accounts.ensure_first(tx, CALLER.account)
    iam.user("ann")
    return iam


def trusting(*names: str) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": list(names)}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust_of(iam: Iam, role: str, account: str = CALLER.account) -> Role:
    with iam.store.tx() as tx:
        found = iam.role_reader.find(tx, account, role)
    assert found is not None
    return found


def test_keys_policies_boundary_and_groups_go_with_the_user(iam: Iam) -> None:
    ann, anna = {"UserName": "ann"}, {"UserName": "anna"}
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    key = iam.run(iam.keys.create_access_key, ann).response["AccessKey"]["AccessKeyId"]
    iam.run(iam.user_policies.put_user_policy, {**ann, "PolicyName": "read", "PolicyDocument": READ_S3})
    iam.run(iam.user_policies.attach_user_policy, {**ann, "PolicyArn": admin})
    iam.run(iam.user_policies.put_user_permissions_boundary, {**ann, "PermissionsBoundary": admin})
    iam.run(iam.groups.create_group, {"GroupName": "g"})
    iam.run(iam.groups.add_user_to_group, {**ann, "GroupName": "g"})

    before = iam.run(iam.users.get_user, ann).response["User"]
    changed = iam.run(iam.users.update_user, RENAME)
    after = iam.run(iam.users.get_user, anna).response["User"]

    assert changed.events == (AuthorisationChanged(account=CALLER.account, principals=frozenset({ANN})),)
    assert after == {**before, "UserName": "anna", "Arn": ANNA}
    assert after["PermissionsBoundary"]["PermissionsBoundaryArn"] == admin
    assert iam.run(iam.keys.list_access_keys, anna).response["AccessKeyMetadata"][0]["AccessKeyId"] == key
    assert iam.run(iam.user_policies.list_user_policies, anna).response["PolicyNames"] == ["read"]
    assert len(iam.run(iam.user_policies.list_attached_user_policies, anna).response["AttachedPolicies"]) == 1
    assert [u["UserName"] for u in iam.run(iam.groups.get_group, {"GroupName": "g"}).response["Users"]] == ["anna"]


def test_a_user_may_move_to_another_path_alone(iam: Iam) -> None:
    iam.run(iam.users.update_user, {"UserName": "ann", "NewPath": "/ops/"})

    assert iam.run(iam.users.get_user, {"UserName": "ann"}).response["User"]["Arn"].endswith(":user/ops/ann")


def test_nothing_new_changes_nothing(iam: Iam) -> None:
    assert iam.run(iam.users.update_user, {"UserName": "ann", "NewUserName": "ann", "NewPath": "/"}).events == ()


def test_a_name_that_is_taken_is_refused_and_changes_nothing(iam: Iam) -> None:
    iam.user("anna")

    with pytest.raises(EntityAlreadyExists, match="User with name anna already exists"):
        iam.run(iam.users.update_user, RENAME)
    assert len(iam.run(iam.users.list_users).response["Users"]) == 2


def test_a_user_of_another_account_is_not_there(iam: Iam) -> None:
    iam.user("ann", account=OTHER_ACCOUNT.account)

    iam.run(iam.users.update_user, RENAME)

    assert iam.run(iam.users.get_user, {"UserName": "ann"}, OTHER_ACCOUNT)
    with pytest.raises(NoSuchEntity):
        iam.run(iam.users.update_user, RENAME)


def test_trust_policies_of_all_accounts_call_the_user_by_the_new_name(iam: Iam) -> None:
    request = {"RoleName": "r", "AssumeRolePolicyDocument": trusting(ANN, CALLER.account)}
    for account in (CALLER, OTHER_ACCOUNT):
        iam.run(iam.roles.create_role, request, account)

    iam.run(iam.users.update_user, RENAME)

    for account in (CALLER, OTHER_ACCOUNT):
        role = trust_of(iam, "r", account.account)
        document = json.loads(role.trust)
        assert document["Statement"][0]["Principal"]["AWS"] == [ANNA, CALLER.account]
        assert list(role.principal_ids) == [ANNA]


def test_trust_in_an_earlier_user_of_the_name_stays_with_that_one(iam: Iam) -> None:
    iam.run(iam.roles.create_role, {"RoleName": "r", "AssumeRolePolicyDocument": trusting(ANN)})
    iam.run(iam.users.delete_user, {"UserName": "ann"})
    iam.user("ann")

    iam.run(iam.users.update_user, RENAME)

    assert list(trust_of(iam, "r").principal_ids) == [ANN]
    assert ANNA not in trust_of(iam, "r").trust


def test_sessions_of_the_user_and_those_it_answers_for_go_with_it(iam: Iam) -> None:
    bea = iam.user("bea", ASSUMES)
    own = iam.run(iam.sts.get_session_token, {}, bea).response["Credentials"]["AccessKeyId"]
    guest = iam.run(iam.sts.get_federation_token, {"Name": "guest"}, bea).response["Credentials"]["AccessKeyId"]

    iam.run(iam.users.update_user, {"UserName": "bea", "NewUserName": "beatrice"})

    with iam.store.tx() as tx:
        sessions = [iam.session_reader.find(tx, key) for key in (own, guest)]
    assert [(each.name, each.principal.rpartition(":")[2]) for each in sessions if each is not None] == [
        ("beatrice", "user/beatrice"),
        ("beatrice", "federated-user/guest"),
    ]


def test_a_role_of_the_same_name_is_not_touched(iam: Iam) -> None:
    iam.run(iam.roles.create_role, {"RoleName": "ann", "AssumeRolePolicyDocument": trusting(CALLER.account)})
    iam.run(iam.role_policies.put_role_policy, {"RoleName": "ann", "PolicyName": "p", "PolicyDocument": READ_S3})
    session = iam.assume("ann")["Credentials"]["AccessKeyId"]

    iam.run(iam.users.update_user, RENAME)

    assert iam.run(iam.role_policies.list_role_policies, {"RoleName": "ann"}).response["PolicyNames"] == ["p"]
    with iam.store.tx() as tx:
        found = iam.session_reader.find(tx, session)
    assert found is not None
    assert found.name == "ann"


def test_a_renamed_user_is_found_by_its_new_name_alone(iam: Iam) -> None:
    iam.run(iam.users.update_user, RENAME)
    anna = dataclasses.replace(CALLER, kind=Kind.USER, principal=ANNA)

    assert iam.run(iam.users.get_user, {}, anna).response["User"]["UserName"] == "anna"
