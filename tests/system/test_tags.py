"""Tags through stock boto3, on every kind of resource that can be made here."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hedgerow.testing import TestCloud

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
