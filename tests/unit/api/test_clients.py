"""Real boto3 and the AWS CLI against a served API."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from hedgerow.api import OWN_MODELS
from tests.unit.api.cloud import ACCOUNT, KEY_ID, LIMITED_ID, REGION, SECRET, ToyCloud, served, toy_cloud
from tests.unit.api.toys import ToyObjects, ToyThings, rows

pytestmark = pytest.mark.slow
THINGS, OBJECTS = ToyThings(), ToyObjects()


@pytest.fixture(scope="module")
def cloud() -> Iterator[ToyCloud]:
    with served(toy_cloud(rows(THINGS, OBJECTS))) as running:
        yield running


def client(cloud: ToyCloud, name: str, key: str = KEY_ID, secret: str = SECRET, **options: Any) -> Any:
    config = Config(retries={"max_attempts": 0}).merge(options.pop("config", Config()))
    region = options.pop("region_name", REGION)
    session: Any = boto3.Session(key, secret, region_name=region)
    return session.client(name, endpoint_url=cloud.url, config=config, **options)


def error(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int, str]:
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


@pytest.mark.spec("JB-38", "JB-28")
def test_boto3_creates_and_describes_a_thing(cloud: ToyCloud) -> None:
    iot = client(cloud, "iot")
    iot.create_thing(thingName="lamp:1", attributePayload={"attributes": {"site": "north"}})

    answer = iot.describe_thing(thingName="lamp:1")

    assert (answer["thingName"], answer["attributes"]) == ("lamp:1", {"site": "north"})


def test_a_modelled_error_has_its_class_and_status(cloud: ToyCloud) -> None:
    iot = client(cloud, "iot")

    with pytest.raises(iot.exceptions.ResourceNotFoundException) as caught:
        iot.describe_thing(thingName="nobody")

    assert error(caught) == ("ResourceNotFoundException", 404, "Thing nobody not found.")


def test_a_member_that_is_not_read_is_refused_by_name_and_nothing_is_kept(cloud: ToyCloud) -> None:
    cloud.runner.kept.clear()

    with pytest.raises(ClientError) as caught:
        client(cloud, "iot").create_thing(thingName="lamp", billingGroupName="b")

    code, status, message = error(caught)
    assert (code, status) == ("NotImplementedException", 501)
    assert "iot:CreateThing does not honour billingGroupName" in message
    assert cloud.runner.kept == []


def test_an_operation_without_a_row_is_refused_by_name(cloud: ToyCloud) -> None:
    with pytest.raises(ClientError) as caught:
        client(cloud, "iot").list_streams()

    code, status, message = error(caught)
    assert (code, status) == ("NotImplementedException", 501)
    assert "iot:ListStreams" in message


@pytest.mark.parametrize("service", ["iot-data", "iotdevicegateway"])
def test_boto3_publishes(cloud: ToyCloud, service: str) -> None:
    data = client(cloud, "iot-data", config=Config() if service == "iot-data" else Config(signature_version="v4"))

    data.publish(topic="a/b c/ü", payload=b"\x00\xff")

    assert THINGS.things["a/b c/ü"]["payload"] == b"\x00\xff"


def test_boto3_invokes_a_function(cloud: ToyCloud) -> None:
    answer = client(cloud, "lambda").invoke(FunctionName="f", Payload=b'{"a": 1}')

    assert (answer["StatusCode"], answer["Payload"].read()) == (200, b'f{"a": 1}')


def test_sts_says_who_is_asking_without_a_policy(cloud: ToyCloud) -> None:
    answer = client(cloud, "sts", key=LIMITED_ID).get_caller_identity()

    assert (answer["Account"], answer["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/limited")


@pytest.mark.parametrize("service", ["sts", "iam"])
def test_a_global_service_may_be_signed_for_us_east_1(cloud: ToyCloud, service: str) -> None:
    somewhere = client(cloud, service, region_name="us-east-1")

    if service == "sts":
        assert somewhere.get_caller_identity()["Account"] == ACCOUNT
    else:
        with pytest.raises(somewhere.exceptions.NoSuchEntityException) as caught:
            somewhere.get_role(RoleName="r")
        assert error(caught) == ("NoSuchEntity", 404, "The role with name r cannot be found.")


def test_another_region_is_refused_with_the_name_of_the_right_one(cloud: ToyCloud) -> None:
    with pytest.raises(ClientError) as caught:
        client(cloud, "iot", region_name="us-east-1").describe_thing(thingName="lamp")

    code, status, message = error(caught)
    assert (code, status) == ("InvalidSignatureException", 403)
    assert "this cloud is 'eu-central-1'" in message


@pytest.mark.parametrize(
    ("service", "call", "codes"),
    [
        ("iot", "list_things", ("InvalidSignatureException", "UnrecognizedClientException", 403)),
        ("sts", "get_caller_identity", ("SignatureDoesNotMatch", "InvalidClientTokenId", 403)),
        ("s3", "list_buckets", ("SignatureDoesNotMatch", "InvalidAccessKeyId", 403)),
        ("logs", "describe_log_groups", ("InvalidSignatureException", "UnrecognizedClientException", 400)),
    ],
)
@pytest.mark.spec("X-02")
def test_a_wrong_secret_and_an_unknown_key_are_refused(
    cloud: ToyCloud, service: str, call: str, codes: tuple[str, str, int]
) -> None:
    with pytest.raises(ClientError) as wrong_secret:
        getattr(client(cloud, service, secret="wrong"), call)()
    with pytest.raises(ClientError) as unknown_key:
        getattr(client(cloud, service, key="AKIDNOBODY"), call)()

    assert (error(wrong_secret)[:2], error(unknown_key)[:2]) == ((codes[0], 403), codes[1:])


@pytest.mark.spec("X-02")
def test_who_has_no_right_is_told_who_what_and_why(cloud: ToyCloud) -> None:
    with pytest.raises(ClientError) as caught:
        client(cloud, "iot", key=LIMITED_ID).describe_thing(thingName="lamp")

    assert error(caught) == (
        "AccessDeniedException",
        403,
        f"User: arn:aws:iam::{ACCOUNT}:user/limited is not authorized to perform: iot:DescribeThing on resource: "
        f"arn:aws:iot:{REGION}:{ACCOUNT}:thing/lamp: no identity-based policy allows it",
    )


def test_a_right_to_one_resource_is_a_right_to_that_resource(cloud: ToyCloud) -> None:
    cloud.directory.allowed = {f"iot:CreateThing arn:aws:iot:{REGION}:{ACCOUNT}:thing/mine"}
    iot = client(cloud, "iot", key=LIMITED_ID)

    iot.create_thing(thingName="mine")
    with pytest.raises(ClientError) as caught:
        iot.create_thing(thingName="other")

    assert error(caught)[0] == "AccessDeniedException"


def test_logs_are_spoken_in_json(cloud: ToyCloud) -> None:
    answer = client(cloud, "logs").describe_log_groups(logGroupNamePrefix="x")

    assert answer["logGroups"][0]["logGroupName"] == "xa"


@pytest.mark.parametrize("count", [1, 500])
def test_metrics_are_taken_plain_and_compressed(cloud: ToyCloud, count: int) -> None:
    cloud.runner.kept.clear()
    data = [{"MetricName": f"m{index}", "Value": 1.5, "Unit": "None"} for index in range(count)]

    client(cloud, "cloudwatch").put_metric_data(Namespace="radio", MetricData=data)

    assert cloud.runner.kept == [{}]


@pytest.mark.parametrize("key", ["plain.txt", "with space/ü+&=%25.bin", "a//b/./c", "folder/"])
def test_s3_keeps_objects_under_any_key(cloud: ToyCloud, key: str) -> None:
    s3 = client(cloud, "s3", config=Config(s3={"addressing_style": "path"}))
    s3.put_object(Bucket="store", Key=key, Body=b"0123456789", Metadata={"kind": "digits"})

    whole = s3.get_object(Bucket="store", Key=key)
    part = s3.get_object(Bucket="store", Key=key, Range="bytes=2-4")

    assert (whole["Body"].read(), whole["Metadata"]) == (b"0123456789", {"kind": "digits"})
    assert (part["Body"].read(), part["ResponseMetadata"]["HTTPStatusCode"]) == (b"234", 206)
    assert s3.head_object(Bucket="store", Key=key)["ContentLength"] == 10
    assert key in [entry["Key"] for entry in s3.list_objects_v2(Bucket="store")["Contents"]]


def test_s3_compares_the_body_with_its_checksum(cloud: ToyCloud) -> None:
    with pytest.raises(ClientError) as caught:
        client(cloud, "s3").put_object(Bucket="store", Key="bad", Body=b"x", ChecksumCRC32="AAAAAA==")

    assert error(caught)[:2] == ("BadDigest", 400)
    assert "bad" not in OBJECTS.objects


def test_s3_says_what_is_missing(cloud: ToyCloud) -> None:
    s3 = client(cloud, "s3")

    with pytest.raises(s3.exceptions.NoSuchKey) as caught:
        s3.get_object(Bucket="store", Key="nothing")
    with pytest.raises(ClientError) as head:
        s3.head_object(Bucket="store", Key="nothing")

    assert error(caught) == ("NoSuchKey", 404, "The specified key does not exist.")
    assert error(head)[1] == 404


@pytest.mark.parametrize("version", ["s3v4", None])
def test_a_presigned_url_is_good_without_further_credentials(cloud: ToyCloud, version: str | None) -> None:
    s3 = client(cloud, "s3", config=Config(signature_version=version))
    s3.put_object(Bucket="store", Key="a b", Body=b"content")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "store", "Key": "a b"}, ExpiresIn=60)

    with urllib.request.urlopen(url) as answer:
        body = answer.read()

    assert body == b"content"


def test_the_one_who_signs_in_needs_no_signature(cloud: ToyCloud) -> None:
    session: Any = boto3.Session(region_name=REGION)
    session._loader.search_paths.append(str(OWN_MODELS))
    console = session.client("hedgerow", endpoint_url=cloud.url, config=Config(signature_version=botocore.UNSIGNED))

    answer = console.redeem_console_sign_in(token="t")

    assert (answer["sessionToken"], answer["principal"]) == ("t", "anonymous")


def aws(cloud: ToyCloud, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": cloud.url,
        "AWS_DATA_PATH": str(OWN_MODELS),
    }
    command = [str(Path(sys.executable).parent / "aws"), *words, "--output", "text"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.spec("X-01", "JB-38")
def test_the_aws_command_line_describes_a_thing(cloud: ToyCloud) -> None:
    THINGS.things["cli"] = {}

    done = aws(cloud, "iot", "describe-thing", "--thing-name", "cli", "--query", "thingName")

    assert (done.stdout, done.returncode) == ("cli\n", 0), done.stderr


def test_the_aws_command_line_knows_our_own_service_by_its_model(cloud: ToyCloud) -> None:
    done = aws(
        cloud, "hedgerow", "redeem-console-sign-in", "--token", "t", "--query", "sessionToken", "--no-sign-request"
    )

    assert (done.stdout, done.returncode) == ("t\n", 0), done.stderr
