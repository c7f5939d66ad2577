"""Conditions in policies, through stock boto3: what AWS says of every request, and the tags of every service's things.

A user who may do everything is denied one thing under a condition that holds: a key without value would let it pass.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud
from tests.support.lambda_ import package
from tests.support.people import allow, role, trust, user

pytestmark = [pytest.mark.slow, pytest.mark.spec("X-02")]

TAGS = {"team": "ops"}
TAGGED = {"StringEquals": {"aws:ResourceTag/team": "ops"}}
Client = Callable[[str], Any]


def recipe(version: str) -> bytes:
    document = {"RecipeFormatVersion": "2020-01-25", "ComponentName": "app", "ComponentVersion": version}
    return json.dumps({**document, "Manifests": []}).encode()


def deny(action: str, **condition: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition}


def code(act: Callable[[], object]) -> str:
    try:
        act()
    except ClientError as error:
        return str(error.response["Error"]["Code"]).removesuffix("Exception")
    return "allowed"


def test_what_carries_a_tag_is_known_by_it_in_every_service(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    trusted = role(cloud, "worker", trust({"Service": "lambda.amazonaws.com"}))
    cloud.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="app.handler",
        Role=trusted,
        Code={"ZipFile": package()},
        Tags=TAGS,
    )
    made = cloud.client("greengrassv2").create_component_version(inlineRecipe=recipe("1.0.0"), tags=TAGS)["arn"]
    thing = cloud.client("iot").create_thing(thingName="core")["thingArn"]
    deployment = cloud.client("greengrassv2").create_deployment(targetArn=thing, tags=TAGS)["deploymentId"]

    client = user(cloud, "ann", allow("*"), deny("greengrass:*", **TAGGED), deny("lambda:*", **TAGGED)).client

    greengrass, functions = client("greengrassv2"), client("lambda")
    assert code(lambda: greengrass.describe_component(arn=made)) == "AccessDenied"
    assert code(lambda: greengrass.get_deployment(deploymentId=deployment)) == "AccessDenied"
    assert code(lambda: functions.get_function_configuration(FunctionName="f")) == "AccessDenied"
    assert code(lambda: functions.get_function(FunctionName="f", Qualifier="$LATEST")) == "AccessDenied"
    assert code(lambda: greengrass.create_component_version(inlineRecipe=recipe("1.0.1"))) == "allowed"
    assert code(lambda: functions.list_functions()) == "allowed"


@pytest.mark.parametrize(
    ("statement", "act"),
    [
        (deny("iot:*", Bool={"aws:ViaAWSService": "false"}), lambda client: client("iot").list_things()),
        (deny("iot:*", Bool={"aws:PrincipalIsAWSService": "false"}), lambda client: client("iot").list_things()),
        (deny("iot:*", StringLike={"aws:UserAgent": "Boto3/*"}), lambda client: client("iot").list_things()),
        (
            deny("iot:*", StringEquals={"aws:ResourceAccount": "${aws:PrincipalAccount}"}),
            lambda client: client("iot").list_things(),
        ),
        (
            deny("s3:ListBucket", StringLike={"s3:prefix": "secret/*"}),
            lambda client: client("s3").list_objects_v2(Bucket="none", Prefix="secret/a"),
        ),
        (
            deny("greengrass:CreateComponentVersion", StringEquals={"aws:RequestTag/team": "ops"}),
            lambda client: client("greengrassv2").create_component_version(inlineRecipe=recipe("1.0.2"), tags=TAGS),
        ),
        (
            deny("greengrass:CreateComponentVersion", IpAddress={"aws:SourceIp": "127.0.0.0/8"}),
            lambda client: client("greengrassv2").create_component_version(inlineRecipe=recipe("1.0.2")),
        ),
    ],
)
def test_a_deny_meets_what_aws_says_of_every_request(
    hedgerow_cloud: TestCloud, statement: dict[str, Any], act: Callable[[Client], object]
) -> None:
    session = user(hedgerow_cloud, "ann", allow("*"), statement)

    assert code(lambda: act(session.client)) == "AccessDenied"


def test_resources_of_other_accounts_can_be_kept_out(hedgerow_cloud: TestCloud) -> None:
    perimeter = deny("*", StringNotEquals={"aws:ResourceAccount": "${aws:PrincipalAccount}"})

    ann = user(hedgerow_cloud, "ann", allow("*"), perimeter)

    assert code(lambda: ann.client("iot").create_thing(thingName="own")) == "allowed"
    assert code(lambda: ann.client("s3").list_buckets()) == "allowed"
    assert code(lambda: ann.client("greengrassv2").create_component_version(inlineRecipe=recipe("1.0.0"))) == "allowed"


@pytest.mark.parametrize("service", ["iot", "lambda"])
def test_a_role_may_say_for_which_rule_or_function_it_is(hedgerow_cloud: TestCloud, service: str) -> None:
    cloud = hedgerow_cloud
    kind = "rule/" if service == "iot" else "function:"
    source = f"arn:aws:{service}:{cloud.region}:{cloud.account}:{kind}mine"
    condition = {"ArnLike": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": cloud.account}}
    arn = role(cloud, "bound", trust({"Service": f"{service}.amazonaws.com"}, Condition=condition))

    def make(name: str) -> object:
        if service == "lambda":
            return cloud.client("lambda").create_function(
                FunctionName=name, Runtime="python3.11", Handler="app.handler", Role=arn, Code={"ZipFile": package()}
            )
        payload = {"sql": "SELECT * FROM 'a'", "actions": [{"republish": {"roleArn": arn, "topic": "b"}}]}
        return cloud.client("iot").create_topic_rule(ruleName=name, topicRulePayload=payload)

    assert code(lambda: make("mine")) == "allowed"
    assert code(lambda: make("yours")) in ("InvalidRequest", "InvalidParameterValue")


SAID = [
    allow("iot:Describe*", "arn:aws:iot:*:*:thinggroup/${aws:username}"),
    allow("iot:DescribeThingGroup", Condition=TAGGED),
    allow("iot:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "ops"}}),
    allow("iot:List*", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": "team"}}),
    {
        "Effect": "Allow",
        "NotAction": "iot:Delete*",
        "NotResource": "arn:aws:iot:*:*:thinggroup/${aws:PrincipalTag/team}",
    },
    deny("iot:Describe*", StringNotEquals={"aws:ResourceTag/team": "ops"}),
    deny("iot:ListThings*", Null={"aws:ResourceTag/team": "true"}),
    deny("iot:*", Bool={"aws:SecureTransport": "false"}, StringLike={"aws:PrincipalArn": "*/bob"}),
]


def test_a_simulation_says_what_a_call_meets(hedgerow_cloud: TestCloud) -> None:
    cloud, iam = hedgerow_cloud, hedgerow_cloud.client("iam")
    for name, tags in (("ann", [{"Key": "team", "Value": "ops"}]), ("bob", [])):
        cloud.client("iot").create_thing_group(thingGroupName=name, tags=tags)
    sessions = {name: user(cloud, name) for name in ("ann", "bob")}
    iam.tag_user(UserName="ann", Tags=[{"Key": "team", "Value": "ops"}])
    said, met = [], []
    for first, second in zip(SAID, [*SAID[3:], *SAID[:3]], strict=True):
        for name, session in sessions.items():
            document = json.dumps({"Version": "2012-10-17", "Statement": [first, second]})
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
            iot = session.client("iot")
            for group, tagged in (("ann", {"aws:ResourceTag/team": "ops"}), ("bob", {})):
                known = {"aws:SecureTransport": "false", **tagged}
                found = iam.simulate_principal_policy(
                    PolicySourceArn=f"arn:aws:iam::{cloud.account}:user/{name}",
                    ActionNames=["iot:DescribeThingGroup", "iot:ListThingsInThingGroup"],
                    ResourceArns=[f"arn:aws:iot:{cloud.region}:{cloud.account}:thinggroup/{group}"],
                    ContextEntries=[
                        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                        for key, value in known.items()
                    ],
                )["EvaluationResults"]
                said += [one["EvalDecision"] == "allowed" for one in found]
                met.append(code(lambda: iot.describe_thing_group(thingGroupName=group)) == "allowed")  # noqa: B023
                met.append(code(lambda: iot.list_things_in_thing_group(thingGroupName=group)) == "allowed")  # noqa: B023

    assert met == said
    assert {True, False} == set(met)
