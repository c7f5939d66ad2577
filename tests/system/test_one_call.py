"""A device made by one call: everything is there; nothing is left of one that fails; a repeated one changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization

from hedgerow.base.files import RealFiles
from hedgerow.cli.device_files import DeviceFiles
from hedgerow.testing import Device, TestCloud
from tests.support.mqtt import connected
from tests.support.running import recipe, started

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}],
    }
)


@pytest.fixture
def cloud(hedgerow_cloud: TestCloud) -> TestCloud:
    iot = hedgerow_cloud.client("iot")
    iot.create_policy(policyName="device", policyDocument=POLICY)
    iot.create_thing_group(thingGroupName="plant")
    hedgerow_cloud.client("greengrassv2").create_component_version(inlineRecipe=recipe("app", "1.0.0", "true"))
    return hedgerow_cloud


def everything(cloud: TestCloud) -> dict[str, Any]:
    """What there is of things, certificates and deployments."""
    iot = cloud.client("iot")
    return {
        "things": [one["thingName"] for one in iot.list_things()["things"]],
        "certificates": [one["certificateArn"] for one in iot.list_certificates()["certificates"]],
        "deployments": [one["deploymentId"] for one in cloud.client("greengrassv2").list_deployments()["deployments"]],
    }


@pytest.mark.slow
@pytest.mark.spec("JB-68", "JB-70", "JB-71", "JB-72", "JB-73")
def test_one_call_makes_all_of_it_and_the_device_connects(cloud: TestCloud, tmp_path: Path) -> None:
    made = cloud.client("hedgerow").provision_device(
        thingName="pump",
        policyName="device",
        thingGroupNames=["plant"],
        attributes={"site": "north"},
        shadow='{"speed": 3}',
        components={"app": {"componentVersion": "1.0.0"}},
    )

    iot, data = cloud.client("iot"), cloud.client("iot-data")
    assert iot.describe_thing(thingName="pump")["attributes"] == {"site": "north"}
    assert iot.list_things_in_thing_group(thingGroupName="plant")["things"] == ["pump"]
    assert iot.list_thing_principals(thingName="pump")["principals"] == [made["certificateArn"]]
    assert [one["policyName"] for one in iot.list_attached_policies(target=made["certificateArn"])["policies"]] == [
        "device"
    ]
    state = json.loads(data.get_thing_shadow(thingName="pump")["payload"].read())["state"]
    assert state["desired"] == {"speed": 3}
    assert state["reported"] == {"provision_addr": "127.0.0.1"}
    deployment = cloud.client("greengrassv2").get_deployment(deploymentId=made["deploymentId"])
    assert (deployment["targetArn"], deployment["deploymentStatus"]) == (made["thingArn"], "ACTIVE")
    key = serialization.load_pem_private_key(made["privateKey"].encode(), None)
    assert getattr(key, "key_size", 0) == 2048
    (tmp_path / "device.key").write_text(made["privateKey"])
    (tmp_path / "device.pem").write_text(made["certificatePem"])
    ready = cloud.process.ready
    device = Device(
        name="pump",
        host=cloud.host,
        mqtt_port=ready["mqtt_port"],
        https_port=ready["https_port"],
        key_file=tmp_path / "device.key",
        certificate_file=tmp_path / "device.pem",
        ca_file=Path(ready["ca_file"]),
        certificate_arn=made["certificateArn"],
    )
    with connected(device) as client:
        client.publish("hello", b"world")


@pytest.mark.slow
@pytest.mark.spec("JB-69")
def test_nothing_is_left_of_a_call_that_fails_at_its_last_step(cloud: TestCloud) -> None:
    hedgerow, before = cloud.client("hedgerow"), everything(cloud)
    good = {"thingName": "pump", "policyName": "device", "thingGroupNames": ["plant"]}

    for wrong, code in (
        ({"components": {"app": {"componentVersion": "9.9.9"}}}, "ValidationException"),
        ({"shadow": "[1]"}, "ValidationException"),
        ({"shadow": json.dumps({"a": "b" * 8170})}, "RequestEntityTooLargeException"),
        ({"thingGroupNames": ["nowhere"]}, "ResourceRegistrationFailureException"),
        ({"policyName": "nobody"}, "ResourceRegistrationFailureException"),
        ({"certificateSigningRequest": "no request"}, "InvalidRequestException"),
    ):
        with pytest.raises(ClientError) as refused:
            hedgerow.provision_device(**{**good, **wrong})
        assert refused.value.response["Error"]["Code"] == code, wrong

    assert everything(cloud) == before
    tried = hedgerow.list_onboarding_attempts()["attempts"]
    assert len([one for one in tried if one.get("device") == "pump" and one["outcome"] == "REFUSED"]) >= 4


@pytest.mark.slow
@pytest.mark.spec("JB-69")
def test_a_repeated_call_is_answered_the_same_or_replaces_the_key_that_was_lost(
    cloud: TestCloud, tmp_path: Path
) -> None:
    hedgerow, iot = cloud.client("hedgerow"), cloud.client("iot")
    request = DeviceFiles(folder=tmp_path, files=RealFiles()).signing_request("pump")
    asked = {"policyName": "device", "clientToken": "one"}
    own = {**asked, "thingName": "pump", "certificateSigningRequest": request}

    first, again = hedgerow.provision_device(**own), hedgerow.provision_device(**own)
    lost = hedgerow.provision_device(**{**asked, "thingName": "fan", "clientToken": "two"})
    made = hedgerow.provision_device(**{**asked, "thingName": "fan", "clientToken": "two"})

    assert "privateKey" not in first
    assert first["certificateArn"] == again["certificateArn"]
    assert made["certificateArn"] != lost["certificateArn"]
    assert iot.list_thing_principals(thingName="fan")["principals"] == [made["certificateArn"]]
    assert len(everything(cloud)["certificates"]) == 2
    for other, words in (
        ({**own, "thingName": "other"}, "was used for another request"),
        ({**own, "clientToken": "three"}, "has the certificate"),
    ):
        with pytest.raises(ClientError, match=words):
            hedgerow.provision_device(**other)


@pytest.mark.slow
def test_each_step_is_asked_for_the_callers_right(cloud: TestCloud) -> None:
    iam = cloud.client("iam")
    iam.create_user(UserName="installer")
    key = iam.create_access_key(UserName="installer")["AccessKey"]
    installer = cloud.process.session(key["AccessKeyId"], key["SecretAccessKey"]).client("hedgerow")
    allowed = ["hedgerow:ProvisionDevice"]
    registering = ["iot:CreateCertificateFromCsr", "iot:CreateThing", "iot:AttachPolicy", "iot:AttachThingPrincipal"]

    def attempt() -> str:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}],
        }
        iam.put_user_policy(UserName="installer", PolicyName="rights", PolicyDocument=json.dumps(document))
        try:
            installer.provision_device(
                thingName="pump", policyName="device", components={"app": {"componentVersion": "1.0.0"}}
            )
        except ClientError as error:
            return str(error)
        return "made"

    assert "iot:" in attempt()
    allowed += [*registering, "iot:UpdateCertificate", "iot:DescribeThing", "iot:UpdateThing"]
    assert "iot:UpdateThingShadow" in attempt()
    allowed += ["iot:UpdateThingShadow"]
    assert "greengrass:CreateDeployment" in attempt()
    allowed += ["greengrass:CreateDeployment"]
    assert attempt() == "made"


@pytest.mark.slow
@pytest.mark.spec("JB-70")
def test_behind_a_proxy_the_device_is_told_of_by_its_own_address(tmp_path: Path) -> None:
    with started(tmp_path, HEDGEROW_PROXY_NETWORKS="127.0.0.0/8") as process:
        cloud = process.new_account(tmp_path)
        cloud.client("iot").create_policy(policyName="device", policyDocument=POLICY)
        caller = cloud.client("hedgerow")

        def forward(request: Any, **_: Any) -> None:
            request.headers["X-Forwarded-For"] = "198.51.100.1, 192.0.2.9"

        caller.meta.events.register("before-send.hedgerow", forward)
        caller.provision_device(thingName="pump", policyName="device")

        shadow = json.loads(cloud.client("iot-data").get_thing_shadow(thingName="pump")["payload"].read())
        record = caller.list_onboarding_attempts()["attempts"]
    assert shadow["state"]["reported"]["provision_addr"] == "192.0.2.9"
    assert [one["address"] for one in record] == ["192.0.2.9"]
