"""Enrolment by claim, and what is on the device's disk: places of its own, room, what a power cut left."""

import asyncio
from typing import Any

import pytest

from hedgerow.core.mqtt.packets import Publish
from hedgerow.edge.provisioning import Enrolment
from tests.unit.edge.conftest import Site
from tests.unit.edge.enrolling import CREATE, PROVISION, accept_enrolments, configuration_text
from tests.unit.edge.peer import running
from tests.unit.edge.pki import Pki
from tests.unit.edge.test_provisioning import Replies, is_online, runs_until


@pytest.mark.spec("BS-03", "AL-50")
def test_a_device_does_not_take_the_claims_key_for_its_own(site: Site, pki: Pki) -> None:
    """Somebody copied it: whoever has the claim would be this device."""
    site.root.mkdir()
    (site.root / "privKey.key").write_bytes(pki.claim[1].read_bytes())

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: "is the claim's; the device needs one of its own" in site.said)

            assert requests == []

    asyncio.run(scenario())


def test_the_certificates_folder_is_made_before_the_certificate_is_asked_for(site: Site, pki: Pki) -> None:
    there: list[bool] = []
    site.text = lambda peer: configuration_text(pki, peer.port) + "      certificatePath: certs/own/device.pem\n"

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            accept_enrolments(peer, pki)
            create = peer.answers[CREATE]

            def looked(topic: str, body: dict[str, Any]) -> Replies:
                there.append((site.root / "certs" / "own").is_dir())
                return create(topic, body)

            peer.answers[CREATE] = looked
            await runs_until(site, peer, lambda: is_online(peer))

    asyncio.run(scenario())
    assert there == [True]
    assert (site.root / "certs" / "own" / "device.pem").is_file()


def test_a_folder_that_takes_no_certificate_is_named_and_nothing_is_asked(site: Site, pki: Pki) -> None:
    site.text = lambda peer: configuration_text(pki, peer.port) + "      certificatePath: /proc/device.pem\n"

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            requests = accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: "cannot write in the folder /proc" in site.said)

            assert requests == []

    asyncio.run(scenario())


def test_a_device_that_calls_itself_as_its_thing_goes_on_under_another_name_once_the_thing_is_there(
    site: Site, pki: Pki
) -> None:
    """It was provisioned and lost the reply; from then on no claim may use the name."""
    site.text = lambda peer: configuration_text(pki, peer.port) + "      deviceId: site-1\n"

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            peer.cut_ids = {"site-1"}
            accept = accept_enrolments(peer, pki)
            await runs_until(site, peer, lambda: "enrolled as site-1" in site.said)

            assert len(accept) == 1
            assert peer.connects[0].client_id == "site-1"

    asyncio.run(scenario())
    assert "warning: deviceId is a template parameter, too" in site.said
    assert "hedgerow onboarding list --failed" in site.said


@pytest.mark.spec("AL-54")
def test_what_a_power_cut_left_of_keys_is_cleared_away_at_the_next_start(site: Site, pki: Pki) -> None:
    (site.root / "claim").mkdir(parents=True)
    left = [site.root / ".privKey.key.0a1b2c3d.hedgerow-tmp", site.root / "claim" / ".claim.key.0a1b2c3d.hedgerow-tmp"]
    for path in left:
        path.write_bytes(pki.claim[1].read_bytes())

    async def scenario() -> None:
        async with running(pki.listener()) as peer, site.built(peer):
            assert not any(path.exists() for path in left)

    asyncio.run(scenario())


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones(site: Site, pki: Pki) -> None:
    """The try was over by then; its token may be no more."""

    async def scenario() -> None:
        async with running(pki.listener()) as peer:
            accept_enrolments(peer, pki)
            async with site.built(peer) as edge:
                way = edge._way()
                assert isinstance(way, Enrolment)
                way._arrived(Publish(f"{PROVISION}/accepted", b'{"thingName": "site-2"}'))
                identity = await way.attempt()

            assert identity.thing_name == "site-1"

    asyncio.run(scenario())
