"""Simulated decisions are those of real calls."""

import json
from typing import Any

import pytest

from hedgerow.base.errors import ServiceError
from hedgerow.core.request import Request
from tests.support.iam import TRUST_ACCOUNT, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

ANN = f"arn:aws:iam::{CALLER.account}:user/ann"
THING = f"arn:aws:iot:eu-central-1:{CALLER.account}:thing/"


def statement(effect: str, action: str, resource: str = "*", **condition: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **({"Condition": condition} if condition else {})}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def iam() -> Iam:
    return Iam()


def simulate(iam: Iam, source: str = ANN, actions: tuple[str, ...] = ("iot:CreateThing",), **more: Any) -> Any:
    request = {"PolicySourceArn": source, "ActionNames": list(actions), **more}
    return iam.run(iam.simulations.simulate_principal_policy, request).response


def decisions(answer: Any) -> list[str]:
    return [one["EvalDecision"] for one in answer["EvaluationResults"]]


def test_each_action_is_decided_for_each_resource(iam: Iam) -> None:
    iam.user("ann", statement("Allow", "iot:*", THING + "mine*"), statement("Deny", "iot:DeleteThing"))

    answer = simulate(
        iam, actions=("iot:CreateThing", "iot:DeleteThing"), ResourceArns=[THING + "mine1", THING + "other"]
    )

    asked = [(one["EvalActionName"], one["EvalResourceName"]) for one in answer["EvaluationResults"]]
    assert asked[0] == ("iot:CreateThing", THING + "mine1")
    assert decisions(answer) == ["allowed", "implicitDeny", "explicitDeny", "explicitDeny"]
    matched = [[found["SourcePolicyId"] for found in one["MatchedStatements"]] for one in answer["EvaluationResults"]]
    assert matched == [["own"], [], ["own"], ["own"]]


def test_policies_of_groups_and_given_ones_count(iam: Iam) -> None:
    iam.user("ann")
    iam.run(iam.groups.create_group, {"GroupName": "g"})
    group = {"GroupName": "g", "PolicyName": "p", "PolicyDocument": document(statement("Allow", "iot:CreateThing"))}
    iam.run(iam.group_policies.put_group_policy, group)
    before = decisions(simulate(iam))
    iam.run(iam.groups.add_user_to_group, {"GroupName": "g", "UserName": "ann"})
    denied = simulate(iam, PolicyInputList=[document(statement("Deny", "iot:*"))])

    assert (before, decisions(simulate(iam)), decisions(denied)) == (["implicitDeny"], ["allowed"], ["explicitDeny"])
    assert decisions(simulate(iam, f"arn:aws:iam::{CALLER.account}:group/g")) == ["allowed"]


def test_a_boundary_is_told_apart(iam: Iam) -> None:
    iam.user("ann", statement("Allow", "*"))
    request = {"UserName": "ann", "PermissionsBoundary": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}
    iam.run(iam.user_policies.put_user_permissions_boundary, request)

    answer = simulate(iam, actions=("iot:CreateThing", "s3:GetObject"))
    other = simulate(iam, PermissionsBoundaryPolicyInputList=[document(statement("Allow", "iot:*"))])

    details = [one["PermissionsBoundaryDecisionDetail"] for one in answer["EvaluationResults"]]
    assert details == [{"AllowedByPermissionsBoundary": False}, {"AllowedByPermissionsBoundary": True}]
    assert decisions(answer) == ["implicitDeny", "allowed"]
    assert decisions(other) == ["allowed"]


def test_context_comes_from_the_caller_and_what_is_missing_is_said(iam: Iam) -> None:
    iam.user("ann", statement("Allow", "iot:*", IpAddress={"aws:SourceIp": "10.0.0.0/8"}))
    entry = {"ContextKeyName": "aws:SourceIp", "ContextKeyValues": ["10.1.2.3"], "ContextKeyType": "ip"}

    without, inside = simulate(iam), simulate(iam, ContextEntries=[entry])

    assert (decisions(without), decisions(inside)) == (["implicitDeny"], ["allowed"])
    assert without["EvaluationResults"][0]["MissingContextValues"] == ["aws:SourceIp"]
    assert inside["EvaluationResults"][0]["MissingContextValues"] == []


