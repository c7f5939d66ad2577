"""Edges that come to their identity by other ways than a claim: the vending machine, and a factory's own CA."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hedgerow.cli.demo import fleet as parts
from hedgerow.testing import TestCloud
from tests.support.openssl import OpenSsl
from tests.support.own_cas import register_ca
from tests.support.sites import Edge, fleet_of, is_connected, set_up
from tests.support.waiting import until

pytestmark = [pytest.mark.slow]

SOON_S = 40.0
OF = "AWS::IoT::Certificate::"


def edge(cloud: TestCloud, root: Path, system: dict[str, str], **services: dict[str, str]) -> Edge:
    """Write an edge's files."""
    ready = cloud.process.ready
    root.mkdir(mode=0o700)
    (root / "ca.pem").write_bytes(Path(ready["ca_file"]).read_bytes())
    nucleus = {
        "awsRegion": ready["region"],
        "iotDataEndpoint": cloud.host,
        "greengrassDataPlanePort": ready["https_port"],
        "mqtt": {"port": ready["mqtt_port"]},
    }
    sections = {"aws.greengrass.Nucleus": nucleus, **{f"hedgerow.{name}": each for name, each in services.items()}}
    document = {
        "system": {"rootCaPath": "ca.pem", **system},
        "services": {name: {"configuration": each} for name, each in sections.items()},
    }
    (root / "config.yaml").write_text(yaml.safe_dump(document))
    return Edge(root.name, root)


@pytest.fixture
def edges() -> Iterator[list[Edge]]:
    """Edges that are stopped at the end."""
    made: list[Edge] = []
    yield made
    for each in made:
        each.stop()


@pytest.mark.spec("AL-30", "AL-56", "AL-59", "AL-60", "AL-61", "AL-26")
def test_an_edge_waits_at_the_vending_machine_and_is_served_when_it_is_approved_although_it_was_killed(
    hedgerow_cloud: TestCloud, tmp_path: Path, edges: list[Edge]
) -> None:
    set_up(hedgerow_cloud)
    own, iot = hedgerow_cloud.client("hedgerow"), hedgerow_cloud.client("iot")
    (tmp_path / "serial").write_bytes(b"4711\n\0")
    said = {
        "serialNumberPath": str(tmp_path / "serial"),
        "token": "printed",
        "accountId": hedgerow_cloud.account,
    }
    waiting = edge(hedgerow_cloud, tmp_path / "box", {}, VendingMachine=said)
    edges.append(waiting)

    waiting.start()
    waiting.says("enrolling at the vending machine", within_s=SOON_S)
    waiting.says("device 4711 waits for its approval", within_s=SOON_S)
    key = (waiting.root / "privKey.key").read_bytes()
    waiting.kill()
    waiting.start()
    until("it waits again", lambda: waiting.console().count("waits for its approval") == 2, within_s=SOON_S)
    own.approve_vending_request(serialNumber="4711", templateName=parts.TEMPLATE, parameters={"ThingName": "site-01"})

    waiting.says("enrolled as site-01", within_s=SOON_S)
    until("the edge as itself", lambda: is_connected(hedgerow_cloud, "site-01"), within_s=SOON_S)
    (principal,) = iot.list_thing_principals(thingName="site-01")["principals"]
    assert (waiting.root / "privKey.key").read_bytes() == key
    issued = own.list_vending_requests(state="ISSUED")["devices"]
    assert [each["certificateId"] for each in issued] == [principal.rpartition("/")[2]]


