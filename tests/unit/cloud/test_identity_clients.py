"""Real boto3 against IAM, STS and our own service: what they answer has the form that the service models say."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from hedgerow.api import OWN_MODELS, ApiApp, Pipeline
from hedgerow.api.operations import Row
from hedgerow.base.errors import Unavailable
from hedgerow.base.ids import RandomIds
from hedgerow.cloud.directory import UsableKeys
from hedgerow.cloud.operations import hedgerow as hedgerow_rows
from hedgerow.cloud.operations import iam as iam_rows
from hedgerow.cloud.operations import sts as sts_rows
from hedgerow.core.jwt import Key
from hedgerow.services.hedgerow.sign_ins import SignInOperations
from hedgerow.services.iam.oidc_providers import OidcProviderReader
from hedgerow.services.sts.sessions import WebIdentityFlows
from tests.support.cloud import Cloud
from tests.support.iam import READ_S3, TRUST_ACCOUNT
from tests.unit.api.cloud import CATALOGUE, ToyCloud, ToyDirectory, ToyRunner, served

pytestmark = pytest.mark.slow
REGION = "eu-central-1"
ACCOUNT = "123456789012"


def rows(cloud: Cloud) -> dict[tuple[str, str], Row]:
    iam = cloud.iam
    keys = UsableKeys(access_keys=iam.key_reader, sessions=iam.session_reader)
    sign_ins = SignInOperations(ids=RandomIds(), sessions=iam.sts, keys=keys)
    tables = {
        "iam": iam_rows.rows(
            roles=iam.roles,
            users=iam.users,
            access_keys=iam.keys,
            policies=iam.policies,
            policy_versions=iam.versions,
            role_policies=iam.role_policies,
            user_policies=iam.user_policies,
            groups=iam.groups,
            group_policies=iam.group_policies,
        ),
        "sts": sts_rows.rows(sessions=iam.sts, roles=iam.role_sessions, web_identities=web_identities(cloud)),
        "hedgerow": hedgerow_rows.rows(accounts=iam.accounts, sign_ins=sign_ins),
    }
    return {(service, name): row for service, table in tables.items() for name, row in table.items()}


class NoKeys:
    """No provider is ever asked here."""

    async def keys(self, issuer: str, thumbprints: tuple[str, ...], key_id: str | None) -> Sequence[Key]:
        raise Unavailable("no provider")


def web_identities(cloud: Cloud) -> WebIdentityFlows:
    iam = cloud.iam
    return WebIdentityFlows(
        run=cloud.runner,
        roles=iam.role_reader,
        providers=OidcProviderReader(),
        keys=NoKeys(),
        managed=iam.managed,
        mint=iam.mint,
    )


class Running:
    """A served cloud, and boto3 clients for it."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self.url = url
        self.key = key
        self.secret = secret

    def client(
        self, name: str, key: str | None = None, secret: str | None = None, token: str | None = None, **more: Any
    ) -> Any:
        session: Any = boto3.Session(key or self.key, secret or self.secret, token, region_name=REGION)
        session._loader.search_paths.append(str(OWN_MODELS))
        config = Config(retries={"max_attempts": 0}).merge(more.pop("config", Config()))
        return session.client(name, endpoint_url=self.url, config=config, **more)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    cloud = Cloud()
    cloud.store.clock.value = time.time()
    with cloud.store.tx() as tx:
        first = cloud.iam.accounts.ensure_first(tx, ACCOUNT).response
    pipeline = Pipeline(
        catalogue=CATALOGUE,
        operations=rows(cloud),
        directory=cloud.directory,
        runner=cloud.runner,
        clock=cloud.store.clock,
        ids=RandomIds(),
        region=REGION,
    )
    toy = ToyCloud(ApiApp(pipeline, ids=RandomIds()), ToyDirectory(), ToyRunner(), pipeline)
    with served(toy) as served_:
        yield Running(served_.url, first["accessKeyId"], first["secretAccessKey"])


