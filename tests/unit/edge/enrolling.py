"""What a cloud answers to a device that enrols, for tests."""

from typing import Any

from tests.unit.edge.peer import Peer
from tests.unit.edge.pki import Pki

CREATE = "$aws/certificates/create-from-csr/json"
PROVISION = "$aws/provisioning-templates/radios/provision/json"


def accept_enrolments(peer: Peer, pki: Pki) -> list[str]:
    """Let the peer enrol everybody; answer the list of CSRs that it got."""
    requests: list[str] = []

    def create(topic: str, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        requests.append(body["certificateSigningRequest"])
        pem = pki.device.sign_request(body["certificateSigningRequest"])
        answer = {"certificateId": "c" * 64, "certificatePem": pem, "certificateOwnershipToken": f"t{len(requests)}"}
        return [(f"{topic}/accepted", answer)]

    def provision(topic: str, body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        return [(f"{topic}/accepted", {"thingName": body["parameters"]["ThingName"], "deviceConfiguration": {}})]

    peer.answers[CREATE] = create
    peer.answers[PROVISION] = provision
    return requests


def configuration_text(pki: Pki, port: int, *, template: str = "radios", extra: str = "") -> str:
    certificate, key = pki.claim
    return f"""
services:
  aws.greengrass.Nucleus:
    version: 2.18.0
    configuration:
      awsRegion: eu-central-1
      iotDataEndpoint: localhost
      iotRoleAlias: DeviceRole
      iotCredEndpoint: localhost:{port}
      mqtt: {{port: {port}, operationTimeoutMs: 2000}}
{extra}
  aws.greengrass.FleetProvisioningByClaim:
    configuration:
      rootPath: unused
      iotDataEndpoint: localhost
      mqttPort: {port}
      provisioningTemplate: {template}
      claimCertificatePath: {certificate}
      claimCertificatePrivateKeyPath: {key}
      rootCaPath: {pki.root_ca}
      templateParameters: {{ThingName: site-1}}
"""
