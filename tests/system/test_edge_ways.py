"""Edges that come to their identity by other ways than a claim: the vending machine, and a factory's own CA."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hedgerow.cli.demo import fleet as parts
from hedgerow.testing import TestCloud
from tests.support.openssl import OpenSsl
from tests.support.own_cas import register_ca
from tests.support.sites import Edge, is_connected, set_up
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


@pytest.mark.spec("AL-31", "AL-35", "AL-41")
def test_an_edge_with_a_certificate_of_a_factory_is_cut_once_and_then_let_in_under_its_common_name(
    hedgerow_cloud: TestCloud, tmp_path: Path, edges: list[Edge]
) -> None:
    set_up(hedgerow_cloud)
    openssl, iam = OpenSsl(tmp_path), hedgerow_cloud.client("iam")
    ca = openssl.ca("/CN=Factory")
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
