"""Session policies, session tags, and what the credentials of GetSessionToken and GetFederationToken are kept from."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller, Kind
from tests.support.iam import ASSUMES, READ_S3, TRUST_ACCOUNT, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

A, B = CALLER.account, OTHER_ACCOUNT.account
HERE = f"arn:aws:iam::{A}:role/build"
ANN = dataclasses.replace(CALLER, kind=Kind.USER, principal=f"arn:aws:iam::{A}:user/ann", access_key_id="AKIAANN")
S3_READ = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
ONE, TWO = "arn:aws:s3:::photos/one", "arn:aws:s3:::photos/two"


def policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: object, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(action: object = ("sts:AssumeRole", "sts:TagSession"), **more: Any) -> str:
    return policy({"Effect": "Allow", "Principal": {"AWS": A}, "Action": action, **more})


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    role(iam, "build", trust(), allow(["s3:*", "iam:*", "sts:*"]), Tags=[{"Key": "Team", "Value": "role"}])
    iam.user("ann", ASSUMES, allow(["s3:GetObject", "iam:*"]))
    return iam


def role(iam: Iam, name: str, trusted: str, *statements: Mapping[str, Any], **more: Any) -> None:
    iam.run(iam.roles.create_role, {"RoleName": name, "AssumeRolePolicyDocument": trusted, **more})
    request = {"RoleName": name, "PolicyName": "p", "PolicyDocument": policy(*statements)}
    iam.run(iam.role_policies.put_role_policy, request)


def assume(iam: Iam, arn: str = HERE, caller: Caller = ANN, **more: Any) -> tuple[Mapping[str, Any], Caller]:
    answer = iam.run(iam.role_sessions.assume_role, {"RoleArn": arn, "RoleSessionName": "me", **more}, caller).response
    return answer, session(Kind.ROLE, answer["AssumedRoleUser"]["Arn"], answer)


def federate(iam: Iam, caller: Caller = ANN, **more: Any) -> tuple[Mapping[str, Any], Caller]:
    answer = iam.run(iam.sts.get_federation_token, {"Name": "guest", **more}, caller).response
    return answer, session(Kind.FEDERATED, answer["FederatedUser"]["Arn"], answer)


def session(kind: Kind, principal: str, answer: Mapping[str, Any]) -> Caller:
    key = answer["Credentials"]["AccessKeyId"]
    return dataclasses.replace(CALLER, kind=kind, principal=principal, access_key_id=key)


def may(iam: Iam, caller: Caller, action: str, resource: str = ONE) -> bool:
    with iam.store.tx() as tx:
        return iam.standings.of(tx, caller).rights.decide(action, resource, {}).allowed


def variables(iam: Iam, caller: Caller) -> Mapping[str, Any]:
    with iam.store.tx() as tx:
        return iam.standings.of(tx, caller).variables


def tags(**given: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in given.items()]


def refusal(iam: Iam, arn: str = HERE, caller: Caller = ANN, **more: Any) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        assume(iam, arn, caller, **more)
    return raised.value


def test_a_session_may_what_both_the_role_and_the_session_policy_allow(iam: Iam) -> None:
    answer, limited = assume(iam, Policy=policy(allow(["s3:GetObject", "ec2:*"], ONE)))
    _, free = assume(iam)

    assert [may(iam, limited, "s3:GetObject", each) for each in (ONE, TWO)] == [True, False]
    assert not may(iam, limited, "ec2:RunInstances", "*")  # a session policy gives nothing
    assert may(iam, free, "s3:GetObject", TWO)
    assert 0 < answer["PackedPolicySize"] <= 100


def test_managed_policies_limit_a_session_for_as_long_as_they_are_there(iam: Iam) -> None:
    arn = iam.run(iam.policies.create_policy, {"PolicyName": "read", "PolicyDocument": READ_S3}).response["Policy"][
        "Arn"
    ]
    _, limited = assume(iam, PolicyArns=[{"arn": arn}])
    before = may(iam, limited, "s3:GetObject"), may(iam, limited, "s3:PutObject")

    iam.run(iam.policies.delete_policy, {"PolicyArn": arn})

    assert before == (True, False)
    assert not may(iam, limited, "s3:GetObject")


def test_what_a_session_policy_denies_is_told(iam: Iam) -> None:
    denied = {"Effect": "Deny", "Action": "s3:*", "Resource": TWO}
    _, limited = assume(iam, Policy=policy(allow("s3:*"), denied))

    with iam.store.tx() as tx:
        decision = iam.standings.of(tx, limited).rights.decide("s3:GetObject", TWO, {})

    assert not decision.allowed
    assert "the session policies: " in decision.explain()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Policy": "{}"}, "MalformedPolicyDocumentException"),
        ({"Policy": trust()}, "MalformedPolicyDocumentException"),
        ({"Policy": policy(allow("s3:*", "arn:aws:s3:::" + "x" * 2100))}, "PackedPolicyTooLargeException"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{A}:policy/none"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{B}:policy/theirs"}]}, "ValidationError"),
        ({"PolicyArns": [{"arn": S3_READ}] * 11}, "ValidationError"),
        ({"Tags": tags(a="1", A="2")}, "ValidationError"),
        ({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "ValidationError"),
        ({"TransitiveTagKeys": ["a"]}, "ValidationError"),
        ({"Tags": tags(a="1"), "TransitiveTagKeys": ["b"]}, "ValidationError"),
    ],
)
def test_terms_that_cannot_be_are_refused(iam: Iam, more: dict[str, Any], code: str) -> None:
    request = {"PolicyName": "theirs", "PolicyDocument": READ_S3}
    iam.run(iam.policies.create_policy, request, OTHER_ACCOUNT)

    assert refusal(iam, **more).code == code


def test_whether_another_account_has_a_policy_is_told_to_nobody(iam: Iam) -> None:
    request = {"PolicyName": "theirs", "PolicyDocument": READ_S3}
    iam.run(iam.policies.create_policy, request, OTHER_ACCOUNT)
    arn = f"arn:aws:iam::{B}:role/none"

    said = [
        refusal(iam, arn, PolicyArns=[{"arn": f"arn:aws:iam::{B}:policy/{name}"}]).message
        for name in ("theirs", "none")
    ]

    assert said[0] == said[1]


def test_tags_of_the_session_hide_those_of_the_role(iam: Iam) -> None:
    _, plain = assume(iam)
    _, tagged = assume(iam, Tags=tags(team="red"))

    assert variables(iam, plain)["aws:PrincipalTag/Team"] == "role"
    assert variables(iam, tagged)["aws:PrincipalTag/team"] == "red"
    assert "aws:PrincipalTag/Team" not in variables(iam, tagged)


def test_tagging_a_session_is_a_right_of_its_own_on_both_sides(iam: Iam) -> None:
    role(iam, "deaf", trust("sts:AssumeRole"), allow("s3:*"))
    iam.user("bob", allow("sts:AssumeRole"))
    bob = dataclasses.replace(ANN, principal=f"arn:aws:iam::{A}:user/bob")

    assert "sts:TagSession" in refusal(iam, f"arn:aws:iam::{A}:role/deaf", Tags=tags(team="red")).message
    assert "sts:TagSession" in refusal(iam, caller=bob, Tags=tags(team="red")).message


@pytest.mark.parametrize(
    ("condition", "right"),
    [
        ({"StringEquals": {"aws:RequestTag/team": "red"}}, True),
        ({"StringEquals": {"aws:RequestTag/team": "blue"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["stage"]}}, False),
        ({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": "team"}}, True),
    ],
)
def test_a_trust_policy_may_ask_which_tags_are_passed(iam: Iam, condition: dict[str, Any], right: bool) -> None:
    role(iam, "picky", trust(Condition=condition), allow("s3:*"))
    arn = f"arn:aws:iam::{A}:role/picky"

    if right:
        assume(iam, arn, Tags=tags(team="red"), TransitiveTagKeys=["team"])
    else:
        refusal(iam, arn, Tags=tags(team="red"), TransitiveTagKeys=["team"])


def test_transitive_tags_go_along_the_chain_and_cannot_be_changed(iam: Iam) -> None:
    role(iam, "next", trust(), allow("s3:*"))
    role(iam, "deaf", trust("sts:AssumeRole"), allow("s3:*"))
    arn = f"arn:aws:iam::{A}:role/next"
    _, first = assume(iam, Tags=tags(team="red", stage="test"), TransitiveTagKeys=["team"])

    _, second = assume(iam, arn, first)

    assert variables(iam, second)["aws:PrincipalTag/team"] == "red"
    assert "aws:PrincipalTag/stage" not in variables(iam, second)
    assert "cannot be set anew" in refusal(iam, arn, first, Tags=tags(TEAM="blue")).message
    assert "sts:TagSession" in refusal(iam, f"arn:aws:iam::{A}:role/deaf", first).message


def test_a_limited_session_does_not_get_out_by_a_role_that_trusts_it(iam: Iam) -> None:
    role(
        iam, "next", policy({"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": "sts:AssumeRole"}), allow("s3:*")
    )
    _, limited = assume(iam, Policy=policy(allow("s3:GetObject")))
    _, free = assume(iam)
    arn = f"arn:aws:iam::{A}:role/next"

    assert "sts:AssumeRole" in refusal(iam, arn, limited).message
    assert assume(iam, arn, free)


def test_a_guest_may_what_both_the_user_and_the_session_policy_allow(iam: Iam) -> None:
    answer, guest = federate(iam, Policy=policy(allow(["s3:GetObject", "s3:PutObject", "iam:ListUsers"])))

    assert answer["FederatedUser"] == {
        "FederatedUserId": f"{A}:guest",
        "Arn": f"arn:aws:sts::{A}:federated-user/guest",
    }
    assert may(iam, guest, "s3:GetObject")
    assert not may(iam, guest, "s3:PutObject")
    assert not may(iam, guest, "iam:ListUsers", f"arn:aws:iam::{A}:user/")
    assert variables(iam, guest)["aws:PrincipalType"] == "FederatedUser"
    assert answer["Credentials"]["Expiration"] == 1.8e9 + 43200


def test_a_guest_without_session_policy_may_nothing(iam: Iam) -> None:
    _, guest = federate(iam)
    _, of_root = federate(iam, CALLER)

    assert not may(iam, guest, "s3:GetObject")
    assert not may(iam, of_root, "s3:GetObject")


def test_a_guest_of_root_may_what_the_session_policy_says_in_its_own_account(iam: Iam) -> None:
    answer, guest = federate(iam, CALLER, Policy=policy(allow(["s3:GetObject", "iot:*"])))

    assert may(iam, guest, "s3:GetObject")
    assert not may(iam, guest, "s3:PutObject")
    assert not may(iam, guest, "iot:DescribeThing", f"arn:aws:iot:eu-central-1:{B}:thing/a")
    assert answer["Credentials"]["Expiration"] == 1.8e9 + 3600


def test_a_guest_is_not_the_user_of_the_same_name(iam: Iam) -> None:
    iam.user("guest", allow("s3:*"))
    _, guest = federate(iam, Policy=policy(allow("*")))

    assert not may(iam, guest, "s3:PutObject")


def test_making_guests_is_a_right(iam: Iam) -> None:
    iam.user("bob", allow("sts:GetFederationToken", f"arn:aws:sts::{A}:federated-user/other"))
    bob = dataclasses.replace(ANN, principal=f"arn:aws:iam::{A}:user/bob")

    with pytest.raises(
        ServiceError, match="sts:GetFederationToken on resource: arn:aws:sts::123456789012:federated-user/guest"
    ):
        federate(iam, bob)


def test_sessions_make_no_further_sessions_of_users(iam: Iam) -> None:
    _, limited = assume(iam)
    _, guest = federate(iam, Policy=policy(allow("*")))
    token = iam.run(iam.sts.get_session_token, {}, ANN).response
    again = dataclasses.replace(ANN, access_key_id=token["Credentials"]["AccessKeyId"])

    for caller in (limited, guest, again):
        with pytest.raises(ServiceError, match="session credentials"):
            federate(iam, caller)
        with pytest.raises(ServiceError, match="session credentials"):
            iam.run(iam.sts.get_session_token, {}, caller)


def test_a_guest_assumes_no_role_even_of_one_that_trusts_it(iam: Iam) -> None:
    named = {"AWS": f"arn:aws:sts::{A}:federated-user/guest"}
    role(iam, "next", policy({"Effect": "Allow", "Principal": named, "Action": "sts:AssumeRole"}), allow("s3:*"))
    _, guest = federate(iam, Policy=policy(allow("*")))

    assert "is denied by" in refusal(iam, f"arn:aws:iam::{A}:role/next", guest).message


@pytest.mark.parametrize("caller", [ANN, CALLER], ids=["user", "root"])
def test_a_session_token_is_kept_from_iam_and_from_most_of_sts(iam: Iam, caller: Caller) -> None:
    made = iam.run(iam.sts.get_session_token, {}, caller).response
    token = session(caller.kind, caller.principal, made)

    assert may(iam, token, "s3:GetObject")
    assert may(iam, token, "sts:AssumeRole", HERE)
    assert not may(iam, token, "iam:GetUser", f"arn:aws:iam::{A}:user/ann")
    assert not may(iam, token, "sts:GetAccessKeyInfo", "*")


def test_an_access_key_tells_its_account(iam: Iam) -> None:
    key = iam.run(iam.keys.create_access_key, {"UserName": "ann"}).response["AccessKey"]["AccessKeyId"]
    answer, _ = assume(iam)

    found = [
        iam.run(iam.sts.get_access_key_info, {"AccessKeyId": each}).response["Account"]
        for each in (key, answer["Credentials"]["AccessKeyId"])
    ]

    assert found == [A, A]
    with pytest.raises(ServiceError, match="No account of this cloud"):
        iam.run(iam.sts.get_access_key_info, {"AccessKeyId": "AKIAUNKNOWNUNKNOWN"})


def test_trust_of_the_account_is_enough_for_nobody_without_rights(iam: Iam) -> None:
    role(iam, "wide", TRUST_ACCOUNT, allow("s3:*"))
    iam.user("eve")
    eve = dataclasses.replace(ANN, principal=f"arn:aws:iam::{A}:user/eve")

    assert "no statement allows sts:AssumeRole" in refusal(iam, f"arn:aws:iam::{A}:role/wide", eve).message


def test_older_sessions_can_be_ended_by_the_time_of_their_issue(iam: Iam) -> None:
    _, old = assume(iam)
    iam.store.clock.advance(60)
    condition = {"DateLessThan": {"aws:TokenIssueTime": "2027-01-15T08:00:30Z"}}
    revoked = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    request = {"RoleName": "build", "PolicyName": "AWSRevokeOlderSessions", "PolicyDocument": policy(revoked)}
    iam.run(iam.role_policies.put_role_policy, request)
    _, new = assume(iam)
    with iam.store.tx() as tx:  # as the console gets one
        renewed = iam.sts.session_for(tx, old, 900.0)

    assert not may(iam, old, "s3:GetObject")
    assert may(iam, new, "s3:GetObject")
    assert not may(iam, dataclasses.replace(old, access_key_id=renewed.access_key_id), "s3:GetObject")
