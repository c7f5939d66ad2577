"""Users and roles of a running cloud, as boto3 makes them."""

import json
from collections.abc import Mapping
from typing import Any

from hedgerow.testing import CloudProcess, CloudSession, TestCloud


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """Answer a statement that allows something."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def policy(*statements: Mapping[str, Any]) -> str:
    """Answer a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal: Any, action: str | list[str] = "sts:AssumeRole", **more: Any) -> str:
    """Answer a trust policy of one statement."""
    return policy({"Effect": "Allow", "Principal": principal, "Action": action, **more})


def user(cloud: TestCloud, name: str, *statements: Mapping[str, Any]) -> CloudSession:
    """Make a user with this inline policy; answer a session with its key."""
    iam = cloud.client("iam")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"])


def role(cloud: TestCloud, name: str, trusted: str, *statements: Mapping[str, Any]) -> str:
    """Make a role with this trust policy and inline policy; answer its ARN."""
    iam = cloud.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
    return str(made["Role"]["Arn"])


def assumed(session: CloudSession, cloud: CloudProcess, arn: str, name: str = "me", **more: Any) -> CloudSession:
    """Assume a role; answer a session with its credentials."""
    got = session.client("sts").assume_role(RoleArn=arn, RoleSessionName=name, **more)["Credentials"]
    return with_credentials(cloud, got)


def with_credentials(cloud: CloudProcess, got: Mapping[str, str]) -> CloudSession:
    """Answer a session with temporary credentials as STS shows them."""
    return cloud.session(got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])


def key_of(session: CloudSession) -> tuple[str, str]:
    """Answer the access key that a session signs with."""
    key = session.get_credentials()
    assert key is not None
    return str(key.access_key), str(key.secret_key)
