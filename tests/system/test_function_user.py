"""Functions of another user: what the cloud knows stays unknown to them."""

import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hedgerow.functions import Runtimes
from hedgerow.testing import CloudProcess, start_cloud

RUNTIME = f"python3.{sys.version_info.minor}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
CODE = """
import os

def tried(path):
    try:
        with open(path, "rb") as file:
            return "read" if file.read(1) else "empty"
    except OSError as error:
        return type(error).__name__

def handler(event, context):
    return {"uid": os.getuid(), "ready": tried(event["ready"]), "parent": tried(f"/proc/{os.getppid()}/environ"),
            "ca": tried(os.environ["AWS_CA_BUNDLE"])}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of another user"),
]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudProcess]:
    if RUNTIME not in Runtimes(tmp_path, copy=True).available():
        pytest.skip(f"{RUNTIME} stands where only root can run it")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        cloud = start_cloud(
            tmp_path,
            "--no-console",
            "--bind=127.0.0.1",
            "--host=localhost",
            HEDGEROW_FUNCTIONS_USER="nobody",
            HEDGEROW_FUNCTIONS_FOLDER=f"{folder}/functions",
        )
        yield cloud
        cloud.stop()


def test_a_function_of_another_user_cannot_read_the_clouds_secrets(cloud: CloudProcess) -> None:
    session = cloud.session()
    role = session.client("iam").create_role(RoleName="f", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", CODE)
    functions = session.client("lambda")
    functions.create_function(
        FunctionName="f", Runtime=RUNTIME, Handler="app.handler", Role=role, Code={"ZipFile": packed.getvalue()}
    )

    payload = json.dumps({"ready": str(cloud.data / "ready.json")})
    told = json.load(functions.invoke(FunctionName="f", Payload=payload)["Payload"])

    assert told.pop("ready") in ("PermissionError", "FileNotFoundError")  # the latter where a function has its own /tmp
    assert told == {"uid": 65534, "parent": "PermissionError", "ca": "read"}
