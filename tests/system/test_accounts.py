"""Several accounts in one cloud: made on the command line, blind to each other, joined by a role only."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import CloudProcess, TestCloud
from tests.support.people import allow, assumed, key_of, policy, role, trust, user, with_credentials

pytestmark = [pytest.mark.slow]

Two = tuple[TestCloud, TestCloud]


@pytest.fixture
def two(hedgerow_process: CloudProcess, tmp_path: Path) -> Two:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, other = (hedgerow_process.new_account(folder) for folder in folders)
    return one, other


def account(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    command = [sys.executable, "-m", "hedgerow", "account", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**kept, **environment}, check=False)


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.spec("AL-08")
def test_an_account_is_made_on_the_command_line_with_a_key_that_works(hedgerow_process: CloudProcess) -> None:
    data = hedgerow_process.data

    made = json.loads(account("create", "--data", data, "--json").stdout)
    text = account("create", "--data", data)
    listed = [each["accountId"] for each in json.loads(account("list", "--data", data, "--json").stdout)]
    lines = account("list", "--data", data).stdout.splitlines()

    identity = (
        hedgerow_process.session(made["accessKeyId"], made["secretAccessKey"]).client("sts").get_caller_identity()
    )
    assert identity["Arn"] == f"arn:aws:iam::{made['accountId']}:root"
    assert text.stdout.split()[1] in listed
    assert {made["accountId"], hedgerow_process.ready["account"]} < set(listed)
    assert [line.split()[0] for line in lines] == listed
    assert "not shown again" in text.stderr


@pytest.mark.spec("AL-08")
def test_what_the_command_line_cannot_do_it_says_in_one_line(hedgerow_process: CloudProcess, two: Two) -> None:
    data, (key, secret) = hedgerow_process.data, key_of(two[0].session)
    ready = hedgerow_process.ready
    stranger = {
        "AWS_ENDPOINT_URL": ready["api_url"],
        "AWS_REGION": ready["region"],
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }

    taken = account("create", "--data", data, "--id", two[0].account)
    wrong = account("create", "--data", data, "--id", "12")
    other = account("create", **stranger)
    nowhere = account("list", "--data", data / "none")

    for done, said in (
        (taken, "already exists"),
        (wrong, "accountId"),
        (other, "first account"),
        (nowhere, "no cloud"),
    ):
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_deleting_an_account_is_refused_by_name(hedgerow_process: CloudProcess, two: Two) -> None:
    hedgerow = hedgerow_process.session().client("hedgerow")

    code, message = refusal(lambda: hedgerow.delete_account(accountId=two[0].account))

    assert code == "NotImplementedException"
    assert "DeleteAccount" in message


def package() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("m.py", "def h(event, context):\n    return 1\n")
    return data.getvalue()


def fill(cloud: TestCloud) -> str:
    """Make one of everything; answer the ARN of the function's role."""
    worker = role(cloud, "worker", trust({"Service": "lambda.amazonaws.com"}))
    cloud.client("iam").create_user(UserName="ann")
    cloud.client("iam").create_policy(PolicyName="own", PolicyDocument=json.dumps({"Statement": [allow("s3:*")]}))
    cloud.device("pump")
    cloud.client("iot").create_thing_group(thingGroupName="pumps")
    cloud.client("iot").create_role_alias(
        roleAlias="a", roleArn=role(cloud, "edge", trust({"Service": "credentials.iot.amazonaws.com"}))
    )
    cloud.client("s3").create_bucket(Bucket=f"bucket-{cloud.account}")
    cloud.client("s3").put_object(Bucket=f"bucket-{cloud.account}", Key="a", Body=b"1")
    options = {"Runtime": "python3.11", "Handler": "m.h", "Code": {"ZipFile": package()}}
    cloud.client("lambda").create_function(FunctionName="f", Role=worker, **options)
    cloud.client("logs").create_log_group(logGroupName="/mine")
    return worker


