"""What policies may know of resources."""

import pytest

from hedgerow.cloud.resource_facts import ResourceFacts
from hedgerow.services.iot.tags import TagStore
from tests.support.iam import READ_S3, TRUST_ACCOUNT, Iam
from tests.support.store import CALLER, OTHER_ACCOUNT

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
IAM, IOT = "arn:aws:iam::123456789012:", "arn:aws:iot:eu-central-1:123456789012:"
GG, LAMBDA = "arn:aws:greengrass:eu-central-1:123456789012:", "arn:aws:lambda:eu-central-1:123456789012:function:"
TAGS = [{"Key": "team", "Value": "ops"}]
SEEN = {"aws:ResourceTag/team": "ops", "iam:ResourceTag/team": "ops"}


@pytest.fixture
def iam() -> Iam:
    iam = Iam()
    iam.run(iam.users.create_user, {"UserName": "ann", "Path": "/a/", "Tags": TAGS, "PermissionsBoundary": ADMIN})
    iam.run(iam.roles.create_role, {"RoleName": "r", "AssumeRolePolicyDocument": TRUST_ACCOUNT, "Tags": TAGS})
    iam.run(iam.policies.create_policy, {"PolicyName": "p", "PolicyDocument": READ_S3, "Tags": TAGS})
    with iam.store.tx() as tx:
        TagStore().put(tx, CALLER.account, "thinggroup/pumps", {"team": "ops"})
        TagStore().put(tx, CALLER.account, "certificateprovider/ours", {"team": "ops"})
    return iam


def facts(iam: Iam, resource: str, account: str = CALLER.account) -> object:
    with iam.store.tx() as tx:
        return ResourceFacts(users=iam.user_reader, roles=iam.role_reader).of(tx, account, resource)


def test_tags_and_boundaries_are_known_by_arn(iam: Iam) -> None:
    assert facts(iam, f"{IAM}user/a/ann") == {**SEEN, "iam:PermissionsBoundary": ADMIN}
    assert facts(iam, f"{IAM}role/r") == SEEN
    assert facts(iam, f"{IAM}policy/p") == SEEN
    assert facts(iam, f"{IOT}thinggroup/pumps") == {"aws:ResourceTag/team": "ops"}
    assert facts(iam, f"{IOT}certificateprovider:ours") == {"aws:ResourceTag/team": "ops"}


@pytest.mark.parametrize(
    "resource",
    [
        "*",
        "no arn",
        f"{IAM}user/ann",
        f"{IAM}user/b/ann",
        f"{IAM}group/ann",
        ADMIN,
        "arn:aws:s3:::ann",
        f"{IOT}job/x",
        f"{GG}",
        f"{GG}components:c:versions:1.0.0",
        f"{GG}other:c",
        f"{LAMBDA}f",
        f"{LAMBDA}"[:-1],
    ],
)
def test_nothing_is_known_of_what_is_not_there(iam: Iam, resource: str) -> None:
    assert facts(iam, resource) == {}


@pytest.mark.parametrize("resource", [f"{IAM}user/a/ann", f"{IOT}thinggroup/pumps"])
def test_nothing_is_known_of_another_accounts_resources(iam: Iam, resource: str) -> None:
    assert facts(iam, resource, OTHER_ACCOUNT.account) == {}
