"""Custom authorizers by boto3, with a function that really runs."""

import io
import json
import shutil
import subprocess
import zipfile

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto-clients"),
]

HANDLER = """
def decide(event, context):
    mqtt = event["protocolData"]["mqtt"]
    statement = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    let_in = mqtt["password"] == "b3BlbiBzZXNhbWU="
    return {"isAuthenticated": let_in, "principalId": mqtt["clientId"], "policyDocuments": [policy]}
"""


def function(cloud: TestCloud) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = cloud.client("iam").create_role(RoleName="f", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("m.py", HANDLER)
    options = {"Runtime": "python3.11", "Handler": "m.decide", "Role": role["Role"]["Arn"]}
    made = cloud.client("lambda").create_function(FunctionName="decide", Code={"ZipFile": data.getvalue()}, **options)
    return str(made["FunctionArn"])


def test_a_function_is_tested_as_an_authorizer_and_opens_nothing(hedgerow_cloud: TestCloud) -> None:
    iot = hedgerow_cloud.client("iot")
    made = iot.create_authorizer(
        authorizerName="door", authorizerFunctionArn=function(hedgerow_cloud), signingDisabled=True
    )
    asked = {"authorizerName": "door", "mqttContext": {"clientId": "lamp", "password": b"open sesame"}}
    with pytest.raises(ClientError, match="AddPermission"):
        iot.test_invoke_authorizer(**asked)
    hedgerow_cloud.client("lambda").add_permission(
        FunctionName="decide",
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=made["authorizerArn"],
    )

    yes = iot.test_invoke_authorizer(**asked)
    no = iot.test_invoke_authorizer(authorizerName="door", mqttContext={"clientId": "lamp", "password": b"open"})

    assert (yes["isAuthenticated"], yes["principalId"], no["isAuthenticated"]) == (True, "lamp", False)
    assert json.loads(yes["policyDocuments"][0])["Version"] == "2012-10-17"
    with pytest.raises(ClientError) as caught:
        iot.set_default_authorizer(authorizerName="door")
    assert caught.value.response["Error"]["Code"] == "NotImplementedException"
    assert connects_without_certificate(hedgerow_cloud) != 0  # listeners do not ask it yet


def connects_without_certificate(cloud: TestCloud) -> int:
    ready = cloud.process.ready
    where = ["--cafile", ready["ca_file"], "-h", "localhost", "-p", str(ready["mqtt_port"])]
    who = ["-i", "lamp", "-u", "lamp?x-amz-customauthorizer-name=door", "-P", "open sesame"]
    command = ["mosquitto_pub", *where, *who, "-t", "a", "-m", "x"]
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode
