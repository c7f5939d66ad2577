"""A function of the cloud reaches its account by its role's keys, and nothing of the machine that it runs on."""

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from hedgerow.functions.view import can_confine
from hedgerow.testing import CloudProcess, start_cloud

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock")]

RUNTIME = f"python3.{sys.version_info.minor}"
CODE = """
import boto3, os
from pathlib import Path

def attempt(path):
    try:
        return "seen" if os.listdir(path) or True else ""
    except NotADirectoryError:
        try:
            return Path(path).read_text()
        except OSError as error:
            return type(error).__name__
    except OSError as error:
        return type(error).__name__

def handler(event, context):
    Path("/tmp/of-a-function").write_text("x")
    places = [*event, f"/proc/{os.getppid()}/environ", "/etc/shadow", str(Path(__file__).parent)]
    buckets = boto3.client("s3").list_buckets()["Buckets"]
    return {"places": [attempt(place) for place in places], "buckets": len(buckets)}
"""
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


@pytest.fixture
def cloud() -> Iterator[CloudProcess]:
    """A cloud whose data are not in /tmp, which functions see."""
    with TemporaryDirectory(dir="/var/tmp") as name:
        (Path(name) / "models").mkdir()
        (Path(name) / "models" / "model").write_text("weights")
        process = start_cloud(Path(name), HEDGEROW_FUNCTIONS_READ=f"{name}/models")
        try:
            yield process
        finally:
            process.stop()


def package() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as made:
        made.writestr("m.py", CODE)
    return data.getvalue()


def ran(cloud: CloudProcess, places: list[Path]) -> dict[str, Any]:
    iam, functions = cloud.session().client("iam"), cloud.session().client("lambda")
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    right = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=json.dumps({"Statement": [right]}))
    options = {"Runtime": RUNTIME, "Handler": "m.handler", "Code": {"ZipFile": package()}, "Timeout": 30}
    functions.create_function(FunctionName="curious", Role=role, MemorySize=512, **options)
    answer = functions.invoke(FunctionName="curious", Payload=json.dumps([str(place) for place in places]))
    found = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, found
    return dict(found)


def test_a_function_reaches_its_account_and_nothing_of_the_machine(cloud: CloudProcess) -> None:
    data, models = cloud.data, cloud.folder / "models" / "model"
    closed = [data, data / "pki", Path("/home"), Path("/var"), cloud.folder / "cloud.log"]
    cloud.session().client("s3").create_bucket(Bucket="mine")

    found = ran(cloud, [*closed, models])

    assert found["places"] == ["PermissionError"] * len(closed) + ["weights"] + ["PermissionError"] * 2 + ["seen"]
    assert found["buckets"] == 1
