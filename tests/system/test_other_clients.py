"""Clients that are not boto3 of today: the AWS CLI over every service, curl, a shell with openssl, SDKs of 2017."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from hedgerow.api import OWN_MODELS
from hedgerow.testing import CloudProcess
from tests.support.raw_http import RawClient

pytestmark = pytest.mark.slow
DEADLINE_S = 60

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
#: by service: commands, one after the other, and what their answers hold
TOUR: Mapping[str, Sequence[tuple[Sequence[str], str]]] = {
    "iot": [
        (["iot", "create-thing", "--thing-name", "cli"], "thing/cli"),
        (["iot", "list-things", "--max-items", "1"], "things"),
        (["iot-data", "publish", "--topic", "a/b", "--payload", "aGk="], ""),
        (["iot-jobs-data", "get-pending-job-executions", "--thing-name", "cli"], "queuedJobs"),
    ],
    "greengrassv2": [(["greengrassv2", "list-components"], "components")],
    "lambda": [(["lambda", "list-functions"], "Functions")],
    "logs": [
        (["logs", "create-log-group", "--log-group-name", "cli"], ""),
        (["logs", "describe-log-groups", "--log-group-name-prefix", "cli"], "log-group:cli"),
    ],
    "cloudwatch": [
        (["cloudwatch", "put-metric-data", "--namespace", "Cli", "--metric-name", "m", "--value", "1"], ""),
        (["cloudwatch", "list-metrics", "--namespace", "Cli"], '"m"'),
    ],
    "iam": [
        (["iam", "create-role", "--role-name", "cli", "--assume-role-policy-document", json.dumps(TRUST)], "role/cli"),
        (["iam", "list-roles"], "role/cli"),
    ],
    "sts": [(["sts", "get-caller-identity"], ":root")],
    "s3": [(["s3api", "create-bucket", "--bucket", "cli-bucket"], "cli-bucket"), (["s3", "ls"], "cli-bucket")],
    "hedgerow": [(["hedgerow", "list-accounts"], "accountId")],
}


def environment(cloud: CloudProcess) -> dict[str, str]:
    ready = cloud.ready
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": ready["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ready["secret_access_key"],
        "AWS_DEFAULT_REGION": ready["region"],
        "AWS_ENDPOINT_URL": ready["api_url"],
        "AWS_DATA_PATH": str(OWN_MODELS),
        "AWS_PAGER": "",
    }


def run(command: Sequence[str], variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, env=dict(variables), capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@pytest.mark.spec("X-01", "JB-38")
@pytest.mark.parametrize("service", TOUR)
def test_the_aws_command_line_speaks_to_every_service(hedgerow_process: CloudProcess, service: str) -> None:
    aws, variables = str(Path(sys.executable).parent / "aws"), environment(hedgerow_process)

    done = [(run([aws, *words, "--output", "json"], variables), holds) for words, holds in TOUR[service]]

    assert [each.stderr for each, _ in done if each.returncode != 0] == []
    assert [each.stdout for each, holds in done if holds not in each.stdout] == []


def test_the_aws_command_line_shows_why_something_is_refused(hedgerow_process: CloudProcess) -> None:
    aws, variables = str(Path(sys.executable).parent / "aws"), environment(hedgerow_process)

    missing = run([aws, "iot", "describe-thing", "--thing-name", "none"], variables)
    absent = run([aws, "greengrass", "list-groups"], variables)
    other = run([aws, "iot", "list-things", "--region", "eu-north-7"], variables)

    assert "ResourceNotFoundException" in missing.stderr
    assert "NotImplementedException" in absent.stderr
    assert "greengrassv2" in absent.stderr
    assert hedgerow_process.ready["region"] in other.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("service", "path", "body", "holds"),
    [
        ("iot", "/things", "", "things"),
        ("iot", "/endpoint?endpointType=iot%3AData-ATS", "", "endpointAddress"),
        ("iotdata", "/topics/a", "hello", "{}"),
        ("execute-api", "/things", "", "things"),
        ("lambda", "/2015-03-31/functions", "", "Functions"),
        ("s3", "/", "", "ListAllMyBucketsResult"),
        ("sts", "/", "Action=GetCallerIdentity&Version=2011-06-15", ":root"),
    ],
)
def test_curl_signs_for_itself(hedgerow_process: CloudProcess, service: str, path: str, body: str, holds: str) -> None:
    ready = hedgerow_process.ready
    user = f"{ready['access_key_id']}:{ready['secret_access_key']}"
    sent = ["--data", body] if body else []

    signing = ["--aws-sigv4", f"aws:amz:{ready['region']}:{service}", "--user", user]
    done = run(["curl", "-sS", *signing, *sent, ready["api_url"] + path], os.environ)

    assert holds in done.stdout, done.stdout + done.stderr


SHELL = r"""
set -eu
stamp=$(date -u +%Y%m%dT%H%M%SZ); day=${stamp%T*}
hash() { printf %s "$1" | openssl dgst -sha256 -r | cut -d' ' -f1; }
sign() { printf %s "$2" | openssl dgst -sha256 -mac HMAC -macopt "$1" -r | cut -d' ' -f1; }
host=${AWS_ENDPOINT_URL#http://}
scope="$day/$AWS_DEFAULT_REGION/iot/aws4_request"
request=$(printf 'GET\n/things/shell\n\nhost:%s\nx-amz-date:%s\n\nhost;x-amz-date\n%s' "$host" "$stamp" "$(hash '')")
text=$(printf 'AWS4-HMAC-SHA256\n%s\n%s\n%s' "$stamp" "$scope" "$(hash "$request")")
key=$(sign "key:AWS4$AWS_SECRET_ACCESS_KEY" "$day")
for part in "$AWS_DEFAULT_REGION" iot aws4_request; do key=$(sign "hexkey:$key" "$part"); done
signature=$(sign "hexkey:$key" "$text")
curl -sS -H "x-amz-date: $stamp" \
  -H "authorization: AWS4-HMAC-SHA256 Credential=$AWS_ACCESS_KEY_ID/$scope, \
SignedHeaders=host;x-amz-date, Signature=$signature" \
  "$AWS_ENDPOINT_URL/things/shell"
"""


@pytest.mark.skipif(shutil.which("openssl") is None or shutil.which("curl") is None, reason="no openssl or curl")
def test_a_shell_with_openssl_signs_by_hand(hedgerow_process: CloudProcess) -> None:
    hedgerow_process.session().client("iot").create_thing(thingName="shell")

    done = run(["sh", "-c", SHELL], environment(hedgerow_process))

    assert '"thingName":"shell"' in done.stdout, done.stdout + done.stderr


@pytest.mark.spec("X-01")
@pytest.mark.parametrize(
    ("scope", "method", "path", "query", "body"),
    [
        ("execute-api", "GET", "/things", "", b""),
        ("execute-api", "POST", "/topics/a/b", "qos=1", b"hello"),
        ("execute-api", "GET", "/things/old/shadow", "", b""),
        ("iotdata", "POST", "/topics/a%2Fb", "qos=0", b"hello"),
        ("iotdata", "GET", "/things/old/shadow", "", b""),
        ("iotdevicegateway", "GET", "/things/old/shadow", "", b""),
        ("iot", "GET", "/endpoint", "", b""),
    ],
)
def test_sdks_of_2017_sign_for_other_names(
    hedgerow_process: CloudProcess, scope: str, method: str, path: str, query: str, body: bytes
) -> None:
    cloud = hedgerow_process.session()
    cloud.client("iot").create_thing(thingName="old")
    cloud.client("iot-data").update_thing_shadow(thingName="old", payload=b'{"state": {}}')
    raw = RawClient(hedgerow_process)

    response = raw.send(raw.signed(method, path, body, query=query, service=scope))

    assert response.status == 200, response.body


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", "date": "Tue, 27 Mar 2007 19:36:42 +0000"},
        {},
    ],
)
def test_signatures_of_version_2_are_refused_in_words(hedgerow_process: CloudProcess, headers: dict[str, str]) -> None:
    raw = RawClient(hedgerow_process)
    query = (
        "" if headers else "AWSAccessKeyId=AKIDEXAMPLE&Expires=1175139620&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D"
    )

    response = raw.send(raw.unsigned("GET", "/bucket/key", query=query, headers={"host": raw.host, **headers}))

    assert response.status == 400
    assert b"AWS4-HMAC-SHA256" in response.body
