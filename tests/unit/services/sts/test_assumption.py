"""AssumeRole between principals and accounts: what trust policies and the caller's own policies say together."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from hedgerow.base.errors import AccessDenied, ServiceError
from hedgerow.core.caller import Caller, Kind
from tests.support.iam import ASSUMES, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

A, B = CALLER.account, OTHER_ACCOUNT.account
HERE, THERE = f"arn:aws:iam::{A}:role/build", f"arn:aws:iam::{B}:role/build"
ANN = f"arn:aws:iam::{A}:user/ann"
DENIES = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}
TRUSTED = ("sts:AssumeRole", "sts:SetSourceIdentity")


@pytest.fixture
def iam() -> Iam:
    return Iam()


def trusting(principal: object, action: object = TRUSTED, **more: Any) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": action, **more}]})


def role(iam: Iam, trust: str, owner: Caller = OTHER_ACCOUNT, name: str = "build", **more: Any) -> str:
    request = {"RoleName": name, "AssumeRolePolicyDocument": trust, **more}
    return str(iam.run(iam.roles.create_role, request, owner).response["Role"]["Arn"])


def assume(iam: Iam, arn: str, caller: Caller, **more: Any) -> Mapping[str, Any]:
    request = {"RoleArn": arn, "RoleSessionName": "me", **more}
    return iam.run(iam.role_sessions.assume_role, request, caller).response


def refusal(iam: Iam, arn: str, caller: Caller, **more: Any) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        assume(iam, arn, caller, **more)
    return raised.value


def assumed(iam: Iam, arn: str, caller: Caller, **more: Any) -> Caller:
    """Answer the session as a caller."""
    answer = assume(iam, arn, caller, **more)
    return dataclasses.replace(
        CALLER,
        kind=Kind.ROLE,
        account=arn.split(":")[4],
        principal=answer["AssumedRoleUser"]["Arn"],
        access_key_id=answer["Credentials"]["AccessKeyId"],
    )


@pytest.mark.spec("X-02")
@pytest.mark.parametrize("principal", [f"arn:aws:iam::{A}:root", A, ANN, "*"])
def test_a_role_of_another_account_is_assumed_when_both_sides_allow_it(iam: Iam, principal: str) -> None:
    role(iam, trusting({"AWS": principal}))
    ann = iam.user("ann", ASSUMES)

    answer = assume(iam, THERE, ann)

    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{B}:assumed-role/build/me"
    with iam.store.tx() as tx:
        session = iam.session_reader.find(tx, answer["Credentials"]["AccessKeyId"])
    assert session is not None
    assert session.account == B


@pytest.mark.parametrize("principal", [f"arn:aws:iam::{A}:root", A, ANN, "*"])
def test_the_trust_of_another_account_alone_is_not_enough(iam: Iam, principal: str) -> None:
    role(iam, trusting({"AWS": principal}))

    found = refusal(iam, THERE, iam.user("ann"))

    assert "no statement allows sts:AssumeRole" in found.message


@pytest.mark.parametrize("principal", [f"arn:aws:iam::{B}:root", f"arn:aws:iam::{A}:user/bob", "999999999999"])
def test_rights_of_the_caller_alone_are_not_enough(iam: Iam, principal: str) -> None:
    role(iam, trusting({"AWS": principal}))

    assert isinstance(refusal(iam, THERE, iam.user("ann", ASSUMES)), AccessDenied)


def test_strangers_do_not_learn_which_roles_there_are_nor_whom_they_trust(iam: Iam) -> None:
    role(iam, trusting({"AWS": f"arn:aws:iam::{B}:root"}))
    ann = iam.user("ann", ASSUMES)

    there, missing = refusal(iam, THERE, ann).message, refusal(iam, THERE + "x", ann).message

    assert there.replace(THERE, "") == missing.replace(THERE + "x", "")


@pytest.mark.parametrize(
    ("principal", "enough"), [(ANN, True), ("*", True), (A, False), (f"arn:aws:iam::{A}:root", False)]
)
def test_at_home_a_trust_policy_that_names_the_user_is_enough(iam: Iam, principal: str, enough: bool) -> None:
    role(iam, trusting({"AWS": principal}), CALLER)
    ann = iam.user("ann")

    if enough:
        assert "Credentials" in assume(iam, HERE, ann)
    else:
        assert "no statement allows sts:AssumeRole" in refusal(iam, HERE, ann).message


@pytest.mark.parametrize("owner", [CALLER, OTHER_ACCOUNT])
def test_a_deny_of_the_callers_own_wins_over_every_trust(iam: Iam, owner: Caller) -> None:
    arn = role(iam, trusting({"AWS": [ANN, "*"]}), owner)

    assert "is denied by" in refusal(iam, arn, iam.user("ann", ASSUMES, DENIES)).message


def test_a_deny_of_the_trust_policy_wins(iam: Iam) -> None:
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": A}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": {"AWS": ANN}, "Action": "sts:AssumeRole"},
    ]
    role(iam, json.dumps({"Statement": statements}))

    refusal(iam, THERE, iam.user("ann", ASSUMES))
    assert "Credentials" in assume(iam, THERE, iam.user("bob", ASSUMES))


@pytest.mark.parametrize("owner", [CALLER, OTHER_ACCOUNT])
def test_the_root_of_an_account_assumes_nothing(iam: Iam, owner: Caller) -> None:
    arn = role(iam, trusting({"AWS": "*"}), owner)

    assert refusal(iam, arn, CALLER).message == "Roles may not be assumed by root accounts."


def test_the_external_id_keeps_a_deputy_from_being_confused(iam: Iam) -> None:
    role(iam, trusting({"AWS": "*"}, Condition={"StringEquals": {"sts:ExternalId": "4711"}}))
    ann = iam.user("ann", ASSUMES)

    refusal(iam, THERE, ann)
    refusal(iam, THERE, ann, ExternalId="4712")
    assert "Credentials" in assume(iam, THERE, ann, ExternalId="4711")


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("sts:RoleSessionName", "me", "you"),
        ("aws:PrincipalArn", ANN, f"arn:aws:iam::{A}:user/bob"),
        ("aws:PrincipalAccount", A, B),
        ("aws:PrincipalType", "User", "AssumedRole"),
        ("aws:username", "ann", "bob"),
        ("aws:PrincipalTag/team", "red", "blue"),
        ("aws:SourceIp", "192.0.2.0/24", "198.51.100.0/24"),
        ("aws:SecureTransport", "true", "false"),
        ("aws:ResourceTag/stage", "test", "live"),
    ],
)
def test_a_trust_policy_may_ask_who_calls_and_how(iam: Iam, key: str, right: str, wrong: str) -> None:
    operator = {"aws:SourceIp": "IpAddress", "aws:SecureTransport": "Bool"}.get(key, "StringEquals")
    tags = [{"Key": "stage", "Value": "test"}]
    for name, value in (("right", right), ("wrong", wrong)):
        role(iam, trusting({"AWS": A}, Condition={operator: {key: value}}), name=name, Tags=tags)
    request = {"UserName": "ann", "Tags": [{"Key": "team", "Value": "red"}]}
    iam.run(iam.users.create_user, request)
    policy = {"UserName": "ann", "PolicyName": "p", "PolicyDocument": json.dumps({"Statement": [ASSUMES]})}
    iam.run(iam.user_policies.put_user_policy, policy)
    ann = dataclasses.replace(CALLER, kind=Kind.USER, principal=ANN, source_ip="192.0.2.7", secure=True)

    assert "Credentials" in assume(iam, f"arn:aws:iam::{B}:role/right", ann)
    refusal(iam, f"arn:aws:iam::{B}:role/wrong", ann)


def test_a_session_is_known_by_its_own_name_and_by_its_roles(iam: Iam) -> None:
    hop = role(iam, trusting({"AWS": ANN}), CALLER, "hop", Path="/team/")
    iam.user("ann")
    session = assumed(iam, hop, dataclasses.replace(CALLER, kind=Kind.USER, principal=ANN))
    policy = {"RoleName": "hop", "PolicyName": "p", "PolicyDocument": json.dumps({"Statement": [ASSUMES]})}
    iam.run(iam.role_policies.put_role_policy, policy)
    by_role = role(iam, trusting({"AWS": hop}), name="by-role")
    by_session = role(iam, trusting({"AWS": session.principal}), name="by-session")
    by_key = role(iam, trusting({"AWS": A}, Condition={"ArnEquals": {"aws:PrincipalArn": hop}}), name="by-key")
    other = role(iam, trusting({"AWS": session.principal + "2"}), name="other")

    assert {name for name in (by_role, by_session, by_key) if assume(iam, name, session)} == {
        by_role,
        by_session,
        by_key,
    }
    assert isinstance(refusal(iam, other, session), AccessDenied)


def test_a_chain_keeps_its_source_identity_and_is_refused_another(iam: Iam) -> None:
    hop = role(iam, trusting({"AWS": A}), CALLER, "hop")
    policy = {"RoleName": "hop", "PolicyName": "p", "PolicyDocument": json.dumps({"Statement": [ASSUMES]})}
    iam.run(iam.role_policies.put_role_policy, policy)
    role(iam, trusting({"AWS": A}, Condition={"StringEquals": {"aws:SourceIdentity": "ann@example.org"}}))
    deaf = role(iam, trusting({"AWS": A}, "sts:AssumeRole"), name="deaf")
    session = assumed(iam, hop, iam.user("ann", ASSUMES), SourceIdentity="ann@example.org")

    answer = assume(iam, THERE, session)

    assert answer["SourceIdentity"] == "ann@example.org"
    assert "cannot be changed" in refusal(iam, THERE, session, SourceIdentity="bob").message
    assert "sts:SetSourceIdentity" in refusal(iam, deaf, session).message


def test_setting_a_source_identity_is_a_right_of_its_own(iam: Iam) -> None:
    role(iam, trusting({"AWS": A}))
    only = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": THERE}
    ann = iam.user("ann", only)

    assert "sts:SetSourceIdentity" in refusal(iam, THERE, ann, SourceIdentity="ann@example.org").message
    assert "SourceIdentity" not in assume(iam, THERE, ann)


def test_a_right_to_one_role_is_no_right_to_another(iam: Iam) -> None:
    role(iam, trusting({"AWS": A}))
    role(iam, trusting({"AWS": A}), name="other")
    ann = iam.user("ann", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": THERE})

    assert "Credentials" in assume(iam, THERE, ann)
    refusal(iam, f"arn:aws:iam::{B}:role/other", ann)


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::*:role/build", "x" * 20, f"arn:aws:s3::{B}:role/build", f"arn:aws:iam::{B}:user/b"]
)
def test_what_is_no_role_is_refused_and_not_looked_for(iam: Iam, arn: str) -> None:
    role(iam, trusting({"AWS": "*"}))

    assert isinstance(refusal(iam, arn, iam.user("ann", ASSUMES)), AccessDenied)


@pytest.fixture
def known(iam: Iam) -> Iam:
    """Both accounts are of this cloud, so that principals can be looked up."""
    with iam.store.tx() as tx:
        iam.accounts.ensure_first(tx, A)
    iam.run(iam.accounts.create_account, {"accountId": B})
    return iam


def renewed(iam: Iam, name: str) -> Caller:
    """Delete a user and make another of the same name."""
    iam.run(iam.user_policies.delete_user_policy, {"UserName": name, "PolicyName": "own"})
    iam.run(iam.users.delete_user, {"UserName": name})
    return iam.user(name, ASSUMES)


@pytest.mark.parametrize("owner", [CALLER, OTHER_ACCOUNT])
def test_who_gets_the_name_of_a_trusted_user_later_is_not_trusted(known: Iam, owner: Caller) -> None:
    ann = known.user("ann", ASSUMES)
    arn = role(known, trusting({"AWS": ANN}), owner)
    before = assume(known, arn, ann)

    again = renewed(known, "ann")
    refused = refusal(known, arn, again)
    request = {"RoleName": "build", "PolicyDocument": trusting({"AWS": ANN})}
    known.run(known.roles.update_assume_role_policy, request, owner)

    assert "Credentials" in before
    assert isinstance(refused, AccessDenied)
    assert "Credentials" in assume(known, arn, again)


def test_a_trusted_role_that_was_made_anew_is_not_trusted(known: Iam) -> None:
    hop = role(known, trusting({"AWS": A}), CALLER, "hop")
    policy = {"RoleName": "hop", "PolicyName": "p", "PolicyDocument": json.dumps({"Statement": [ASSUMES]})}
    known.run(known.role_policies.put_role_policy, policy)
    by_role = role(known, trusting({"AWS": hop}), name="by-role")
    by_session = role(known, trusting({"AWS": f"arn:aws:sts::{A}:assumed-role/hop/me"}), name="by-session")
    ann = known.user("ann", ASSUMES)
    before = [assume(known, arn, assumed(known, hop, ann)) for arn in (by_role, by_session)]

    known.run(known.role_policies.delete_role_policy, {"RoleName": "hop", "PolicyName": "p"})
    known.run(known.roles.delete_role, {"RoleName": "hop"})
    role(known, trusting({"AWS": A}), CALLER, "hop")
    known.run(known.role_policies.put_role_policy, policy)
    session = assumed(known, hop, ann)

    assert all("Credentials" in answer for answer in before)
    for arn in (by_role, by_session):
        assert isinstance(refusal(known, arn, session), AccessDenied)


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{A}:user/none",
        f"arn:aws:iam::{A}:user/*",
        f"arn:aws:iam::{A}:user/path/ann",
        f"arn:aws:iam::{A}:role/none",
        f"arn:aws:sts::{A}:assumed-role/none/me",
        f"arn:aws:iam::{A}:group/g",
    ],
)
def test_a_trust_policy_names_who_is_there(known: Iam, principal: str) -> None:
    known.user("ann")

    with pytest.raises(ServiceError, match="Invalid principal in policy"):
        role(known, trusting({"AWS": [ANN, principal]}))


@pytest.mark.parametrize(
    "principal", ["*", A, f"arn:aws:iam::{A}:root", "999999999999", "arn:aws:iam::999999999999:user/who", ANN]
)
def test_accounts_and_those_of_other_clouds_are_taken_as_they_are(known: Iam, principal: str) -> None:
    known.user("ann")

    assert role(known, trusting({"AWS": principal}))


def test_a_role_keeps_whom_it_means_when_something_else_changes(known: Iam) -> None:
    known.user("ann", ASSUMES)
    arn = role(known, trusting({"AWS": ANN}))
    known.run(known.roles.update_role, {"RoleName": "build", "Description": "x"}, OTHER_ACCOUNT)

    refused = refusal(known, arn, renewed(known, "ann"))

    assert isinstance(refused, AccessDenied)
