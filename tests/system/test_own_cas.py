"""Accounts that bring their own CA: certificates by openssl, connections by mosquitto, calls by boto3."""

import http.client
import json
import shutil
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hedgerow.testing import TestCloud, start_cloud
from tests.support.mqtt import connected
from tests.support.openssl import OpenSsl, Pair
from tests.support.own_cas import publish, register_ca

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto-clients"),
]

ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    folder = tmp_path / "openssl"
    folder.mkdir()
    return OpenSsl(folder)


def allow(cloud: TestCloud, certificate_arn: str) -> None:
    iot = cloud.client("iot")
    iot.create_policy(policyName="anything", policyDocument=json.dumps(ANYTHING))
    iot.attach_policy(policyName="anything", target=certificate_arn)


def post(cloud: TestCloud, pair: Pair) -> int:
    """Publish once by HTTPS and answer the status."""
    ready = cloud.process.ready
    context = ssl.create_default_context(cafile=ready["ca_file"])
    context.load_cert_chain(pair.certificate, pair.key)
    connection = http.client.HTTPSConnection("localhost", ready["https_port"], context=context, timeout=30)
    connection.request("POST", "/topics/a?qos=1", body=b"x")
    status = connection.getresponse().status
    connection.close()
    return status


def refused(call: Callable[[], object], code: str) -> Mapping[str, Any]:
    with pytest.raises(ClientError) as caught:
        call()
    error: Mapping[str, Any] = caught.value.response
    assert error["Error"]["Code"] == code, error
    return error


@pytest.mark.spec("JB-35", "JB-39", "JB-45")
def test_a_device_of_an_own_ca_connects_once_ca_and_certificate_are_registered(
    hedgerow_cloud: TestCloud, openssl: OpenSsl
) -> None:
    iot, ca = hedgerow_cloud.client("iot"), openssl.ca()
    device = openssl.signed(ca, "/CN=lamp")
    assert publish(hedgerow_cloud, device) != 0

    ca_id = register_ca(hedgerow_cloud, openssl, ca, setAsActive=True)
    made = iot.register_certificate(certificatePem=device.pem, caCertificatePem=ca.pem, status="ACTIVE")
    allow(hedgerow_cloud, made["certificateArn"])

    fingerprint = openssl.run("x509", "-in", device.certificate, "-noout", "-fingerprint", "-sha256")
    assert fingerprint.strip().split("=")[1].replace(":", "").lower() == made["certificateId"]
    assert publish(hedgerow_cloud, device) == 0
    chain = Pair(openssl.folder / "chain.pem", device.key)
    chain.certificate.write_text(device.pem + ca.pem)  # as old guides have it
    assert publish(hedgerow_cloud, chain) == 0
    assert post(hedgerow_cloud, device) == 200
    described = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    assert (described["caCertificateId"], described["certificateMode"]) == (ca_id, "DEFAULT")
    listed = iot.list_certificates_by_ca(caCertificateId=ca_id)["certificates"]
    assert [each["certificateId"] for each in listed] == [made["certificateId"]]
    iot.update_ca_certificate(certificateId=ca_id, newStatus="INACTIVE")
    assert publish(hedgerow_cloud, device) == 0  # what is registered goes on
    iot.delete_ca_certificate(certificateId=ca_id)
    assert publish(hedgerow_cloud, device) == 0


def test_an_inactive_ca_registers_nothing_more(hedgerow_cloud: TestCloud, openssl: OpenSsl) -> None:
    iot, ca = hedgerow_cloud.client("iot"), openssl.ca("/CN=Asleep")
    register_ca(hedgerow_cloud, openssl, ca)
    device = openssl.signed(ca, "/CN=lamp")

    error = refused(lambda: iot.register_certificate(certificatePem=device.pem), "CertificateStateException")

    assert error["Error"]["Message"] == "The CA certificate is not active"
    assert publish(hedgerow_cloud, device) != 0


@pytest.mark.spec("AL-38")
def test_the_first_connection_registers_the_certificate_and_is_refused(
    hedgerow_cloud: TestCloud, openssl: OpenSsl
) -> None:
    iot, ca = hedgerow_cloud.client("iot"), openssl.ca("/CN=Just in time")
    ca_id = register_ca(hedgerow_cloud, openssl, ca, setAsActive=True, allowAutoRegistration=True)
    device = openssl.signed(ca, "/CN=lamp")
    watcher = hedgerow_cloud.device("watcher", policy=ANYTHING)

    with connected(watcher) as watching:
        watching.subscribe(f"$aws/events/certificates/registered/{ca_id}")
        assert publish(hedgerow_cloud, device) != 0
        watching.payloads(1)
        assert publish(hedgerow_cloud, device) != 0
        first, second = map(json.loads, watching.payloads(2))

    assert (first["caCertificateId"], first["certificateStatus"]) == (ca_id, "PENDING_ACTIVATION")
    assert (first["awsAccountId"], first["certificateRegistrationTimestamp"]) == (hedgerow_cloud.account, None)
    assert second["certificateRegistrationTimestamp"].isdigit()
    certificate = iot.describe_certificate(certificateId=first["certificateId"])["certificateDescription"]
    assert (certificate["status"], certificate["caCertificateId"]) == ("PENDING_ACTIVATION", ca_id)
    iot.update_certificate(certificateId=first["certificateId"], newStatus="ACTIVE")
    iot.attach_policy(policyName="test-device-watcher", target=certificate["certificateArn"])
    assert publish(hedgerow_cloud, device) == 0


