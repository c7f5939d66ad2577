"""A user who may do everything but touch one resource, and tries to name it in another way."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud

pytestmark = pytest.mark.slow

Act = Callable[[Callable[[str], Any], str], object]
TRUST = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)
NOTHING = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iot:Publish", "Resource": "*"}]}
)
RECIPE = json.dumps(
    {"RecipeFormatVersion": "2020-01-25", "ComponentName": "com.own", "ComponentVersion": "1.0.0", "Manifests": []}
).encode()


def limited(cloud: TestCloud, *denied: str) -> Callable[[str], Any]:
    """Answer how to make clients of a user who may do everything except with these resources."""
    iam = cloud.client("iam")
    iam.create_user(UserName="limited", Path="/deep/")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": list(denied)},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="limited", PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName="limited")["AccessKey"]
    session = cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"])
    options = Config(parameter_validation=False, retries={"max_attempts": 0})
    return lambda service: session.client(service, config=options)


def code(act: Callable[[], object]) -> str:
    try:
        act()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


@pytest.mark.parametrize("spelling", ["arn:aws:", "arn:aws-cn:", "arn::", "arn:x:"])
def test_another_partition_is_not_another_resource(hedgerow_cloud: TestCloud, spelling: str) -> None:
    iot = hedgerow_cloud.client("iot")
    arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.create_policy(policyName="p", policyDocument=NOTHING)
    user = limited(hedgerow_cloud, arn)

    refused = code(lambda: user("iot").attach_policy(policyName="p", target=arn.replace("arn:aws:", spelling)))

    assert refused == "AccessDeniedException"
    assert iot.list_attached_policies(target=arn)["policies"] == []


def test_a_component_is_known_by_the_name_in_its_recipe(hedgerow_cloud: TestCloud) -> None:
    own = f"arn:aws:greengrass:{hedgerow_cloud.region}:{hedgerow_cloud.account}:components:com.own*"
    greengrass = limited(hedgerow_cloud, own)("greengrassv2")
    other = RECIPE.replace(b"com.own", b"com.other")

    assert code(lambda: greengrass.create_component_version(inlineRecipe=RECIPE)) == "AccessDeniedException"
    assert code(lambda: greengrass.create_component_version(inlineRecipe=other)) == "allowed"


def test_a_role_and_a_user_are_known_by_their_whole_arn(hedgerow_cloud: TestCloud) -> None:
    account = hedgerow_cloud.account
    hedgerow_cloud.client("iam").create_role(RoleName="r", Path="/deep/", AssumeRolePolicyDocument=TRUST)
    hedgerow_cloud.client("iam").create_group(GroupName="g", Path="/deep/")
    denied = [f"arn:aws:iam::{account}:{kind}/deep/*" for kind in ("role", "user", "group")]
    iam = limited(hedgerow_cloud, *denied)("iam")
    made = {"AssumeRolePolicyDocument": TRUST}

    assert code(lambda: iam.delete_role(RoleName="r")) == "AccessDenied"
    assert code(lambda: iam.delete_group(GroupName="g")) == "AccessDenied"
    assert code(lambda: iam.create_access_key(UserName="limited")) == "AccessDenied"
    assert code(lambda: iam.create_access_key()) == "AccessDenied"
    assert code(lambda: iam.create_role(RoleName="s", Path="/deep/", **made)) == "AccessDenied"
    assert code(lambda: iam.create_role(RoleName="s", Path="/other/", **made)) == "allowed"


def test_a_log_group_is_the_same_by_name_and_by_identifier(hedgerow_cloud: TestCloud) -> None:
    group = f"arn:aws:logs:{hedgerow_cloud.region}:{hedgerow_cloud.account}:log-group:/secret"
    hedgerow_cloud.client("logs").create_log_group(logGroupName="/secret")
    logs = limited(hedgerow_cloud, f"{group}:*")("logs")

    answers = {
        code(partial(logs.filter_log_events, logGroupIdentifier=each)) for each in ("/secret", group, f"{group}:*")
    }
    assert answers == {"AccessDeniedException"}
    assert code(lambda: logs.filter_log_events(logGroupName="/secret")) == "AccessDeniedException"
    assert code(lambda: logs.filter_log_events(logGroupIdentifier="x:log-group:/secret")) != "allowed"
    assert code(lambda: logs.create_log_stream(logGroupName="/secret", logStreamName="s")) == "AccessDeniedException"


def test_the_policy_that_lambdas_console_writes_lets_a_function_log(hedgerow_cloud: TestCloud) -> None:
    iam, account = hedgerow_cloud.client("iam"), hedgerow_cloud.account
    hedgerow_cloud.client("logs").create_log_group(logGroupName="/aws/lambda/f")
    group = f"arn:aws:logs:{hedgerow_cloud.region}:{account}:log-group:/aws/lambda/f:*"
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    iam.create_user(UserName="writer")
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [group]}]}
    iam.put_user_policy(UserName="writer", PolicyName="own", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName="writer")["AccessKey"]
    logs = hedgerow_cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"]).client("logs")

    logs.create_log_stream(logGroupName="/aws/lambda/f", logStreamName="s")

    assert code(lambda: logs.create_log_stream(logGroupName="/aws/lambda/g", logStreamName="s")) != "allowed"


def test_a_user_who_names_nobody_means_themselves(hedgerow_cloud: TestCloud) -> None:
    iam, account = hedgerow_cloud.client("iam"), hedgerow_cloud.account
    iam.create_user(UserName="ann")
    own = {"Effect": "Allow", "Action": "iam:*AccessKey*", "Resource": f"arn:aws:iam::{account}:user/${{aws:username}}"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [own]})
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=document)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    ann = hedgerow_cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"]).client("iam")

    listed = ann.list_access_keys()["AccessKeyMetadata"]

    assert [each["AccessKeyId"] for each in listed] == [key["AccessKeyId"]]
    assert code(lambda: ann.list_access_keys(UserName="bob")) == "AccessDenied"
