"""Enrolment with a claim that may not have a request signed: the cloud makes the key, as AWS's plug-in has it."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hedgerow.edge.identity import fits, key_in, request_for
from hedgerow.edge.provisioning import CREATE_KEYS
from hedgerow.edge.state import State
from tests.unit.edge.conftest import Site
from tests.unit.edge.enrolling import CREATE, PROVISION, accept_enrolments, configuration_text
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki
from tests.unit.edge.test_provisioning import Replies, is_online, runs_until


def make_keys(peer: Peer, pki: Pki, folder: Path, *, spoilt: bool = False) -> list[bytes]:
    """Let the peer refuse requests, and make keys; answer those that it made."""
    accept_enrolments(peer, pki)
    peer.deny = {f"{CREATE}/accepted", f"{CREATE}/rejected"}
    made: list[bytes] = []

    def create(topic: str, body: dict[str, Any]) -> Replies:
        assert body == {}
        certificate, key = pki.device.issue(folder, f"made-{len(made)}")
        made.append(key.read_bytes())
        private = "spoilt" if spoilt else key.read_text()
        answer = {"certificateId": "c" * 64, "certificatePem": certificate.read_text(), "privateKey": private}
        return [(f"{topic}/accepted", {**answer, "certificateOwnershipToken": f"t{len(made)}"})]

    peer.answers[CREATE_KEYS] = create
    return made


@pytest.mark.spec("BS-06", "BS-26", "BS-27")
def test_the_cloud_makes_the_key_for_a_claim_with_the_documented_policy(site: Site, pki: Pki, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            made = make_keys(peer, pki, tmp_path)
            provision = peer.answers.pop(PROVISION)  # the power is cut before the device has a thing
            await runs_until(site, peer, lambda: any(topic == PROVISION for topic, _ in peer.messages))
            peer.answers[PROVISION] = provision
            await runs_until(site, peer, lambda: is_online(peer))

            assert [(site.root / "privKey.key").read_bytes()] == made

    asyncio.run(scenario())
    key = site.root / "privKey.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert fits((site.root / "thingCert.crt").read_text(), key_in(key))
    assert "the key is made by the cloud" in site.log
    assert "PRIVATE" not in site.log
    state = State(site.root / "state.db")
    rows = state.now(lambda c: c.execute("SELECT body FROM memory").fetchall())
    state.close()
    assert "PRIVATE" not in str(rows)


def test_a_key_that_cannot_be_used_does_not_take_the_place_of_the_devices_own(
    site: Site, pki: Pki, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            make_keys(peer, pki, tmp_path, spoilt=True)
            await runs_until(site, peer, lambda: f"the answer on {CREATE_KEYS} holds no private key" in site.said)

    asyncio.run(scenario())
    assert load_pem_private_key((site.root / "privKey.key").read_bytes(), None)


@pytest.mark.parametrize("paths", ["csrPath: {0}.csr\n      csrPrivateKeyPath: {0}.key", "privateKeyPath: {0}.key"])
def test_a_device_whose_key_somebody_else_made_gets_none_from_the_cloud(
    site: Site, pki: Pki, tmp_path: Path, paths: str
) -> None:
    _, key = pki.device.issue(tmp_path, "ready")
    (tmp_path / "ready.csr").write_text(request_for(key_in(key)))
    ready = f"      {paths.format(tmp_path / 'ready')}\n"
    site.text = lambda peer: configuration_text(pki, peer.port) + ready

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            made = make_keys(peer, pki, tmp_path)
            await runs_until(site, peer, lambda: f"refuses the subscription to {CREATE}" in site.said)

            assert made == []

    asyncio.run(scenario())
