"""A fleet whose certificates an account's own function signs."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import ask, connected
from tests.support.openssl import OpenSsl, Pair

pytestmark = [pytest.mark.slow]

HANDLER = """
import os, subprocess, tempfile

def sign(event, context):
    with tempfile.TemporaryDirectory() as folder:
        request = os.path.join(folder, "request.pem")
        with open(request, "w") as file:
            file.write(event["certificateSigningRequest"])
        ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "7", "-days", "30"]
        done = subprocess.run(["openssl", "x509", "-req", "-in", request, *ca], capture_output=True, text=True)
    return {"certificatePem": done.stdout}
"""
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}


def signer(cloud: TestCloud, ca: Pair) -> str:
    """Make the function that signs, which AWS IoT may invoke for the provider; answer its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = cloud.client("iam").create_role(RoleName="f", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("m.py", HANDLER)
        package.write(ca.certificate, "ca.pem")
        package.write(ca.key, "ca.key")
    functions = cloud.client("lambda")
    options = {"Runtime": "python3.11", "Handler": "m.sign", "Role": role["Role"]["Arn"]}
    made = functions.create_function(FunctionName="sign", Code={"ZipFile": data.getvalue()}, **options)
    functions.add_permission(
        FunctionName="sign",
        StatementId="iot",
        Action="lambda:InvokeFunction",
        Principal="iot.amazonaws.com",
        SourceArn=f"arn:aws:iot:{cloud.region}:{cloud.account}:certificateprovider:corporate",
    )
    return str(made["FunctionArn"])


def test_an_own_function_signs_what_devices_ask_for(hedgerow_cloud: TestCloud, tmp_path: Path) -> None:
    iot, openssl = hedgerow_cloud.client("iot"), OpenSsl(tmp_path)
    ca = openssl.ca("/CN=Signed by a function")
    iot.create_certificate_provider(
        certificateProviderName="corporate",
        lambdaFunctionArn=signer(hedgerow_cloud, ca),
        accountDefaultForOperations=["CreateCertificateFromCsr"],
    )
    claim = hedgerow_cloud.device("claim", policy=ANYTHING)
    own = Pair(tmp_path / "own.pem", tmp_path / "own.key")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(own.key)]
    request = openssl.run("req", *key, "-subj", "/CN=lamp")

    with connected(claim) as connection:
        given = ask(connection, "$aws/certificates/create-from-csr/json", {"certificateSigningRequest": request})

    own.certificate.write_text(given["certificatePem"])
    assert "Signed by a function" in openssl.run("x509", "-in", own.certificate, "-noout", "-issuer")
    iot.update_certificate(certificateId=given["certificateId"], newStatus="ACTIVE")
    arn = iot.describe_certificate(certificateId=given["certificateId"])["certificateDescription"]["certificateArn"]
    iot.attach_policy(policyName="test-device-claim", target=arn)
    with connected(as_device(claim, own)) as connection:
        connection.publish("a", b"x")


def as_device(like: Device, own: Pair) -> Device:
    return Device(
        name="lamp",
        host=like.host,
        mqtt_port=like.mqtt_port,
        https_port=like.https_port,
        key_file=own.key,
        certificate_file=own.certificate,
        ca_file=like.ca_file,
        certificate_arn="",
    )
