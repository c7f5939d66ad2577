"""An edge that is started by hand, with keys that others can read."""

import asyncio
import stat
from pathlib import Path

import pytest

from hedgerow.edge.closed import close_keys
from hedgerow.edge.configuration import read
from tests.unit.edge.conftest import Site
from tests.unit.edge.enrolling import configuration_text
from tests.unit.edge.peer import running
from tests.unit.edge.pki import Pki


@pytest.mark.spec("BS-36", "AL-50")
def test_keys_are_closed_when_the_edge_starts(site: Site, pki: Pki, tmp_path: Path) -> None:
    key = tmp_path / "claim.key"
    key.write_bytes(pki.claim[1].read_bytes())
    key.chmod(0o644)
    site.text = lambda peer: configuration_text(pki, peer.port).replace(str(pki.claim[1]), str(key))

    async def scenario() -> None:
        async with running(pki.listener()) as peer, site.built(peer):
            pass

    asyncio.run(scenario())
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert f"others could read {key}; it has mode 600 now" in site.said


def test_a_key_that_cannot_be_closed_is_warned_of() -> None:
    said: list[str] = []
    text = "system: {thingName: a, certificateFilePath: c, privateKeyPath: /proc/self/status, rootCaPath: ca}\n"
    nucleus = "services: {aws.greengrass.Nucleus: {configuration: {awsRegion: r, iotDataEndpoint: h}}}\n"

    close_keys(read(text + nucleus, root=Path("/gg")), said.append)

    assert len(said) == 1
    assert said[0].startswith("warning: others can read /proc/self/status, and it cannot be closed")