@pytest.mark.spec("AL-57", "AL-62")
def test_an_edge_that_was_approved_before_is_served_by_https_once_it_shows_the_right_token(
    hedgerow_cloud: TestCloud, tmp_path: Path, edges: list[Edge]
) -> None:
    set_up(hedgerow_cloud)
    own = hedgerow_cloud.client("hedgerow")
    entry = {"serialNumber": "4712", "token": "printed", "parameters": {"ThingName": "site-02"}}
    own.import_vending_devices(templateName=parts.TEMPLATE, devices=[entry])
    token = tmp_path / "token"
    token.write_text("misread\n")
    said = {"serialNumber": "4712", "tokenPath": str(token), "accountId": hedgerow_cloud.account, "connection": "HTTPS"}
    approved = edge(hedgerow_cloud, tmp_path / "box", {}, VendingMachine=said)
    edges.append(approved)

    approved.start()
    approved.says("does not accept device 4712 with this token", within_s=SOON_S)
    token.write_text("printed\n")

    approved.says("enrolled as site-02", within_s=SOON_S)
    assert all(each["permanent"] for each in approved.logged("not enrolled"))
    attempts = own.list_onboarding_attempts()["attempts"]
    assert {(each["way"], each["outcome"]) for each in attempts} == {("VENDING", "REFUSED"), ("VENDING", "ACCEPTED")}


@pytest.mark.spec("AL-31", "AL-35", "AL-41")
def test_an_edge_with_a_certificate_of_a_factory_is_cut_once_and_then_let_in_under_its_common_name(
    hedgerow_cloud: TestCloud, tmp_path: Path, edges: list[Edge]
) -> None:
    set_up(hedgerow_cloud)
    openssl, iam = OpenSsl(tmp_path), hedgerow_cloud.client("iam")
    ca = openssl.ca("/CN=Factory of presses")
    template = {
        "Parameters": {OF + "CommonName": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": OF + "CommonName"}}},
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateId": {"Ref": OF + "Id"}, "Status": "ACTIVE"},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": parts.DEVICE_POLICY}},
        },
    }
    role = iam.get_role(RoleName=parts.PROVISIONING_ROLE)["Role"]["Arn"]
    by = {"templateBody": json.dumps(template), "roleArn": role}
    register_ca(hedgerow_cloud, openssl, ca, setAsActive=True, allowAutoRegistration=True, registrationConfig=by)
    pair = openssl.signed(ca, "/CN=press-7")
    system = {"certificateFilePath": str(pair.certificate), "privateKeyPath": str(pair.key)}
    press = edge(hedgerow_cloud, tmp_path / "press", system)
    edges.append(press)

    press.start()

    press.says("as press-7\n", within_s=SOON_S)
    until("the edge as itself", lambda: is_connected(hedgerow_cloud, "press-7"), within_s=SOON_S)
    assert "a certificate of a factory's CA is registered by its first connection" in press.console()


SHARED = ["iam:AttachRolePolicy", "iam:CreatePolicy", "iam:CreateRole", "iam:GetPolicy", "iam:GetRole", "iam:PassRole"]
OWN = [
    *("AddThingToThingGroup", "AttachPolicy", "AttachThingPrincipal", "CreateKeysAndCertificate", "CreatePolicy"),
    *("CreateRoleAlias", "CreateThing", "CreateThingGroup", "DescribeEndpoint", "DescribeRoleAlias"),
    *("DescribeThingGroup", "GetPolicy"),
]
"""What AWS documents as the least rights of the nucleus' installer."""


def grant(cloud: TestCloud, *without: str) -> None:
    """Give the user `installer` the documented rights but these."""
    names = ("role/GreengrassV2TokenExchangeRole", "policy/GreengrassV2TokenExchangeRoleAccess")
    resources = [f"arn:aws:iam::{cloud.account}:{name}" for name in names]
    wanted = [([action for action in SHARED if action not in without], resources)]
    wanted.append(([f"iot:{action}" for action in OWN if f"iot:{action}" not in without], ["*"]))
    statements = [{"Effect": "Allow", "Action": actions, "Resource": each} for actions, each in wanted]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    cloud.client("iam").put_user_policy(UserName="installer", PolicyName="own", PolicyDocument=document)