@pytest.mark.spec("AL-36")
def test_without_auto_registration_a_connection_registers_nothing(hedgerow_cloud: TestCloud, openssl: OpenSsl) -> None:
    iot, ca = hedgerow_cloud.client("iot"), openssl.ca("/CN=By hand")
    ca_id = register_ca(hedgerow_cloud, openssl, ca, setAsActive=True, allowAutoRegistration=True)
    iot.update_ca_certificate(certificateId=ca_id, newAutoRegistrationStatus="DISABLE")

    assert publish(hedgerow_cloud, openssl.signed(ca, "/CN=lamp")) != 0

    assert iot.list_certificates()["certificates"] == []


def test_a_restarted_cloud_trusts_what_was_registered(tmp_path: Path, openssl: OpenSsl) -> None:
    process = start_cloud(tmp_path, "--no-console", "--host=localhost")
    try:
        cloud = process.new_account(tmp_path)
        iot, kept, lost = cloud.client("iot"), openssl.ca("/CN=Kept"), openssl.ca("/CN=Lost")
        pairs = []
        for ca in (kept, lost):
            ca_id = register_ca(cloud, openssl, ca, setAsActive=True)
            pairs.append(openssl.signed(ca, "/CN=lamp"))
            made = iot.register_certificate(certificatePem=pairs[-1].pem, status="ACTIVE")
            if ca is kept:
                allow(cloud, made["certificateArn"])
            else:
                iot.attach_policy(policyName="anything", target=made["certificateArn"])
        iot.update_ca_certificate(certificateId=ca_id, newStatus="INACTIVE")
        iot.delete_ca_certificate(certificateId=ca_id)
        process.stop()
        process.start()

        assert [publish(cloud, pair) for pair in pairs] == [0, 0]
    finally:
        process.stop()


def test_no_account_spoils_the_handshakes_of_another(hedgerow_cloud: TestCloud, openssl: OpenSsl) -> None:
    other = hedgerow_cloud.process.new_account(openssl.folder).client("iot")
    register_ca(hedgerow_cloud, openssl, openssl.ca("/CN=Crowded"), setAsActive=True)
    pem = openssl.ca("/CN=CROWDED").pem  # one name to OpenSSL

    refused(
        lambda: other.register_ca_certificate(caCertificate=pem, certificateMode="SNI_ONLY"),
        "CertificateValidationException",
    )
    refused(lambda: other.register_certificate_without_ca(certificatePem=pem), "CertificateValidationException")


@pytest.mark.spec("JB-35")
def test_a_transferred_device_is_the_other_accounts(hedgerow_cloud: TestCloud, openssl: OpenSsl) -> None:
    other = hedgerow_cloud.process.new_account(openssl.folder)
    giver, taker = hedgerow_cloud.client("iot"), other.client("iot")
    device = hedgerow_cloud.device("lamp", policy=ANYTHING)
    pair = Pair(device.certificate_file, device.key_file)
    certificate_id = device.certificate_arn.rpartition("/")[2]
    assert publish(hedgerow_cloud, pair) == 0

    giver.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    giver.detach_policy(policyName="test-device-lamp", target=device.certificate_arn)
    giver.detach_thing_principal(thingName="lamp", principal=device.certificate_arn)
    giver.transfer_certificate(certificateId=certificate_id, targetAwsAccount=other.account)
    assert publish(hedgerow_cloud, pair) != 0
    taker.accept_certificate_transfer(certificateId=certificate_id, setAsActive=True)
    described = taker.describe_certificate(certificateId=certificate_id)["certificateDescription"]
    allow(other, described["certificateArn"])

    assert (described["ownedBy"], described["previousOwnedBy"]) == (other.account, hedgerow_cloud.account)
    assert publish(hedgerow_cloud, pair) == 0
    assert giver.list_certificates()["certificates"] == []


@pytest.mark.spec("JB-40")
def test_what_is_said_to_be_allowed_is_allowed(hedgerow_cloud: TestCloud) -> None:
    device = hedgerow_cloud.device("lamp")
    own = f"arn:aws:iot:{hedgerow_cloud.region}:{hedgerow_cloud.account}:"
    infos = [
        {"actionType": "CONNECT", "resources": [own + "client/lamp"]},
        {"actionType": "PUBLISH", "resources": [own + "topic/devices/lamp/up"]},
        {"actionType": "PUBLISH", "resources": [own + "topic/devices/other/up"]},
    ]

    asked = hedgerow_cloud.client("iot").test_authorization(
        principal=device.certificate_arn, clientId="lamp", authInfos=infos
    )

    assert [each["authDecision"] for each in asked["authResults"]] == ["ALLOWED", "ALLOWED", "IMPLICIT_DENY"]
    with connected(device) as connection:
        connection.publish("devices/lamp/up", b"x")