@pytest.mark.spec("AL-08")
def test_everything_in_one_account_is_invisible_to_another(two: Two) -> None:
    one, other = two
    worker = fill(one)
    iot, iam, s3, functions, logs = (other.client(name) for name in ("iot", "iam", "s3", "lambda", "logs"))

    empty = [
        iot.list_things()["things"],
        iot.list_certificates()["certificates"],
        iot.list_policies()["policies"],
        iot.list_thing_groups()["thingGroups"],
        iot.list_role_aliases()["roleAliases"],
        iam.list_users()["Users"],
        iam.list_roles()["Roles"],
        iam.list_policies(Scope="Local")["Policies"],
        s3.list_buckets()["Buckets"],
        functions.list_functions()["Functions"],
        logs.describe_log_groups()["logGroups"],
    ]
    arn = f"arn:aws:lambda:{one.region}:{one.account}:function:f"
    calls: list[Callable[[], Any]] = [
        lambda: iot.describe_thing(thingName="pump"),
        lambda: iam.get_role(RoleName="worker"),
        lambda: iam.get_user(UserName="ann"),
        lambda: iam.get_policy(PolicyArn=f"arn:aws:iam::{one.account}:policy/own"),
        lambda: s3.get_object(Bucket=f"bucket-{one.account}", Key="a"),
        lambda: s3.put_object(Bucket=f"bucket-{one.account}", Key="b", Body=b"2"),
        lambda: functions.invoke(FunctionName="f"),
        lambda: functions.invoke(FunctionName=arn),
        lambda: functions.create_function(
            FunctionName="g", Role=worker, Runtime="python3.11", Handler="m.h", Code={"ZipFile": package()}
        ),
        lambda: iot.create_role_alias(roleAlias="b", roleArn=worker),
        lambda: logs.create_log_stream(logGroupName="/mine", logStreamName="s"),
    ]

    codes = {refusal(call)[0] for call in calls}

    assert empty == [[]] * len(empty)
    assert codes == {"ResourceNotFoundException", "NoSuchEntity", "AccessDenied", "AccessDeniedException"}
    assert [each["Key"] for each in one.client("s3").list_objects_v2(Bucket=f"bucket-{one.account}")["Contents"]] == [
        "a"
    ]


@pytest.mark.spec("X-02", "AL-08")
def test_a_role_opens_its_account_to_a_user_of_another_as_far_as_it_may(two: Two) -> None:
    one, other = two
    other.client("iot").create_thing(thingName="theirs")
    arn = role(other, "visitor", trust({"AWS": one.account}), allow(["iot:DescribeThing", "iot:ListThings"]))
    ann = user(one, "ann", allow("sts:AssumeRole", arn))

    visitor = assumed(ann, one.process, arn)

    assert visitor.client("sts").get_caller_identity()["Arn"] == f"arn:aws:sts::{other.account}:assumed-role/visitor/me"
    assert [thing["thingName"] for thing in visitor.client("iot").list_things()["things"]] == ["theirs"]
    assert refusal(lambda: visitor.client("iot").delete_thing(thingName="theirs"))[0] == "AccessDeniedException"
    other.client("iam").delete_role_policy(RoleName="visitor", PolicyName="own")
    assert refusal(lambda: visitor.client("iot").list_things())[0] == "AccessDeniedException"
    other.client("iam").delete_role(RoleName="visitor")
    assert refusal(lambda: visitor.client("sts").get_caller_identity())[0] == "InvalidClientTokenId"


@pytest.mark.spec("X-02")
def test_a_role_of_another_account_is_refused_unless_both_sides_allow_it(two: Two) -> None:
    one, other = two
    user(one, "bob")
    open_to_all = role(other, "open", trust({"AWS": "*"}))
    of_bob = role(other, "of-bob", trust({"AWS": f"arn:aws:iam::{one.account}:user/bob"}))
    asked = trust({"AWS": one.account}, Condition={"StringEquals": {"sts:ExternalId": "4711"}})
    deputy = role(other, "deputy", asked)
    ann, poor = user(one, "ann", allow("sts:AssumeRole")), user(one, "poor")

    for session, arn in ((one.session, open_to_all), (poor, open_to_all), (ann, of_bob), (ann, deputy)):
        assert refusal(lambda s=session, a=arn: assumed(s, one.process, a))[0] == "AccessDenied"  # type: ignore[misc]  # the loop's
    assert assumed(ann, one.process, open_to_all) is not None
    assert assumed(ann, one.process, deputy, ExternalId="4711") is not None


