"""A fleet as the demo sets it up (group, policies, roles, role alias, template, claim), and its edges."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hedgerow.cli.demo import fleet
from hedgerow.testing import Device, TestCloud
from tests.support.waiting import until

STOP_S = 20.0

CONFIG = """\
---
services:
  aws.greengrass.Nucleus:
    version: "2.15.0"
    configuration:
      awsRegion: {region}
      iotRoleAlias: {role_alias}
      greengrassDataPlanePort: {https_port}
      mqtt:
        port: {mqtt_port}
  aws.greengrass.FleetProvisioningByClaim:
    configuration:
      rootPath: {root}
      awsRegion: {region}
      iotDataEndpoint: {host}
      iotCredentialEndpoint: "{host}:{https_port}"
      iotRoleAlias: {role_alias}
      mqttPort: {mqtt_port}
      provisioningTemplate: {template}
      deviceId: {client_id}
      claimCertificatePath: {root}/claim/claim.pem
      claimCertificatePrivateKeyPath: {root}/claim/claim.key
      rootCaPath: {root}/claim/ca.pem
      templateParameters:
        ThingName: {site}
"""


@dataclass(slots=True)
class Edge:
    """One `hedgerow edge run`."""

    name: str
    root: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, or start it again."""
        command = [sys.executable, "-m", "hedgerow", "edge", "run", f"--root={self.root}"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HEDGEROW_"))}
        with self._console.open("ab") as console:
            self.process = subprocess.Popen(
                [*command, *([f"--init-config={config}"] if (config := self.root / "config.yaml").exists() else [])],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=kept,
                start_new_session=True,
            )

    @property
    def _console(self) -> Path:
        return self.root / "console.txt"

    def console(self) -> str:
        """What it said on its console line so far."""
        return self._console.read_text("utf-8", "replace") if self._console.exists() else ""

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Answer the records of this event in its log."""
        log = self.root / "logs" / "greengrass.log"
        records = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [record for record in records if record["event"] == event]

    def says(self, words: str, *, within_s: float = 15.0) -> None:
        """Wait until its console has these words."""
        try:
            until(f"{words!r} on the console", lambda: words in self.console(), within_s=within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.name} said:\n{self.console()}") from None

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it with SIGTERM, and with SIGKILL when it does not listen; answer its status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process = self.process
        assert process is not None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_S)
            raise


@dataclass(slots=True)
class Fleet:
    """What is needed to enrol edges in one account."""

    cloud: TestCloud
    folder: Path
    claim: Mapping[str, Any]
    template: str = fleet.TEMPLATE
    edges: list[Edge] = field(default_factory=list)

    def edge(self, name: str, **changes: Any) -> Edge:
        """Write the files of an edge and start it; `changes`: template, ca (PEM), claim, site, more (of the file)."""
        root = self.folder / name
        (root / "claim").mkdir(mode=0o700, parents=True)
        ready, claim = self.cloud.process.ready, changes.get("claim", self.claim)
        ca = changes.get("ca") or Path(ready["ca_file"]).read_text("ascii")
        files = {"claim.pem": claim["certificatePem"], "claim.key": claim["keyPair"]["PrivateKey"], "ca.pem": ca}
        for file, content in files.items():
            (root / "claim" / file).touch(mode=0o600)
            (root / "claim" / file).write_text(content)
        config = CONFIG.format(
            region=ready["region"],
            root=root,
            host=self.cloud.host,
            mqtt_port=ready["mqtt_port"],
            https_port=ready["https_port"],
            role_alias=fleet.ROLE_ALIAS,
            template=changes.get("template", self.template),
            client_id=f"{fleet.CLAIM_CLIENT}{name}",
            site=changes.get("site", name),
        )
        (root / "config.yaml").touch(mode=0o600)
        (root / "config.yaml").write_text(config + changes.get("more", ""))
        edge = Edge(name, root)
        edge.start()
        self.edges.append(edge)
        return edge

    def enrolled(self, name: str, **changes: Any) -> Edge:
        """Start an edge and wait until it is connected as itself."""
        edge = self.edge(name, **changes)
        edge.says(f"as {name}\n")
        until(f"{name} connected", lambda: is_connected(self.cloud, name))
        return edge


def is_connected(cloud: TestCloud, name: str) -> bool:
    """Tell whether a client of this name is connected."""
    data = cloud.client("iot-data")
    try:
        return bool(data.get_connection(clientId=name)["connected"])
    except data.exceptions.ResourceNotFoundException:
        return False


@contextmanager
def fleet_of(cloud: TestCloud, folder: Path) -> Iterator[Fleet]:
    """Set a fleet up through boto3; end its edges when the block ends."""
    made = Fleet(cloud, folder, set_up(cloud))
    with ExitStack() as stack:
        yield made
        for edge in made.edges:
            stack.callback(edge.stop)


def set_up(cloud: TestCloud) -> dict[str, Any]:
    """Make everything that enrolment needs and answer the claim."""
    iot, iam = cloud.client("iot"), cloud.client("iam")
    iot.create_thing_group(thingGroupName=fleet.GROUP)
    iot.create_policy(policyName=fleet.DEVICE_POLICY, policyDocument=fleet.device_policy(cloud.region, cloud.account))
    iot.create_policy(policyName=fleet.CLAIM_POLICY, policyDocument=fleet.claim_policy(cloud.region, cloud.account))
    device = iam.create_role(
        RoleName=fleet.DEVICE_ROLE, AssumeRolePolicyDocument=fleet.trust("credentials.iot.amazonaws.com")
    )
    iam.put_role_policy(RoleName=fleet.DEVICE_ROLE, PolicyName="rights", PolicyDocument=fleet.device_rights())
    iot.create_role_alias(roleAlias=fleet.ROLE_ALIAS, roleArn=device["Role"]["Arn"])
    role = iam.create_role(RoleName=fleet.PROVISIONING_ROLE, AssumeRolePolicyDocument=fleet.trust("iot.amazonaws.com"))
    managed = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
    iam.attach_role_policy(RoleName=fleet.PROVISIONING_ROLE, PolicyArn=managed)
    iot.create_provisioning_template(
        templateName=fleet.TEMPLATE,
        templateBody=fleet.template_body(),
        enabled=True,
        provisioningRoleArn=role["Role"]["Arn"],
    )
    return _claim(cloud)


def _claim(cloud: TestCloud) -> dict[str, Any]:
    iot = cloud.client("iot")
    claim: dict[str, Any] = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName=fleet.CLAIM_POLICY, target=claim["certificateArn"])
    return claim


def claim_device(cloud: TestCloud, folder: Path) -> Device:
    """Answer what a device holds that has the claim only."""
    made = set_up(cloud)
    files = {"claim.pem": made["certificatePem"], "claim.key": made["keyPair"]["PrivateKey"]}
    for name, content in files.items():
        (folder / name).write_text(content)
    ready = cloud.process.ready
    return Device(
        name="claim",
        host=cloud.host,
        mqtt_port=ready["mqtt_port"],
        https_port=ready["https_port"],
        key_file=folder / "claim.key",
        certificate_file=folder / "claim.pem",
        ca_file=Path(ready["ca_file"]),
        certificate_arn=made["certificateArn"],
    )
