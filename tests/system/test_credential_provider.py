"""The credential provider: curl with a device's certificate gets keys, boto3 uses them as far as the role may."""

import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import CloudProcess, CloudSession, Device, TestCloud
from tests.support.people import allow, role, trust

pytestmark = [pytest.mark.slow]

DEVICES = trust({"Service": "credentials.iot.amazonaws.com"})


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]


def curl(device: Device, alias: str, thing: str | None = None, *, certificate: bool = True) -> Answer:
    """Ask as a shell script on a device does."""
    shown = ["--cert", str(device.certificate_file), "--key", str(device.key_file)] if certificate else []
    named = [] if thing is None else ["-H", f"x-amzn-iot-thingname: {thing}"]
    url = f"https://{device.host}:{device.https_port}/role-aliases/{alias}/credentials"
    command = ["curl", "-sS", "-i", "--http1.1", "--cacert", str(device.ca_file), *shown, *named, url]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, json.loads(body))


def session(cloud: TestCloud, answer: Answer) -> CloudSession:
    got = answer.body["credentials"]
    return cloud.process.session(got["accessKeyId"], got["secretAccessKey"], got["sessionToken"])


def device(cloud: TestCloud, name: str = "pump-1", resource: str | None = None) -> Device:
    """Make a device that may use the alias `edge`, or what the resource says."""
    own = f"arn:aws:iot:{cloud.region}:{cloud.account}:rolealias/"
    right = allow("iot:AssumeRoleWithCertificate", own + (resource or "edge"))
    return cloud.device(name, {"Version": "2012-10-17", "Statement": [right]})


def alias(cloud: TestCloud, name: str = "edge", trusted: str = DEVICES, **more: Any) -> None:
    bucket = f"arn:aws:s3:::b-{cloud.account}"
    statements = [
        allow(["s3:GetObject", "s3:PutObject"], bucket + "/${credentials-iot:ThingName}/*"),
        allow(["logs:CreateLogGroup", "logs:DescribeLogGroups"]),
        allow("iot:Publish", f"arn:aws:iot:{cloud.region}:{cloud.account}:topic/t/${{credentials-iot:ThingName}}"),
    ]
    arn = role(cloud, name, trusted, *statements)
    cloud.client("iot").create_role_alias(roleAlias=name, roleArn=arn, **more)


