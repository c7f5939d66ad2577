"""Enrolling and connecting with keys in a token (SoftHSM), against a scripted cloud with real TLS."""

import asyncio
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hedgerow.base.files import RealFiles
from hedgerow.edge.enrolment import known_identity
from hedgerow.edge.identity import fits
from hedgerow.edge.keys import Keys
from hedgerow.edge.notice import Console
from hedgerow.edge.pkcs11.token import Token
from hedgerow.edge.pkcs11.uri import Pkcs11Uri
from hedgerow.edge.state import State
from hedgerow.edge.vending import VendingEnrolment
from tests.support.softhsm import PIN, SoftToken, soft_token
from tests.unit.edge.conftest import Site
from tests.unit.edge.enrolling import CREATE, accept_enrolments, configuration_text
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Pki
from tests.unit.edge.test_vending import Machine, vending

KEY = "      privateKeyPath: pkcs11:object=edge-key;type=private\n"
GIVEN = """\
system:
  thingName: site-1
  certificateFilePath: pkcs11:object=mine;type=cert
  privateKeyPath: pkcs11:object=mine;type=private
  rootCaPath: {root_ca}
"""


@pytest.fixture
def soft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    return soft_token(tmp_path / "softhsm", monkeypatch)


async def runs_until(site: Site, peer: Peer, condition: Any) -> None:
    async with site.built(peer) as edge, asyncio.TaskGroup() as tasks:
        task = tasks.create_task(edge.run())
        await peer.until(condition)
        task.cancel()


def is_online(peer: Peer) -> bool:
    return any(client.connect.client_id == "site-1" for client in peer.clients)


@pytest.mark.spec("AL-50")
def test_a_device_that_ends_before_it_has_a_certificate_keeps_its_key_in_the_token(
    site: Site, pki: Pki, soft: SoftToken
) -> None:
    site.text = lambda peer: configuration_text(pki, peer.port) + KEY + soft.section()

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            await runs_until(site, peer, lambda: any(topic == CREATE for topic, _ in peer.messages))
            assert soft.labels() == ["edge-key"]
            requests = accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: is_online(peer))

            asked = {payload for topic, payload in peer.messages if topic == CREATE}
            (request,) = requests
            certificate = x509.load_pem_x509_certificate((site.root / "thingCert.crt").read_bytes())
            assert len(asked) == 2  # two signatures of the same key differ
            assert x509.load_pem_x509_csr(request.encode()).public_key() == certificate.public_key()

    asyncio.run(scenario())
    assert soft.labels() == ["edge-key"]
    assert not [path for path in site.root.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert PIN not in site.said + site.log


@pytest.mark.spec("AL-50")
def test_a_device_of_the_vending_machine_makes_its_key_in_the_token(pki: Pki, soft: SoftToken, tmp_path: Path) -> None:
    machine, state, token = Machine(pki), State(tmp_path / "state.db"), Token(soft.settings)
    place = Pkcs11Uri(object="edge-key")
    enrolment = VendingEnrolment(
        vending=vending(tmp_path, new_private_key=place),
        answers=machine.answers,
        state=state,
        keys=Keys(files=RealFiles(), state=state, folder=tmp_path, token=token),
        files=RealFiles(),
        console=Console(StringIO()),
    )

    identity = asyncio.run(enrolment.attempt())

    assert identity.private_key == place
    assert fits(identity.certificate.read_text(), token.key(place))
    assert asyncio.run(known_identity(state)) == identity
    token.close()
    state.close()


def test_key_and_certificate_that_others_put_in_the_token_are_used_and_a_copy_does_while_it_is_away(
    site: Site, pki: Pki, soft: SoftToken, tmp_path: Path
) -> None:
    soft.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", "mine")
    token = Token(soft.settings)
    der = pki.device.signed(token.key(Pkcs11Uri(object="mine")).public_key(), "mine")
    token.close()
    (tmp_path / "mine.der").write_bytes(der.public_bytes(serialization.Encoding.DER))
    soft.tool("--write-object", str(tmp_path / "mine.der"), "--type", "cert", "--label", "mine")
    slot = [soft.slot]
    site.text = lambda peer: (
        GIVEN.format(root_ca=pki.root_ca)
        + configuration_text(pki, peer.port).partition("  aws.greengrass.FleetProvisioningByClaim")[0]
        + soft.section().replace(str(soft.slot), str(slot[0]))
    )

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            await runs_until(site, peer, lambda: is_online(peer))
            slot[0] = 77
            async with site.built(peer) as edge, asyncio.TaskGroup() as tasks:
                task = tasks.create_task(edge.run())
                while "not connected" not in site.log:
                    await asyncio.sleep(0.01)
                task.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 30))
    assert "the certificate is the one of last time" in site.log
    assert "slot 77 holds no token" in site.said
    assert soft.labels() == ["mine"]
