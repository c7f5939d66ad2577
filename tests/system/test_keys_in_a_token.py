"""An edge whose private key stands in a PKCS#11 token (SoftHSM), against a real cloud."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hedgerow.testing import TestCloud
from tests.support.components import deploy, deployment, put
from tests.support.sites import Edge, Fleet, fleet_of
from tests.support.softhsm import PIN, SoftToken, soft_token
from tests.support.waiting import until

SITE = "site-01"
KEY = "      keepClaim: true\n      privateKeyPath: pkcs11:object=edge-key;type=private\n"
SOON_S = 40.0


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    return soft_token(tmp_path / "softhsm", monkeypatch)


@pytest.fixture
def fleet(hedgerow_cloud: TestCloud, tmp_path: Path) -> Iterator[Fleet]:
    with fleet_of(hedgerow_cloud, tmp_path) as made:
        yield made


def reconnected(edge: Edge) -> None:
    """Start the edge and wait until it is connected as itself."""

    def times() -> int:
        return len(re.findall(rf"connected to \S+ as {SITE}\n", edge.console()))

    before = times()
    edge.start()
    until("connected again", lambda: times() > before, within_s=SOON_S)


def private_keys(edge: Edge) -> list[str]:
    """Answer the names of the files with a private key."""
    files = [path for path in edge.root.rglob("*") if path.is_file()]
    return [path.name for path in files if b"PRIVATE KEY" in path.read_bytes()]


def public_key(pem: bytes) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return x509.load_pem_x509_certificate(pem).public_key().public_bytes(serialization.Encoding.DER, form)


def in_token(token: SoftToken, label: str, folder: Path) -> bytes:
    """Answer the public half that the token shows."""
    token.tool("--read-object", "--type", "pubkey", "--label", label, "--output-file", str(folder / "public.der"))
    return (folder / "public.der").read_bytes()


@pytest.mark.slow
@pytest.mark.spec("AL-50")
def test_an_edge_enrols_is_deployed_to_restarts_and_rotates_with_keys_that_stay_in_its_token(
    fleet: Fleet, token: SoftToken, tmp_path: Path
) -> None:
    iot = fleet.cloud.client("iot")

    edge = fleet.enrolled(SITE, more=KEY + token.section())
    (first,) = iot.list_thing_principals(thingName=SITE)["principals"]
    assert token.labels() == ["edge-key"]
    assert public_key((edge.root / "thingCert.crt").read_bytes()) == in_token(token, "edge-key", tmp_path)
    assert "sensitive, always sensitive, never extractable" in token.tool("--list-objects", "--type", "privkey")

    put(fleet.cloud, "meter", "1.0.0")
    deploy(fleet.cloud, meter="1.0.0")
    edge.says(f"deployment {deployment(meter='1.0.0')} SUCCEEDED", within_s=SOON_S)
    edge.kill()
    reconnected(edge)

    target = f"arn:aws:iot:{fleet.cloud.region}:{fleet.cloud.account}:thing/{SITE}"
    document = {"version": "1.0", "steps": [{"action": {"type": "rotateCertificate"}}]}
    iot.create_job(jobId="rotate", targets=[target], document=json.dumps(document))
    until(
        "the rotation",
        lambda: iot.describe_job_execution(jobId="rotate", thingName=SITE)["execution"]["status"] == "SUCCEEDED",
        within_s=SOON_S,
    )
    (second,) = iot.list_thing_principals(thingName=SITE)["principals"]
    (label,) = until("the first key removed", lambda: found if len(found := token.labels()) == 1 else None)
    assert (second != first, label != "edge-key") == (True, True)
    (certificate,) = (edge.root / "identity").rglob("certificate.pem")
    assert public_key(certificate.read_bytes()) == in_token(token, label, tmp_path)

    assert edge.stop() == 0
    reconnected(edge)
    assert private_keys(edge) == ["claim.key"]  # which was told to stay, so that the look finds something


@pytest.mark.slow
def test_a_wrong_pin_is_named_and_a_pin_is_in_no_log_no_argument_and_no_open_file(
    fleet: Fleet, token: SoftToken
) -> None:
    edge = fleet.edge(SITE, more=KEY + token.section(pin="0815-wrong"))

    edge.says("does not take the PIN; correct services.aws.greengrass.crypto.Pkcs11Provider.configuration.userPin")
    assert edge.process is not None
    argv = Path(f"/proc/{edge.process.pid}/cmdline").read_bytes()
    assert edge.stop() == 0
    config = edge.root / "config.yaml"
    config.write_text(config.read_text().replace("0815-wrong", PIN))
    edge.start()
    edge.says(f"enrolled as {SITE}", within_s=SOON_S)

    assert not [name for name in ("0815-wrong", PIN) if name.encode() in argv or name in edge.console()]
    holders = [path for path in edge.root.rglob("*") if path.is_file() and PIN.encode() in path.read_bytes()]
    assert {path.name for path in holders} == {"config.yaml"}
    assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}
