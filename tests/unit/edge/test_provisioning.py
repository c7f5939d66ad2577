"""Enrolment by claim against a scripted cloud: what goes wrong is said in words, and nobody enrols twice."""

import asyncio
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hedgerow.base.files import RealFiles
from hedgerow.edge.identity import key_at, request_for
from hedgerow.edge.state import State
from tests.unit.edge.conftest import Site
from tests.unit.edge.enrolling import CREATE, PROVISION, accept_enrolments, configuration_text
from tests.unit.edge.peer import Peer, running
from tests.unit.edge.pki import Authority, Pki

Replies = list[tuple[str, dict[str, Any]]]


async def runs_until(site: Site, peer: Peer, condition: Any) -> None:
    async with site.built(peer) as edge, asyncio.TaskGroup() as tasks:
        task = tasks.create_task(edge.run())
        await peer.until(condition)
        task.cancel()


def is_online(peer: Peer) -> bool:
    return any(client.connect.client_id == "site-1" for client in peer.clients)


@pytest.mark.spec("BS-03", "AL-26", "AL-29", "BS-05")
def test_a_device_enrols_with_a_key_of_its_own_and_reconnects_as_itself(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: is_online(peer))

            key = site.root / "privKey.key"
            certificate = x509.load_pem_x509_certificate((site.root / "thingCert.crt").read_bytes())
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
            assert certificate.public_key() == x509.load_pem_x509_csr(requests[0].encode()).public_key()
            assert not any(b"PRIVATE KEY" in payload for _, payload in peer.messages)
            assert "PRIVATE" not in site.log

    asyncio.run(scenario())
    assert "edge: enrolled as site-1" in site.said


@pytest.mark.spec("BS-03")
def test_an_enrolled_device_never_uses_its_claim_again(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: is_online(peer))
            await peer.until(lambda: not peer.clients)
            peer.connects.clear()
            await runs_until(site, peer, lambda: is_online(peer))

            assert [connect.client_id for connect in peer.connects] == ["site-1"]
            assert len(requests) == 1

    asyncio.run(scenario())


def test_a_device_that_ends_before_it_has_a_thing_goes_on_with_its_certificate(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            provision = peer.answers.pop(PROVISION)
            await runs_until(site, peer, lambda: any(topic == PROVISION for topic, _ in peer.messages))
            peer.answers[PROVISION] = provision
            await runs_until(site, peer, lambda: is_online(peer))

            assert len(requests) == 1
            tokens = {payload for topic, payload in peer.messages if topic == PROVISION}
            assert len(tokens) == 1

    asyncio.run(scenario())


def test_a_device_that_ends_before_it_has_a_certificate_keeps_its_key(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            await runs_until(site, peer, lambda: any(topic == CREATE for topic, _ in peer.messages))
            key = (site.root / "privKey.key").read_bytes()
            accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: is_online(peer))

            assert (site.root / "privKey.key").read_bytes() == key

    asyncio.run(scenario())


def test_a_token_that_is_too_old_is_replaced(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            accept = peer.answers[PROVISION]

            def provision(topic: str, body: dict[str, Any]) -> Replies:
                if body["certificateOwnershipToken"] == "t1":
                    return [rejection(topic, "InvalidCertificateOwnershipToken", "is invalid")]
                return accept(topic, body)

            peer.answers[PROVISION] = provision
            await runs_until(site, peer, lambda: is_online(peer))

            assert len(requests) == 2

    asyncio.run(scenario())


def rejection(topic: str, code: str, text: str, status: int = 400) -> tuple[str, dict[str, Any]]:
    return f"{topic}/rejected", {"statusCode": status, "errorCode": code, "errorMessage": text}


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        ("InvalidTemplate", "Template radios is not enabled.", "the provisioning template radios is disabled"),
        ("InvalidTemplate", "Template with name radios does not exist.", "template radios does not exist"),
        ("ProvisioningFailed", "Existing AttributePayload: {a=1} conflicts", "the thing name site-1 is taken"),
        ("ResourceAlreadyExists", "thing site-1 already exists", "the thing name site-1 is taken"),
        ("AccessDenied", "Access Denied", "the cloud refuses to enrol this device: AccessDenied: Access Denied"),
    ],
)
def test_a_rejection_is_said_in_words_on_console_and_in_the_log_and_tried_again(
    site: Site, pki: Pki, code: str, text: str, said: str
) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            accept_enrolments(peer, pki)
            accept, tries = peer.answers[PROVISION], 0

            def provision(topic: str, body: dict[str, Any]) -> Replies:
                nonlocal tries
                tries += 1
                return [rejection(topic, code, text)] if tries == 1 else accept(topic, body)

            peer.answers[PROVISION] = provision
            await runs_until(site, peer, lambda: is_online(peer))

    asyncio.run(scenario())
    assert f"edge: not enrolled: {said}" in site.said or said in site.said
    assert said in site.log


@pytest.mark.spec("JB-17")
def test_a_wrong_ca_is_named_and_nothing_is_sent(site: Site, pki: Pki, tmp_path: Any) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority.make("another").pem)
    site.text = lambda peer: configuration_text(pki, peer.port).replace(str(pki.root_ca), str(other))

    async def scenario() -> None:
        async with running(pki.listener()) as peer, site.built(peer) as edge, asyncio.TaskGroup() as tasks:
            task = tasks.create_task(edge.run())
            async with asyncio.timeout(5):
                while "is not signed by the CA in" not in site.said:
                    await asyncio.sleep(0.01)
            task.cancel()
            assert peer.connects == []

    asyncio.run(scenario())
    assert f"is not signed by the CA in {other}; check rootCaPath" in site.said