def code(call: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.spec("BS-19", "X-02")
def test_a_device_gets_keys_that_work_as_far_as_the_role_may(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    bucket = f"b-{cloud.account}"
    cloud.client("s3").create_bucket(Bucket=bucket)
    alias(cloud, credentialDurationSeconds=900)
    before = datetime.now(UTC)

    answer = curl(device(cloud), "edge", "pump-1")

    keys = session(cloud, answer)
    s3, data, logs = keys.client("s3"), keys.client("iot-data"), keys.client("logs")
    s3.put_object(Bucket=bucket, Key="pump-1/a", Body=b"1")
    data.publish(topic="t/pump-1", payload=b"1")
    logs.create_log_group(logGroupName="/pump")
    assert answer.status == 200
    assert set(answer.body["credentials"]) == {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"}
    expiration = answer.body["credentials"]["expiration"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", expiration)
    assert 890 < (datetime.fromisoformat(expiration) - before).total_seconds() < 960
    assert code(lambda: s3.put_object(Bucket=bucket, Key="pump-2/a", Body=b"1")) == "AccessDenied"
    assert code(lambda: s3.list_buckets()) == "AccessDenied"
    assert code(lambda: data.publish(topic="t/pump-2", payload=b"1")) == "ForbiddenException"
    assert code(lambda: keys.client("iot").list_things()) == "AccessDeniedException"
    assert (
        keys.client("sts").get_caller_identity()["Arn"].startswith(f"arn:aws:sts::{cloud.account}:assumed-role/edge/")
    )


@pytest.mark.spec("BS-19")
def test_refusals_have_the_status_and_words_that_devices_look_for(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    one = device(cloud, resource="*")
    cloud.client("iot").create_thing(thingName="pump-2")
    alias(cloud)
    alias(cloud, "deaf", trust({"Service": "lambda.amazonaws.com"}))
    alias(cloud, "long", credentialDurationSeconds=7200)
    alias(cloud, "gone")
    cloud.client("iam").delete_role_policy(RoleName="gone", PolicyName="own")
    cloud.client("iam").delete_role(RoleName="gone")

    said = {
        (name, thing): (found.status, found.body["message"], found.headers.get("x-amzn-errortype", "").split(":")[0])
        for name, thing in (
            ("edge", "pump-2"),
            ("edge", "none"),
            ("edge", "a b/*"),
            ("none", None),
            ("deaf", None),
            ("gone", None),
            ("long", None),
        )
        for found in [curl(one, name, thing)]
    }

    wrong = (403, "Invalid thing name passed", "AccessDeniedException")
    unable = (400, "Unable to assume the role, or the role to assume does not exist", "InvalidRequestException")
    too_long = "The requested CredentialDurationSeconds exceeds the MaxSessionDuration set for the role"
    assert said == {
        ("edge", "pump-2"): wrong,
        ("edge", "none"): wrong,
        ("edge", "a b/*"): wrong,
        ("none", None): (404, "Role alias does not exist", "ResourceNotFoundException"),
        ("deaf", None): unable,
        ("gone", None): unable,
        ("long", None): (400, too_long, "InvalidRequestException"),
    }


@pytest.mark.spec("BS-19")
def test_the_right_to_an_alias_is_asked_with_the_thing_that_is_named(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    alias(cloud, "alias-pump-1")
    own = device(cloud, resource="alias-${iot:Connection.Thing.ThingName}")
    poor = device(cloud, "pump-2", resource="other")

    named, nameless = curl(own, "alias-pump-1", "pump-1"), curl(own, "alias-pump-1")
    denied = curl(poor, "alias-pump-1", "pump-2")

    assert named.status == 200
    for refused in (nameless, denied):
        assert (refused.status, refused.body) == (403, {"message": "Access Denied"})
        assert refused.headers["x-amzn-errortype"].startswith("AccessDeniedException")
        assert refused.headers["x-amzn-requestid"]


@pytest.mark.spec("BS-19", "JB-46")
def test_an_inactive_certificate_gets_no_new_keys_and_keeps_those_that_it_has(hedgerow_cloud: TestCloud) -> None:
    cloud = hedgerow_cloud
    alias(cloud)
    one = device(cloud)
    keys = session(cloud, curl(one, "edge", "pump-1"))
    identifier = one.certificate_arn.rpartition("/")[2]

    cloud.client("iot").update_certificate(certificateId=identifier, newStatus="INACTIVE")
    refused = curl(one, "edge", "pump-1")
    cloud.client("iot").update_certificate(certificateId=identifier, newStatus="ACTIVE")
    cloud.client("iot").detach_thing_principal(thingName="pump-1", principal=one.certificate_arn)
    detached = curl(one, "edge", "pump-1")

    assert refused.status == 403
    assert refused.body["message"].startswith("Certificate is invalid on this endpoint")
    assert keys.client("logs").describe_log_groups()["logGroups"] == []
    assert (detached.status, detached.body["message"]) == (403, "Invalid thing name passed")


def test_without_a_certificate_there_are_no_keys(hedgerow_cloud: TestCloud) -> None:
    alias(hedgerow_cloud)
    one = device(hedgerow_cloud)

    assert curl(one, "edge", "pump-1", certificate=False).status == 403


def test_an_alias_belongs_to_its_account(hedgerow_process: CloudProcess, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, other = (hedgerow_process.new_account(folder) for folder in folders)
    alias(one)
    theirs = device(other, resource="*")
    other.client("iot").create_thing(thingName="pump-2")

    assert curl(theirs, "edge", "pump-1").body["message"] == "Role alias does not exist"
    arn = f"arn:aws:iam::{one.account}:role/edge"
    assert code(lambda: other.client("iot").create_role_alias(roleAlias="b", roleArn=arn)) == "AccessDeniedException"
