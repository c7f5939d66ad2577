"""S3 and Lambda for the AWS SDK as it comes, with real workers."""

import base64
import hashlib
import io
import json
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.compute import Compute, serving
from tests.support.lambda_ import ROLE, package

pytestmark = pytest.mark.slow

CODE = """
import os

def handler(event, context):
    print("got", event)
    if event.get("fail"):
        raise ValueError("asked for")
    return {"got": event, "version": context.function_version, "mine": os.environ.get("MINE")}

def bucket(event, context):
    import boto3
    s3 = boto3.client("s3")
    s3.put_object(Bucket=os.environ["BUCKET"], Key="from-function", Body=b"hello")
    return s3.get_object(Bucket=os.environ["BUCKET"], Key="from-function")["Body"].read().decode()
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compute]:
    with serving(tmp_path_factory.mktemp("cloud")) as compute:
        yield compute


@pytest.fixture(scope="module")
def s3(cloud: Compute) -> Any:
    client = cloud.client("s3")
    client.create_bucket(Bucket="things", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return client


@pytest.fixture(scope="module")
def functions(cloud: Compute) -> Any:
    return cloud.client("lambda")


def create(functions: Any, name: str, **more: Any) -> Any:
    values = {
        "Runtime": "python3.11",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": package(CODE)},
        "Timeout": 20,
        **more,
    }
    return functions.create_function(FunctionName=name, **values)


def refusal(work: Callable[[], Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        work()
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.spec("X-04")
def test_objects_go_in_and_out_through_the_sdk(s3: Any) -> None:
    s3.put_object(Bucket="things", Key="a/ö ?.txt", Body=b"hello", ContentType="text/plain", Metadata={"k": "v"})

    whole = s3.get_object(Bucket="things", Key="a/ö ?.txt")
    part = s3.get_object(Bucket="things", Key="a/ö ?.txt", Range="bytes=1-2")
    head = s3.head_object(Bucket="things", Key="a/ö ?.txt")

    assert (whole["Body"].read(), whole["ContentType"], whole["Metadata"]) == (b"hello", "text/plain", {"k": "v"})
    assert (part["Body"].read(), part["ContentRange"]) == (b"el", "bytes 1-2/5")
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (head["ContentLength"], head["ETag"]) == (5, whole["ETag"])


def test_a_large_object_is_the_same_afterwards(s3: Any) -> None:
    data = hashlib.shake_256(b"seed").digest(5_000_000)

    s3.put_object(Bucket="things", Key="large", Body=data)

    assert s3.get_object(Bucket="things", Key="large")["Body"].read() == data


def test_conditions_and_absence_have_their_status(s3: Any) -> None:
    etag = s3.put_object(Bucket="things", Key="k", Body=b"x")["ETag"]

    assert refusal(lambda: s3.get_object(Bucket="things", Key="k", IfNoneMatch=etag)) == ("304", 304)
    assert refusal(lambda: s3.get_object(Bucket="things", Key="k", IfMatch='"no"')) == ("PreconditionFailed", 412)
    assert refusal(lambda: s3.get_object(Bucket="things", Key="none")) == ("NoSuchKey", 404)
    assert refusal(lambda: s3.head_object(Bucket="things", Key="none")) == ("404", 404)
    assert refusal(lambda: s3.head_bucket(Bucket="none")) == ("404", 404)
    assert refusal(lambda: s3.delete_bucket(Bucket="things")) == ("BucketNotEmpty", 409)


def test_listings_are_paged_by_the_sdk(s3: Any) -> None:
    for key in ("l/1", "l/2", "l/x/3", "l/x/4"):
        s3.put_object(Bucket="things", Key=key, Body=b"")

    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="things", Prefix="l/", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    found = list(pages)

    assert [each["Key"] for page in found for each in page.get("Contents", [])] == ["l/1", "l/2"]
    assert [each["Prefix"] for page in found for each in page.get("CommonPrefixes", [])] == ["l/x/"]
    deleted = s3.delete_objects(Bucket="things", Delete={"Objects": [{"Key": "l/1"}, {"Key": "l/2"}]})
    assert [each["Key"] for each in deleted["Deleted"]] == ["l/1", "l/2"]


@pytest.mark.spec("X-04")
def test_a_file_is_uploaded_in_parts_by_the_sdk(s3: Any) -> None:
    data = hashlib.shake_256(b"parts").digest(12_000_000)

    s3.upload_fileobj(io.BytesIO(data), "things", "in-parts", ExtraArgs={"ContentType": "text/plain"})

    answer = s3.get_object(Bucket="things", Key="in-parts")
    assert answer["Body"].read() == data
    assert answer["ETag"].endswith('-2"')
    assert answer["ContentType"] == "text/plain"


def test_a_copy_is_made_by_the_sdk(s3: Any) -> None:
    s3.put_object(Bucket="things", Key="from here", Body=b"copy me")

    s3.copy_object(Bucket="things", Key="to", CopySource={"Bucket": "things", "Key": "from here"})

    assert s3.get_object(Bucket="things", Key="to")["Body"].read() == b"copy me"


def test_presigned_urls_read_and_write(s3: Any) -> None:
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "things", "Key": "signed"})
    get = s3.generate_presigned_url("get_object", Params={"Bucket": "things", "Key": "signed"})

    with urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT")) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(get) as answer:
        assert answer.read() == b"by url"


@pytest.mark.spec("JB-01", "DR-42", "DR-44")
def test_a_function_is_made_and_invoked_by_the_sdk(functions: Any) -> None:
    create(functions, "first", Environment={"Variables": {"MINE": "1"}})
    functions.get_waiter("function_active_v2").wait(FunctionName="first")

    answer = functions.invoke(FunctionName="first", Payload=b'{"a": 1}', LogType="Tail")

    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(answer["Payload"].read()) == {"got": {"a": 1}, "version": "$LATEST", "mine": "1"}
    tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert tail[0].startswith("START RequestId: ")
    assert tail[1] == "got {'a': 1}"
    assert tail[-1].startswith("REPORT RequestId: ")


def test_an_error_of_a_function_comes_as_aws_sends_it(functions: Any) -> None:
    create(functions, "failing")

    answer = functions.invoke(FunctionName="failing", Payload=b'{"fail": true}')

    body = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (body["errorType"], body["errorMessage"]) == ("ValueError", "asked for")


def test_versions_and_aliases_lead_to_their_code(functions: Any) -> None:
    create(functions, "versioned", Publish=True)
    functions.create_alias(FunctionName="versioned", Name="live", FunctionVersion="1")
    functions.update_function_code(FunctionName="versioned", ZipFile=package("def handler(e, c): return 'new'\n"))

    old = functions.invoke(FunctionName="versioned:live", Payload=b"{}")
    new = functions.invoke(FunctionName="versioned", Payload=b"{}")

    assert (json.loads(old["Payload"].read())["version"], old["ExecutedVersion"]) == ("1", "1")
    assert json.loads(new["Payload"].read()) == "new"
    assert [each["Version"] for each in functions.list_versions_by_function(FunctionName="versioned")["Versions"]] == [
        "$LATEST",
        "1",
    ]


@pytest.mark.spec("DR-33")
def test_the_package_is_fetched_from_the_link_that_is_answered(functions: Any) -> None:
    create(functions, "linked")

    location = functions.get_function(FunctionName="linked")["Code"]["Location"]

    with urllib.request.urlopen(location) as answer, zipfile.ZipFile(io.BytesIO(answer.read())) as archive:
        assert archive.read("app.py").decode() == CODE


@pytest.mark.spec("AL-15", "DR-29", "DR-34", "JB-82e")
def test_a_function_uses_the_cloud_with_what_it_was_given(functions: Any, s3: Any) -> None:
    create(functions, "user", Handler="app.bucket", Environment={"Variables": {"BUCKET": "things"}}, MemorySize=256)

    answer = functions.invoke(FunctionName="user", Payload=b"{}")

    assert json.loads(answer["Payload"].read()) == "hello"
    assert s3.get_object(Bucket="things", Key="from-function")["Body"].read() == b"hello"


def test_a_package_from_a_bucket_is_taken(functions: Any, s3: Any) -> None:
    s3.put_object(Bucket="things", Key="code.zip", Body=package("def handler(e, c): return 'from s3'\n"))
    create(functions, "stored", Code={"S3Bucket": "things", "S3Key": "code.zip"})

    assert json.loads(functions.invoke(FunctionName="stored")["Payload"].read()) == "from s3"


@pytest.mark.spec("DR-48")
def test_a_queued_event_is_run_and_its_log_is_kept(functions: Any, cloud: Compute) -> None:
    create(functions, "queued")

    answer = functions.invoke(FunctionName="queued", InvocationType="Event", Payload=b'{"n": 7}')

    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert "got {'n': 7}" in wait_for_log(cloud, "/aws/lambda/queued")


def wait_for_log(cloud: Compute, group: str) -> list[str]:
    """Answer the lines of a group once a REPORT is among them."""
    logs = cloud.client("logs")
    deadline = time.monotonic() + 20
    lines: list[str] = []
    while not any(line.startswith("REPORT") for line in lines):
        assert time.monotonic() < deadline, lines
        try:
            lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            time.sleep(0.02)
    return lines


def test_refusals_are_the_models_errors(functions: Any) -> None:
    def make(**more: Any) -> Callable[[], Any]:
        return lambda: create(functions, "refused", **more)

    missing = refusal(lambda: functions.invoke(FunctionName="missing"))
    bad_zip = refusal(make(Code={"ZipFile": b"no zip"}))
    layers = refusal(make(Layers=["arn:aws:lambda:eu-central-1:123456789012:layer:l:1"]))
    create(functions, "taken")
    taken = refusal(lambda: create(functions, "taken"))
    no_json = refusal(lambda: functions.invoke(FunctionName="taken", Payload=b"{no"))
    create(functions, "ruby", Runtime="ruby3.3")
    runtime = refusal(lambda: functions.invoke(FunctionName="ruby"))

    assert missing == ("ResourceNotFoundException", 404)
    assert bad_zip == ("InvalidParameterValueException", 400)
    assert layers == ("NotImplementedException", 501)
    assert taken == ("ResourceConflictException", 409)
    assert no_json == ("InvalidRequestContentException", 400)
    assert runtime == ("InvalidRuntimeException", 502)
    assert "cannot run ruby3.3" in functions.get_function(FunctionName="ruby")["Configuration"]["StateReason"]


def test_a_folder_keeps_everything(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        first.client("s3").create_bucket(Bucket="kept")
        create(first.client("lambda"), "kept")
    with serving(tmp_path) as second:
        answer = second.client("lambda").invoke(FunctionName="kept", Payload=b"{}")

        assert json.loads(answer["Payload"].read())["got"] == {}
        assert [each["Name"] for each in second.client("s3").list_buckets()["Buckets"]] == ["kept"]
