"""Devices of an own CA that are provisioned by connecting: only openssl and mosquitto on their side."""

import json
import shutil
from pathlib import Path

import pytest

from hedgerow.testing import TestCloud
from tests.support.openssl import OpenSsl, Pair
from tests.support.own_cas import publish, register_ca, shakes_hands

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="needs Debian's mosquitto-clients"),
]

OF = "AWS::IoT::Certificate::"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def body(account: str) -> str:
    """A thing per common name, and a policy that lets it connect and publish under that name alone."""
    own = f"arn:aws:iot:*:{account}:"
    statements = [
        {"Effect": "Allow", "Action": "iot:Connect", "Resource": {"Fn::Sub": own + "client/${" + OF + "CommonName}"}},
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": own + "topic/a"},
    ]
    resources = {
        "thing": {
            "Type": "AWS::IoT::Thing",
            "Properties": {
                "ThingName": {"Ref": OF + "CommonName"},
                "AttributePayload": {"country": {"Ref": OF + "Country"}, "serial": {"Ref": OF + "SerialNumber"}},
                "BillingGroup": "north",
            },
        },
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": {"CertificateId": {"Ref": OF + "Id"}, "Status": "ACTIVE"},
        },
        "policy": {
            "Type": "AWS::IoT::Policy",
            "Properties": {"PolicyDocument": {"Version": "2012-10-17", "Statement": statements}},
        },
    }
    declared = {OF + name: {"Type": "String"} for name in ("CommonName", "Country", "SerialNumber", "Id")}
    return json.dumps({"Parameters": declared, "Resources": resources})


def role(cloud: TestCloud) -> str:
    iam = cloud.client("iam")
    made = iam.create_role(RoleName="jitp", AssumeRolePolicyDocument=json.dumps(TRUST))
    managed = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
    iam.attach_role_policy(RoleName="jitp", PolicyArn=managed)
    cloud.client("iot").create_billing_group(billingGroupName="north")
    return str(made["Role"]["Arn"])


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    folder = tmp_path / "openssl"
    folder.mkdir()
    return OpenSsl(folder)


@pytest.mark.spec("AL-31", "AL-32", "AL-33", "AL-34", "AL-35", "AL-36")
def test_the_first_connection_provisions_and_the_second_is_let_in(
    hedgerow_cloud: TestCloud, openssl: OpenSsl, tmp_path: Path
) -> None:
    iot, ca = hedgerow_cloud.client("iot"), openssl.ca("/CN=Factory")
    by = {"templateBody": body(hedgerow_cloud.account), "roleArn": role(hedgerow_cloud)}
    ca_id = register_ca(
        hedgerow_cloud, openssl, ca, setAsActive=True, allowAutoRegistration=True, registrationConfig=by
    )
    device = openssl.signed(ca, "/C=DE/CN=lamp/serialNumber=4711")
    chain = Pair(tmp_path / "chain.pem", device.key)
    chain.certificate.write_text(device.pem + ca.pem)  # as old guides have it

    assert publish(hedgerow_cloud, chain) != 0
    assert publish(hedgerow_cloud, chain) == 0
    assert publish(hedgerow_cloud, device) == 0

    thing = iot.describe_thing(thingName="lamp")
    assert thing["attributes"] == {"country": "DE", "serial": "4711"}
    assert thing["billingGroupName"] == "north"
    (principal,) = iot.list_thing_principals(thingName="lamp")["principals"]
    (policy,) = iot.list_attached_policies(target=principal)["policies"]
    assert "client/lamp" in iot.get_policy(policyName=policy["policyName"])["policyDocument"]
    described = iot.describe_ca_certificate(certificateId=ca_id)
    assert described["registrationConfig"] == by
    thief = openssl.signed(ca, "/C=DE/CN=lamp/serialNumber=4712")
    assert [publish(hedgerow_cloud, thief) for _ in range(2)] != [0, 0]
    assert iot.list_thing_principals(thingName="lamp")["principals"] == [principal]


@pytest.mark.spec("AL-31", "AL-35")
def test_a_ca_that_proves_nothing_provisions_by_a_named_template_for_who_names_the_account(
    hedgerow_cloud: TestCloud, openssl: OpenSsl
) -> None:
    iot, ca = hedgerow_cloud.client("iot"), openssl.ca("/CN=Unproved")
    iot.create_provisioning_template(
        templateName="jitp",
        templateBody=body(hedgerow_cloud.account),
        provisioningRoleArn=role(hedgerow_cloud),
        enabled=True,
        type="JITP",
    )
    iot.register_ca_certificate(
        caCertificate=ca.pem,
        certificateMode="SNI_ONLY",
        setAsActive=True,
        allowAutoRegistration=True,
        registrationConfig={"templateName": "jitp"},
    )
    device = openssl.signed(ca, "/C=DE/CN=lamp/serialNumber=4711")
    name = f"{hedgerow_cloud.account}.localhost"

    silent = [publish(hedgerow_cloud, device) for _ in range(2)]
    before = iot.list_things()["things"]
    first, second = (shakes_hands(hedgerow_cloud, device, name) for _ in range(2))

    assert 0 not in silent
    assert before == []
    assert (first, second) == (b"", b"\x20\x02\x00\x00")
    assert [each["thingName"] for each in iot.list_things()["things"]] == ["lamp"]
    assert len(iot.list_ca_certificates(templateName="jitp")["certificates"]) == 1
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_provisioning_template(templateName="jitp")
