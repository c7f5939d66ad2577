"""Groups of users and permissions boundaries: who is in, what counts, what is in the way of deleting."""

import dataclasses
import json
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.caller import Caller
from hedgerow.core.events import AuthorisationChanged
from hedgerow.services.iam.groups.model import GROUPS_OF_A_USER
from tests.support.iam import READ_S3, TRUST_ACCOUNT, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

ANN = f"arn:aws:iam::{CALLER.account}:user/ann"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class Bench(Iam):
    """IAM by the names of its operations."""

    def call(self, operation: str, caller: Caller = CALLER, **members: Any) -> Any:
        subjects = (
            self.groups,
            self.group_policies,
            self.users,
            self.user_policies,
            self.roles,
            self.role_policies,
            self.policies,
        )
        method = next(getattr(one, operation) for one in subjects if hasattr(one, operation))
        self.answer = self.run(method, members, caller)
        return self.answer.response

    def may(self, who: Caller, action: str, resource: str = "arn:aws:s3:::b/k") -> bool:
        with self.store.tx() as tx:
            return self.standings.of(tx, who).rights.decide(action, resource, {}).allowed

    def why(self, who: Caller, action: str, resource: str = "arn:aws:s3:::b/k") -> str:
        with self.store.tx() as tx:
            return self.standings.of(tx, who).rights.decide(action, resource, {}).explain()


@pytest.fixture
def iam() -> Bench:
    return Bench()


def refused(iam: Bench, operation: str, **members: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        iam.call(operation, **members)
    return caught.value


def test_a_group_is_made_shown_listed_and_deleted(iam: Bench) -> None:
    iam.user("ann")
    made = iam.call("create_group", GroupName="ops", Path="/team/")["Group"]
    iam.call("add_user_to_group", GroupName="ops", UserName="ann")

    shown = iam.call("get_group", GroupName="ops")
    busy = refused(iam, "delete_group", GroupName="ops")
    iam.call("remove_user_from_group", GroupName="ops", UserName="ann")
    listed = iam.call("list_groups", PathPrefix="/team/")["Groups"]
    iam.call("delete_group", GroupName="ops")

    assert (made["Arn"], made["GroupId"][:4]) == (f"arn:aws:iam::{CALLER.account}:group/team/ops", "AGPA")
    assert (shown["Group"], [one["UserName"] for one in shown["Users"]]) == (made, ["ann"])
    assert busy.code == "DeleteConflictException"
    assert listed == [made]
    assert refused(iam, "get_group", GroupName="ops").code == "NoSuchEntityException"


def test_policies_of_its_groups_count_for_a_user_at_once(iam: Bench) -> None:
    ann = iam.user("ann")
    iam.call("create_group", GroupName="readers")
    iam.call("put_group_policy", GroupName="readers", PolicyName="read", PolicyDocument=READ_S3)
    before = iam.may(ann, "s3:GetObject")
    iam.call("add_user_to_group", GroupName="readers", UserName="ann")
    told = iam.answer.events
    inside, name = iam.may(ann, "s3:GetObject"), iam.why(ann, "s3:GetObject")
    iam.call("remove_user_from_group", GroupName="readers", UserName="ann")

    assert (before, inside, iam.may(ann, "s3:GetObject")) == (False, True, False)
    assert told == (AuthorisationChanged(account=CALLER.account, principals=frozenset({ANN})),)
    assert "of group readers" in name


def test_a_deny_of_a_group_wins(iam: Bench) -> None:
    ann = iam.user("ann", EVERYTHING)
    iam.call("create_group", GroupName="kept-out")
    deny = json.dumps({"Version": "2012-10-17", "Statement": [{**EVERYTHING, "Effect": "Deny", "Action": "s3:*"}]})
    iam.call("put_group_policy", GroupName="kept-out", PolicyName="no", PolicyDocument=deny)

    iam.call("add_user_to_group", GroupName="kept-out", UserName="ann")

    assert (iam.may(ann, "s3:GetObject"), iam.may(ann, "iot:CreateThing")) == (False, True)


def test_managed_policies_are_attached_listed_and_detached(iam: Bench) -> None:
    ann = iam.user("ann")
    iam.call("create_group", GroupName="readers")
    iam.call("add_user_to_group", GroupName="readers", UserName="ann")

    iam.call("attach_group_policy", GroupName="readers", PolicyArn=READ_ONLY)
    attached = iam.call("list_attached_group_policies", GroupName="readers")["AttachedPolicies"]
    may = iam.may(ann, "s3:GetObject")
    busy = refused(iam, "delete_group", GroupName="readers")
    iam.call("detach_group_policy", GroupName="readers", PolicyArn=READ_ONLY)

    assert [one["PolicyArn"] for one in attached] == [READ_ONLY]
    assert (may, iam.may(ann, "s3:GetObject")) == (True, False)
    assert busy.code == "DeleteConflictException"


def test_a_renamed_group_keeps_members_and_policies(iam: Bench) -> None:
    ann = iam.user("ann")
    iam.call("create_group", GroupName="old")
    iam.call("put_group_policy", GroupName="old", PolicyName="read", PolicyDocument=READ_S3)
    iam.call("add_user_to_group", GroupName="old", UserName="ann")
    iam.call("create_group", GroupName="taken")

    iam.call("update_group", GroupName="old", NewGroupName="new", NewPath="/x/")

    assert iam.may(ann, "s3:GetObject")
    assert iam.call("list_group_policies", GroupName="new")["PolicyNames"] == ["read"]
    assert [one["Arn"] for one in iam.call("list_groups_for_user", UserName="ann")["Groups"]] == [
        f"arn:aws:iam::{CALLER.account}:group/x/new"
    ]
    assert refused(iam, "get_group", GroupName="old").code == "NoSuchEntityException"
    clash = refused(iam, "update_group", GroupName="new", NewGroupName="taken")
    assert clash.code == "EntityAlreadyExistsException"


def test_a_user_is_in_ten_groups_at_most_and_leaves_them_before_it_goes(iam: Bench) -> None:
    iam.user("ann")
    for number in range(GROUPS_OF_A_USER + 1):
        iam.call("create_group", GroupName=f"g{number}")
    for number in range(GROUPS_OF_A_USER):
        iam.call("add_user_to_group", GroupName=f"g{number}", UserName="ann")
    iam.call("add_user_to_group", GroupName="g0", UserName="ann")

    assert refused(iam, "add_user_to_group", GroupName="g10", UserName="ann").code == "LimitExceededException"
    assert "remove users from group" in str(refused(iam, "delete_user", UserName="ann"))


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("add_user_to_group", {"GroupName": "g", "UserName": "nobody"}),
        ("add_user_to_group", {"GroupName": "nothing", "UserName": "ann"}),
        ("remove_user_from_group", {"GroupName": "g", "UserName": "ann"}),
        ("attach_group_policy", {"GroupName": "g", "PolicyArn": READ_ONLY + "x"}),
        ("put_group_policy", {"GroupName": "nothing", "PolicyName": "p", "PolicyDocument": READ_S3}),
        ("list_groups_for_user", {"UserName": "nobody"}),
        ("put_user_permissions_boundary", {"UserName": "ann", "PermissionsBoundary": READ_ONLY + "x"}),
        ("delete_user_permissions_boundary", {"UserName": "ann"}),
        ("create_user", {"UserName": "bob", "PermissionsBoundary": READ_ONLY + "x"}),
    ],
)
def test_what_is_not_there_is_said(iam: Bench, operation: str, members: dict[str, str]) -> None:
    iam.user("ann")
    iam.call("create_group", GroupName="g")

    assert refused(iam, operation, **members).code == "NoSuchEntityException"
    assert refused(iam, "get_user", UserName="bob").code == "NoSuchEntityException"