def installer(cloud: TestCloud) -> dict[str, str]:
    """Make the user `installer` and answer the environment for its access key."""
    iam, ready = cloud.client("iam"), cloud.process.ready
    iam.create_user(UserName="installer")
    key = iam.create_access_key(UserName="installer")["AccessKey"]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
    return {
        **own,
        "AWS_ENDPOINT_URL": ready["api_url"],
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "HEDGEROW_CA_FILE": ready["ca_file"],
        "HEDGEROW_MQTT_PORT": str(ready["mqtt_port"]),
        "HEDGEROW_HTTPS_PORT": str(ready["https_port"]),
    }


def provisioned(root: Path, region: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the installer."""
    options = ["--aws-region", region, "--provision", "true", "--thing-group-name", "cores", "--thing-name", "core-1"]
    command = [sys.executable, "-m", "hedgerow", "edge", "install", "--root", str(root), *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.spec("BS-42", "AL-39", "AL-50")
def test_an_installer_with_the_documented_rights_provisions_a_core_and_goes_on_where_rights_were_missing(
    hedgerow_cloud: TestCloud, tmp_path: Path, edges: list[Edge]
) -> None:
    iot, region, root = hedgerow_cloud.client("iot"), hedgerow_cloud.region, tmp_path / "core"
    user = installer(hedgerow_cloud)

    grant(hedgerow_cloud, "iot:CreatePolicy", "iam:CreateRole", "iot:AddThingToThingGroup")
    refused = provisioned(root, region, user)
    before = iot.list_certificates()["certificates"]
    grant(hedgerow_cloud, "iam:PassRole")
    unpassed = provisioned(root, region, user)
    grant(hedgerow_cloud, "iot:AttachThingPrincipal")
    halfway = provisioned(root, region, user)
    grant(hedgerow_cloud)
    done, again = (provisioned(root, region, user) for _ in range(2))

    assert refused.returncode == 2
    assert "the rights iot:CreatePolicy, iam:CreateRole, iot:AddThingToThingGroup are missing" in refused.stderr
    assert before == []
    assert "the rights iot:AttachThingPrincipal are missing" in halfway.stderr
    assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
    assert "the rights iam:PassRole are missing" in unpassed.stderr
    assert "role GreengrassV2TokenExchangeRole: made" in unpassed.stdout
    assert "role GreengrassV2TokenExchangeRole: there" in done.stdout
    (certificate,) = iot.list_certificates()["certificates"]
    assert iot.list_thing_principals(thingName="core-1")["principals"] == [certificate["certificateArn"]]
    assert iot.list_things_in_thing_group(thingGroupName="cores")["things"] == ["core-1"]
    assert (root / "privKey.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (root / "config" / "provisioning.json").read_text()
    core = Edge("core", root)
    edges.append(core)
    core.start()
    until("the core as itself", lambda: is_connected(hedgerow_cloud, "core-1"), within_s=SOON_S)
    alias = iot.describe_role_alias(roleAlias="GreengrassV2TokenExchangeRoleAlias")["roleAliasDescription"]
    assert alias["roleArn"].endswith(":role/GreengrassV2TokenExchangeRole")


@pytest.mark.spec("BS-06", "BS-26", "BS-27")
def test_an_edge_enrols_with_a_claim_whose_policy_is_the_one_that_aws_documents(
    hedgerow_cloud: TestCloud, tmp_path: Path
) -> None:
    """It allows `$aws/certificates/create/*`, which no signing request goes to."""
    iot = hedgerow_cloud.client("iot")
    ours = parts.claim_policy(hedgerow_cloud.region, hedgerow_cloud.account)
    iot.create_policy(policyName="documented", policyDocument=ours.replace("create-from-csr/", "create/"))

    with fleet_of(hedgerow_cloud, tmp_path) as fleet:
        iot.attach_policy(policyName="documented", target=fleet.claim["certificateArn"])
        iot.detach_policy(policyName=parts.CLAIM_POLICY, target=fleet.claim["certificateArn"])
        site = fleet.enrolled("site-03")

        assert site.logged("the key is made by the cloud")
        assert (site.root / "privKey.key").stat().st_mode & 0o777 == 0o600
        assert "PRIVATE" not in (site.root / "logs" / "greengrass.log").read_text()