@pytest.mark.spec("BS-04")
def test_a_claim_that_has_expired_is_said_with_its_day(site: Site, pki: Pki, tmp_path: Any) -> None:
    certificate, key = pki.device.issue(tmp_path, "old", end=datetime(2021, 5, 17, tzinfo=UTC))
    site.text = lambda peer: (
        configuration_text(pki, peer.port)
        .replace(str(pki.claim[0]), str(certificate))
        .replace(str(pki.claim[1]), str(key))
    )

    async def scenario() -> None:
        async with running(pki.listener()) as peer, site.built(peer) as edge, asyncio.TaskGroup() as tasks:
            task = tasks.create_task(edge.run())
            async with asyncio.timeout(5):
                while "expired on 2021-05-17" not in site.said:
                    await asyncio.sleep(0.01)
            task.cancel()

    asyncio.run(scenario())
    assert "the claim was refused" in site.said


@pytest.mark.spec("BS-04")
def test_a_claim_that_the_cloud_does_not_admit_is_said(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            accept_enrolments(peer, pki)
            peer.refuse_with = 5
            async with site.built(peer) as edge, asyncio.TaskGroup() as tasks:
                task = tasks.create_task(edge.run())
                await peer.until(lambda: len(peer.connects) > 1)
                peer.refuse_with = 0
                await peer.until(lambda: is_online(peer))
                task.cancel()

    asyncio.run(scenario())
    assert "the claim was refused: the cloud refuses the connection: not authorized" in site.said


def test_a_claim_that_may_not_ask_is_told_which_topic(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            accept_enrolments(peer, pki)
            peer.cut_on = CREATE
            async with site.built(peer) as edge, asyncio.TaskGroup() as tasks:
                task = tasks.create_task(edge.run())
                await peer.until(lambda: len(peer.connects) > 1)
                task.cancel()

    asyncio.run(scenario())
    assert f"the cloud ended the connection when asked on {CREATE}" in site.said


def test_a_certificate_for_another_key_is_not_taken(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            good = peer.answers[CREATE]
            folder = site.root.parent

            def create(topic: str, body: dict[str, Any]) -> Replies:
                replies = good(topic, body)
                if len(requests) == 1:
                    replies[0][1]["certificatePem"] = pki.device.issue(folder, "other")[0].read_text()
                return replies

            peer.answers[CREATE] = create
            await runs_until(site, peer, lambda: is_online(peer))

    asyncio.run(scenario())
    assert "not for this device's key" in site.said


def ready(site: Site, folder: Path, *, request: bytes | None) -> bytes:
    """Have a key and a request that were made before; answer the key."""
    key = key_at(folder / "ready.key", RealFiles())
    text = request_for(key).encode() if request is None else request
    if text:
        (folder / "ready.csr").write_bytes(text)
    more = f"csrPath: {folder}/ready.csr, csrPrivateKeyPath: {folder}/ready.key"
    site.text = lambda peer: configuration_text(site.pki, peer.port).replace(
        "templateParameters:", f"{more.replace(', ', chr(10) + '      ')}\n      templateParameters:"
    )
    return (folder / "ready.key").read_bytes()


@pytest.mark.spec("AL-50")
def test_a_device_enrols_with_a_key_and_a_request_that_were_made_before(site: Site, pki: Pki, tmp_path: Path) -> None:
    key = ready(site, tmp_path, request=None)

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: is_online(peer))
            assert requests == [(tmp_path / "ready.csr").read_text()]

    asyncio.run(scenario())
    assert (tmp_path / "ready.key").read_bytes() == key
    assert not (site.root / "privKey.key").exists()


@pytest.mark.parametrize(
    ("request_pem", "words"),
    [
        (b"", "cannot read"),
        (b"nonsense", "holds no certificate signing request"),
        (request_for(ec.generate_private_key(ec.SECP256R1())).encode(), "is for another key than the one in csrPriv"),
    ],
)
def test_a_request_that_does_not_go_with_its_key_is_named_and_nothing_is_asked(
    site: Site, pki: Pki, tmp_path: Path, request_pem: bytes, words: str
) -> None:
    ready(site, tmp_path, request=request_pem)

    async def scenario() -> None:
        async with running(pki.listener()) as peer, site.built(peer) as edge, asyncio.TaskGroup() as tasks:
            requests = accept_enrolments(peer, pki)
            task = tasks.create_task(edge.run())
            async with asyncio.timeout(5):
                while words not in site.said:
                    await asyncio.sleep(0.01)
            task.cancel()
            assert requests == []

    asyncio.run(scenario())
    assert str(tmp_path / "ready.csr") in site.said


def test_the_claims_key_that_is_missing_is_named(site: Site, pki: Pki) -> None:
    site.text = lambda peer: configuration_text(pki, peer.port).replace(str(pki.claim[1]), "/nowhere/claim.key")

    async def scenario() -> None:
        async with running(pki.listener()) as peer, site.built(peer) as edge, asyncio.TaskGroup() as tasks:
            task = tasks.create_task(edge.run())
            async with asyncio.timeout(5):
                while "cannot read /nowhere/claim.key" not in site.said:
                    await asyncio.sleep(0.01)
            task.cancel()

    asyncio.run(scenario())


def test_the_state_file_holds_no_private_key(site: Site, pki: Pki) -> None:
    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: is_online(peer))

    asyncio.run(scenario())
    state = State(site.root / "state.db")
    rows = state.now(lambda c: c.execute("SELECT body FROM memory").fetchall())
    state.close()
    assert rows
    assert "PRIVATE KEY" not in str(rows)