@pytest.mark.spec("X-02")
def test_credentials_that_were_mixed_or_changed_are_of_no_use(two: Two) -> None:
    one, _ = two
    iam = one.client("iam")
    ann, bob = user(one, "ann", allow("sts:*")), user(one, "bob", allow("sts:*"))
    first, second = (each.client("sts").get_session_token()["Credentials"] for each in (ann, bob))
    changed = first["SessionToken"][:-1] + ("A" if first["SessionToken"][-1] != "A" else "B")
    key, secret = key_of(bob)

    mixed = [
        {**first, "SessionToken": second["SessionToken"]},
        {**first, "SessionToken": changed},
        {**first, "SessionToken": ""},
        {**second, "AccessKeyId": first["AccessKeyId"], "SessionToken": first["SessionToken"]},
        {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": first["SessionToken"]},
    ]
    for each in mixed:
        session = with_credentials(one.process, each)
        refusal(session.client("sts").get_caller_identity)
    assert with_credentials(one.process, first).client("sts").get_caller_identity()["Arn"].endswith(":user/ann")
    for made in iam.list_access_keys(UserName="ann")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="ann", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="ann", PolicyName="own")
    iam.delete_user(UserName="ann")
    refusal(with_credentials(one.process, first).client("sts").get_caller_identity)


@pytest.mark.spec("X-02")
def test_a_session_policy_limits_a_session_everywhere(two: Two) -> None:
    one, _ = two
    one.client("s3").create_bucket(Bucket="photos")
    one.client("s3").put_object(Bucket="photos", Key="a/1", Body=b"1")
    one.client("s3").put_object(Bucket="photos", Key="b/1", Body=b"1")
    tagged = allow("s3:GetObject", "arn:aws:s3:::photos/${aws:PrincipalTag/folder}/*")
    arn = role(one, "reader", trust({"AWS": one.account}, ["sts:AssumeRole", "sts:TagSession"]), tagged, allow("iot:*"))
    ann = user(one, "ann", allow("sts:*"), allow(["s3:*", "iam:*"]))

    of_a = assumed(ann, one.process, arn, Tags=[{"Key": "folder", "Value": "a"}])
    no_iot = assumed(ann, one.process, arn, Policy=policy(allow("s3:*")))
    guest = ann.client("sts").get_federation_token(Name="guest", Policy=policy(allow("s3:GetObject", "*/b/*")))
    token = ann.client("sts").get_session_token()["Credentials"]
    guest_s3 = with_credentials(one.process, guest["Credentials"]).client("s3")

    assert of_a.client("s3").get_object(Bucket="photos", Key="a/1")["Body"].read() == b"1"
    assert refusal(lambda: of_a.client("s3").get_object(Bucket="photos", Key="b/1"))[0] == "AccessDenied"
    assert "session policies" in refusal(no_iot.client("iot").list_things)[1]
    assert guest_s3.get_object(Bucket="photos", Key="b/1")["Body"].read() == b"1"
    assert refusal(lambda: guest_s3.get_object(Bucket="photos", Key="a/1"))[0] == "AccessDenied"
    assert "without MFA" in refusal(with_credentials(one.process, token).client("iam").list_users)[1]
    assert ann.client("iam").list_users()["Users"]


def test_what_sts_does_not_do_it_refuses_by_name(two: Two) -> None:
    one, _ = two
    sts = one.client("sts")

    decode = refusal(lambda: sts.decode_authorization_message(EncodedMessage="x"))
    mfa = refusal(lambda: sts.get_session_token(SerialNumber="arn:aws:iam::1:mfa/a", TokenCode="123456"))

    assert decode[0] == mfa[0] == "NotImplementedException"
    assert "not encoded" in decode[1]
    assert "SerialNumber" in mfa[1]
    assert sts.get_access_key_info(AccessKeyId=key_of(one.session)[0])["Account"] == one.account