def test_two_accounts_do_not_meet(iam: Bench) -> None:
    iam.user("ann")
    iam.user("ann", account=OTHER_ACCOUNT.account)
    iam.call("create_group", GroupName="g")
    iam.call("create_group", OTHER_ACCOUNT, GroupName="g")
    iam.call("add_user_to_group", GroupName="g", UserName="ann")

    assert iam.call("get_group", OTHER_ACCOUNT, GroupName="g")["Users"] == []


def test_a_boundary_must_allow_too_and_says_when_it_does_not(iam: Bench) -> None:
    ann = iam.user("ann", EVERYTHING)
    iam.call("put_user_permissions_boundary", UserName="ann", PermissionsBoundary=READ_ONLY)
    shown = iam.call("get_user", UserName="ann")["User"]["PermissionsBoundary"]
    bounded = (iam.may(ann, "s3:GetObject"), iam.may(ann, "iot:CreateThing"))
    why = iam.why(ann, "iot:CreateThing")
    iam.call("delete_user_permissions_boundary", UserName="ann")

    assert shown == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY}
    assert bounded == (True, False)
    assert "permissions boundary" in why
    assert iam.may(ann, "iot:CreateThing")


def test_a_boundary_gives_nothing_by_itself(iam: Bench) -> None:
    ann = iam.user("ann")

    iam.call("put_user_permissions_boundary", UserName="ann", PermissionsBoundary=READ_ONLY)

    assert not iam.may(ann, "s3:GetObject")


def test_a_boundary_of_a_role_counts_for_its_sessions(iam: Bench) -> None:
    iam.call("create_role", RoleName="r", AssumeRolePolicyDocument=TRUST_ACCOUNT, PermissionsBoundary=READ_ONLY)
    everything = json.dumps({"Version": "2012-10-17", "Statement": [EVERYTHING]})
    iam.call("put_role_policy", RoleName="r", PolicyName="all", PolicyDocument=everything)
    session = iam.assume("r")
    who = dataclasses.replace(
        CALLER,
        kind=next(kind for kind in type(CALLER.kind) if kind.name == "ROLE"),
        principal=session["AssumedRoleUser"]["Arn"],
        access_key_id=session["Credentials"]["AccessKeyId"],
    )

    assert (iam.may(who, "s3:GetObject"), iam.may(who, "iot:CreateThing")) == (True, False)
    assert iam.call("get_role", RoleName="r")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY


def test_a_policy_that_bounds_somebody_stays_and_a_new_user_of_the_name_is_free(iam: Bench) -> None:
    arn = iam.call("create_policy", PolicyName="p", PolicyDocument=READ_S3)["Policy"]["Arn"]
    iam.call("create_user", UserName="ann", PermissionsBoundary=arn)

    kept = refused(iam, "delete_policy", PolicyArn=arn)
    uses = iam.call("get_policy", PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"]
    listed = iam.call("list_policies", PolicyUsageFilter="PermissionsBoundary")["Policies"]
    iam.call("delete_user", UserName="ann")
    iam.call("create_user", UserName="ann")

    assert (kept.code, uses, [one["Arn"] for one in listed]) == ("DeleteConflictException", 1, [arn])
    assert "PermissionsBoundary" not in iam.call("get_user", UserName="ann")["User"]
    iam.call("delete_policy", PolicyArn=arn)
