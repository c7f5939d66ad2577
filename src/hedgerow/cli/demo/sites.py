"""What a technician puts onto a device before it leaves: the claim, the CA, and a config.yaml."""

from pathlib import Path
from typing import Any

from hedgerow.cli.demo import fleet
from hedgerow.cli.demo.world import World

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
      iotDataEndpoint: {endpoint}
      iotCredentialEndpoint: "{endpoint}:{https_port}"
      iotRoleAlias: {role_alias}
      mqttPort: {mqtt_port}
      provisioningTemplate: {template}
      deviceId: claim-{site}
      claimCertificatePath: {root}/claim/claim.pem
      claimCertificatePrivateKeyPath: {root}/claim/claim.key
      rootCaPath: {root}/claim/ca.pem
      templateParameters:
        ThingName: {site}
"""


def write_site(world: World, site: str, claim: dict[str, Any]) -> None:
    """Write the files of one site."""
    root = world.edge_root(site)
    folder = root / "claim"
    folder.mkdir(mode=0o700, parents=True)
    _write(folder / "claim.pem", claim["certificatePem"])
    _write(folder / "claim.key", claim["keyPair"]["PrivateKey"])
    _write(folder / "ca.pem", Path(world.ready["ca_file"]).read_text("ascii"))
    endpoint = world.client("iot").describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    content = CONFIG.format(
        region=world.ready["region"],
        root=root,
        endpoint=endpoint,
        mqtt_port=world.ready["mqtt_port"],
        https_port=world.ready["https_port"],
        role_alias=fleet.ROLE_ALIAS,
        template=fleet.TEMPLATE,
        site=site,
    )
    _write(root / "config.yaml", content)


def _write(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content)