def test_a_role_is_simulated_and_a_custom_policy_needs_nobody(iam: Iam) -> None:
    iam.run(iam.roles.create_role, {"RoleName": "r", "AssumeRolePolicyDocument": TRUST_ACCOUNT})
    policy = {"RoleName": "r", "PolicyName": "p", "PolicyDocument": document(statement("Allow", "s3:*"))}
    iam.run(iam.role_policies.put_role_policy, policy)
    custom = {"PolicyInputList": [document(statement("Allow", "iot:*"))], "ActionNames": ["iot:CreateThing", "s3:Get"]}

    assert decisions(simulate(iam, f"arn:aws:iam::{CALLER.account}:role/r", ("s3:GetObject",))) == ["allowed"]
    assert decisions(iam.run(iam.simulations.simulate_custom_policy, custom).response) == ["allowed", "implicitDeny"]


def test_results_come_in_pages(iam: Iam) -> None:
    iam.user("ann", statement("Allow", "iot:CreateThing"))
    actions = ("iot:CreateThing", "iot:DeleteThing", "iot:DescribeThing")

    first = simulate(iam, actions=actions, MaxItems=2)
    rest = simulate(iam, actions=actions, MaxItems=2, Marker=first["Marker"])

    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    assert decisions(first) + decisions(rest) == ["allowed", "implicitDeny", "implicitDeny"]


def test_the_keys_that_policies_ask_about_are_listed(iam: Iam) -> None:
    iam.user("ann", statement("Allow", "iot:*", StringEquals={"aws:RequestedRegion": "eu-central-1"}))
    given = document(statement("Allow", "s3:*", "arn:aws:s3:::home/${aws:username}/*"))
    custom = {"PolicyInputList": [given]}

    principal = {"PolicySourceArn": ANN, "PolicyInputList": [given]}
    both = iam.run(iam.simulations.get_context_keys_for_principal_policy, principal).response
    one = iam.run(iam.simulations.get_context_keys_for_custom_policy, custom).response

    assert both == {"ContextKeyNames": ["aws:RequestedRegion", "aws:username"]}
    assert one == {"ContextKeyNames": ["aws:username"]}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"PolicySourceArn": ANN + "x"}, "NoSuchEntityException"),
        ({"PolicySourceArn": ANN.replace("user/", "user/path/")}, "NoSuchEntityException"),
        ({"PolicySourceArn": ANN.replace(CALLER.account, OTHER_ACCOUNT.account)}, "NoSuchEntityException"),
        ({"PolicySourceArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}, "NoSuchEntityException"),
        ({"PolicyInputList": ["{}"]}, "InvalidInputException"),
        ({"ActionNames": ["CreateThing"]}, "InvalidInputException"),
        ({"ActionNames": ["iot:*"]}, "InvalidInputException"),
    ],
)
def test_a_simulation_that_cannot_be_is_refused(iam: Iam, members: dict[str, Any], code: str) -> None:
    iam.user("ann")
    request = {"PolicySourceArn": ANN, "ActionNames": ["iot:CreateThing"], **members}

    with pytest.raises(ServiceError) as caught:
        iam.run(iam.simulations.simulate_principal_policy, request)

    assert caught.value.code == code


def test_policies_of_resources_are_left_for_the_pipeline_to_refuse(iam: Iam) -> None:
    iam.user("ann")
    request = Request({"PolicySourceArn": ANN, "ActionNames": ["iot:CreateThing"], "ResourcePolicy": "{}"})

    with iam.store.tx() as tx:
        iam.simulations.simulate_principal_policy(tx, request, CALLER)

    assert request.unread() == ["ResourcePolicy"]
