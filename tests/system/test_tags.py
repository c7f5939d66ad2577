"""Tags through stock boto3, on every kind of resource that can be made here."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud
from tests.support.people import allow, user

pytestmark = [pytest.mark.slow]
TAGS = [{"Key": "team", "Value": "north"}]
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}
)


def rule(iot: Any) -> str:
    iot.create_topic_rule(ruleName="r", topicRulePayload={"sql": "SELECT * FROM 't'", "actions": []}, tags="team=north")
    return str(iot.get_topic_rule(ruleName="r")["ruleArn"])


MADE: dict[str, Callable[[Any], str]] = {
    "thing type": lambda iot: iot.create_thing_type(thingTypeName="t", tags=TAGS)["thingTypeArn"],
    "thing group": lambda iot: iot.create_thing_group(thingGroupName="g", tags=TAGS)["thingGroupArn"],
    "billing group": lambda iot: iot.create_billing_group(billingGroupName="b", tags=TAGS)["billingGroupArn"],
    "rule": rule,
}


@pytest.mark.parametrize("kind", MADE)
def test_what_was_made_with_tags_has_them(hedgerow_cloud: TestCloud, kind: str) -> None:
    iot = hedgerow_cloud.client("iot")

    arn = MADE[kind](iot)
    iot.tag_resource(resourceArn=arn, tags=[{"Key": "more", "Value": "1"}])
    iot.untag_resource(resourceArn=arn, tagKeys=["more"])

    assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == TAGS


def test_what_was_made_without_is_tagged_later(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    group = iot.create_thing_group(thingGroupName="g")["thingGroupArn"]
    iot.create_job(jobId="j", targets=[group], document="{}")
    arns = [
        iot.create_policy(policyName="p", policyDocument=DOCUMENT)["policyArn"],
        iot.describe_job(jobId="j")["job"]["jobArn"],
    ]

    for arn in arns:
        iot.tag_resource(resourceArn=arn, tags=TAGS)

    assert [iot.list_tags_for_resource(resourceArn=arn)["tags"] for arn in arns] == [TAGS] * 2


@pytest.mark.spec("X-02")
def test_policies_look_at_the_tags_of_requests_and_resources(hedgerow_cloud: TestCloud) -> None:
    cloud, iot = hedgerow_cloud, hedgerow_cloud.client("iot")
    for name in ("ours", "theirs"):
        iot.create_thing_group(thingGroupName=name, tags=[{"Key": "team", "Value": name}])
    tagged = {"StringEquals": {"aws:RequestTag/team": "ours"}}
    own = {"StringEquals": {"aws:ResourceTag/team": "ours"}}
    ann = user(
        cloud,
        "ann",
        allow("iot:CreateThingGroup", Condition=tagged),
        allow("iot:DescribeThingGroup", Condition=own),
        allow("iam:GetUser", Condition={"StringEquals": {"iam:ResourceTag/open": "yes"}}),
    )
    client, team = ann.client("iot"), [{"Key": "team", "Value": "ours"}]

    client.create_thing_group(thingGroupName="new", tags=team)
    client.describe_thing_group(thingGroupName="ours")
    client.describe_thing_group(thingGroupName="new")
    refused: list[Callable[[], object]] = [
        lambda: client.create_thing_group(thingGroupName="bare"),
        lambda: client.create_thing_group(thingGroupName="other", tags=[{"Key": "team", "Value": "theirs"}]),
        lambda: client.describe_thing_group(thingGroupName="theirs"),
        lambda: ann.client("iam").get_user(UserName="ann"),
    ]
    for call in refused:
        with pytest.raises(ClientError, match="is not authorized to perform"):
            call()
    cloud.client("iam").tag_user(UserName="ann", Tags=[{"Key": "open", "Value": "yes"}])
    assert ann.client("iam").get_user(UserName="ann")["User"]["UserName"] == "ann"