def test_a_role_with_policies_is_made_read_and_deleted(running: Running) -> None:
    iam = running.client("iam")
    made = iam.create_role(RoleName="edge", AssumeRolePolicyDocument=TRUST_ACCOUNT, Tags=[{"Key": "a", "Value": "b"}])
    iam.put_role_policy(RoleName="edge", PolicyName="read", PolicyDocument=READ_S3)
    iam.attach_role_policy(
        RoleName="edge", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )

    role = iam.get_role(RoleName="edge")["Role"]
    inline = iam.get_role_policy(RoleName="edge", PolicyName="read")
    attached = iam.list_attached_role_policies(RoleName="edge")["AttachedPolicies"]

    assert role["AssumeRolePolicyDocument"] == json.loads(TRUST_ACCOUNT)
    assert role["Arn"] == made["Role"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/edge"
    assert inline["PolicyDocument"] == json.loads(READ_S3)
    assert [policy["PolicyName"] for policy in attached] == ["AWSLambdaBasicExecutionRole"]
    assert [r["RoleName"] for page in iam.get_paginator("list_roles").paginate() for r in page["Roles"]] == ["edge"]
    assert iam.list_instance_profiles_for_role(RoleName="edge")["InstanceProfiles"] == []
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_role(RoleName="edge")


def test_managed_policies_page_and_show_their_documents(running: Running) -> None:
    iam = running.client("iam")
    arn = iam.create_policy(PolicyName="read", PolicyDocument=READ_S3)["Policy"]["Arn"]

    pages = iam.get_paginator("list_policies").paginate(PaginationConfig={"PageSize": 5})
    names = [policy["PolicyName"] for page in pages for policy in page["Policies"]]
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]

    assert {"read", "AdministratorAccess", "AWSIoTThingsRegistration"} <= set(names)
    assert len(names) == len(set(names))
    assert version["Document"] == json.loads(READ_S3)


def test_errors_are_the_classes_of_the_model(running: Running) -> None:
    iam = running.client("iam")

    with pytest.raises(iam.exceptions.NoSuchEntityException, match="The role with name none cannot be found"):
        iam.get_role(RoleName="none")
    with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_policy(PolicyName="bad", PolicyDocument="{}")
    with pytest.raises(ClientError, match="NotImplemented"):
        iam.list_mfa_devices()


@pytest.mark.spec("X-02", "DR-05")
def test_a_user_may_what_its_policy_says_and_nothing_else(running: Running) -> None:
    iam = running.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    mine = running.client("iam", key["AccessKeyId"], key["SecretAccessKey"])
    statement = {
        "Effect": "Allow",
        "Action": "iam:GetUser",
        "Resource": f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})

    with pytest.raises(ClientError, match="is not authorized to perform: iam:GetUser"):
        mine.get_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="me", PolicyDocument=document)

    assert iam.list_groups_for_user(UserName="ann")["Groups"] == []
    assert mine.get_user(UserName="ann")["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ann"
    with pytest.raises(ClientError, match="iam:ListUsers"):
        mine.list_users()
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError, match=r"InvalidClientTokenId|UnrecognizedClient"):
        mine.get_user(UserName="ann")


def test_an_assumed_role_signs_with_its_token(running: Running) -> None:
    running.client("iam").create_role(RoleName="build", AssumeRolePolicyDocument=TRUST_ACCOUNT)
    iam = running.client("iam")
    iam.create_user(UserName="assumer")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    iam.put_user_policy(UserName="assumer", PolicyName="assume", PolicyDocument=json.dumps(allowed))
    key = iam.create_access_key(UserName="assumer")["AccessKey"]
    root = running.client("sts").get_caller_identity()
    sts = running.client("sts", key["AccessKeyId"], key["SecretAccessKey"])

    got = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/build", RoleSessionName="me")["Credentials"]
    session = running.client("sts", got["AccessKeyId"], got["SecretAccessKey"], got["SessionToken"])
    tokenless = running.client("sts", got["AccessKeyId"], got["SecretAccessKey"])

    assert root["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert session.get_caller_identity()["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/build/me"
    with pytest.raises(ClientError):
        tokenless.get_caller_identity()


@pytest.mark.spec("AL-08")
def test_a_second_account_shares_nothing_with_the_first(running: Running) -> None:
    running.client("iam").create_user(UserName="eve")
    made = running.client("hedgerow").create_account(accountId="210987654321")

    other = running.client("iam", made["accessKeyId"], made["secretAccessKey"])
    other.create_user(UserName="eve")

    assert [user["Arn"] for user in other.list_users()["Users"]] == ["arn:aws:iam::210987654321:user/eve"]
    with pytest.raises(ClientError, match="first account"):
        running.client("hedgerow", made["accessKeyId"], made["secretAccessKey"]).list_accounts()


def test_a_one_time_link_signs_in_to_the_console_once(running: Running) -> None:
    token = running.client("hedgerow").create_console_sign_in()["token"]
    stranger = running.client("hedgerow", config=Config(signature_version=UNSIGNED))

    got = stranger.redeem_console_sign_in(token=token)
    sts = running.client("sts", got["accessKeyId"], got["secretAccessKey"], got["sessionToken"])

    assert sts.get_caller_identity()["Arn"] == got["principal"] == f"arn:aws:iam::{ACCOUNT}:root"
    with pytest.raises(stranger.exceptions.ResourceNotFoundException):
        stranger.redeem_console_sign_in(token=token)
